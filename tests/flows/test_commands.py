"""Flows as commands: what goes wrong is one sentence, and a wrong option is that before anything begins."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from prefect import get_client

from prefect_together import sandbox
from prefect_together.sandbox import Sandbox

from .. import forking
from ..forking import Process
from ..waiting import until

pytestmark = pytest.mark.slow

FLOWS = Path(__file__).parents[2] / "flows"


def _run(flow: str, *options: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return forking.run([str(FLOWS / flow), *options], env=environment)


@pytest.mark.parametrize(
    ("flow", "options", "said"),
    [
        ("storyboard.py", ["--review", "maybe"], "--review: 'maybe' is neither true nor false"),
        ("storyboard.py", ["--shots", "nowhere.yaml"], "--shots: there is no file 'nowhere.yaml': give a YAML or JSON file"),
        ("storyboard.py", ["--width", "7"], "--width: 7 is less than 64"),
        ("storyboard.py", ["--width", "wide"], "--width: 'wide' is no whole number"),
        ("storyboard.py", ["--review-minutes", "0"], "--review-minutes: 0 is less than 1"),
        (
            "storyboard.py",
            ["--shots", "[{prompt: x, seconds: 99}]"],
            "--shots.0.seconds: 99 is more than 15",
        ),
        (
            "storyboard.py",
            ["--shots", "[{prompt: x, secconds: 5}]"],
            "--shots.0: there is no field 'secconds': did you mean seconds?",
        ),
        ("storyboard.py", ["--shots", "[{seconds: 5}]"], "--shots.0.prompt: it is missing: what the picture shows"),
        (
            "storyboard.py",
            ["--shots", "[{prompt: x, wings: 2}]"],
            "--shots.0: there is no field 'wings', only prompt, motion, seconds",
        ),
        ("storyboard.py", ["--shots", "[null]"], "--shots.0: nothing is given"),
        ("storyboard.py", ["--shots", "[7]"], "--shots.0: 7 is no object with the fields prompt, motion, seconds"),
        ("storyboard.py", ["--shots", "[{prompt: x"], "'[{prompt: x' is no YAML or JSON: line 1, column 12, expected"),
        (
            "narrated_film.py",
            ["--language", "Spanish"],
            "--language: 'Spanish' does not fit: the language of the narration, such as en",
        ),
        ("storyboard.py", ["--continuity", "chian"], "'chian' is none of cut, chain: did you mean chain?"),
        ("storyboard.py", ["--on-timeout", "wait"], "'wait' is none of fail, keep, drop"),
        ("image_to_video.py", ["--modle", "x"], "there is no option --modle: did you mean --model?"),
        ("image_to_video.py", ["--image-model", "x"], "there is no option --image-model: did you mean --model?"),
        ("image_to_video.py", ["--mod", "x"], "there is no option --mod: did you mean --model?"),
        (
            "image_to_video.py",
            ["--model", "FLUX2-pro"],
            "--model: Together has no model 'FLUX2-pro': did you mean black-forest",
        ),
        ("image_to_video.py", ["--video-model", "minimax/hailou-02"], "did you mean minimax/hailuo-02?"),
        ("storyboard.py", ["--video-model", "hailuo02x"], "--video-model: Together has no model 'hailuo02x'"),
        ("compare_models.py", ["--models", "FLUX2-pro"], "--models: Together has no model 'FLUX2-pro'"),
        (
            "image_to_video.py",
            ["--model", "minimax/hailuo-02"],
            "--model: 'minimax/hailuo-02' is a model for video, not for image",
        ),
        ("image_to_video.py", ["--video-model", "black-forest-labs/FLUX.2-pro"], "is a model for image, not for video"),
        ("compare_models.py", ["--models", "minimax/hailuo-02"], "is a model for video, not for image"),
        ("expand.py", ["--writer", "openai/whisper-large-v3"], "is a model for transcription, not for chat"),
        ("expand.py", ["--writer", "GLM-5.3-Flahs"], "--writer: Together has no model 'GLM-5.3-Flahs'"),
        ("image_to_video.py", ["--seed", "1.5"], "--seed: '1.5' is no whole number"),
        ("prompt_table.py", [], "--table is missing"),
        ("prompt_table.py", ["--tabel", "x.csv"], "there is no option --tabel: did you mean --table?"),
        ("prompt_table.py", ["--table", "nowhere.csv"], "--table: There is no table 'nowhere.csv'"),
        ("daily.py", ["--day", "someday"], "--day: 'someday' is no date such as 2026-11-27"),
        ("reconcile.py", ["--wait", "long"], "--wait: 'long' is no number"),
        ("compare_models.py", ["--seeds", "[]"], "--seeds: 0 are given, and 1 is the least"),
        ("make_judge_fix.py", ["--threshold", "11"], "--threshold: 11 is more than 10"),
        ("make_judge_fix.py", ["--budget", "0"], "--budget: 0.0 is not more than 0"),
        ("make_judge_fix.py", ["--table", "nowhere.csv"], "--table: There is no table 'nowhere.csv'"),
        ("make_judge_fix.py", ["--out", "rounds.xls"], "--out: 'rounds.xls' is no table"),
        ("make_judge_fix.py", ["--judge", "zai-org/GLM-5.3"], "--judge: zai-org/GLM-5.3 does not take images"),
        ("captions.py", [], "--pictures is missing"),
        ("captions.py", ["--pictures", "nowhere"], "--pictures: The folder 'nowhere' is not there"),
        ("captions.py", ["--pictures", "nowhere.csv"], "--pictures: There is no table 'nowhere.csv'"),
        ("captions.py", ["--pictures", ".", "--out", "/proc/x.csv"], "The table /proc/x.csv cannot be written"),
        ("subtitle.py", [], "--film is missing"),
        ("subtitle.py", ["--film", "nowhere.mp4"], "--film: there is no file 'nowhere.mp4'"),
        ("subtitle.py", ["--film", "https://example.com/a.mp4"], "--film: give a film that is at hand, and no URL"),
        (
            "dub.py",
            ["--film", __file__, "--language", "Spanish"],
            "--language: 'Spanish' is the code of no language: give one such as 'en'",
        ),
        ("meeting.py", ["--recording", "nowhere.wav"], "--recording: there is no file 'nowhere.wav'"),
        ("meeting.py", ["--recording", __file__, "--out", "page.pdf"], "--out: give a file that ends in .html or .md"),
        ("expand.py", ["--count", "0"], "--count: 0 is less than 1"),
        ("expand.py", ["--wish", " "], "--wish: it is blank: what the pictures are to be about"),
        ("expand.py", ["--aspect-ratio", "16:10"], "'16:10' is none of 1:1, 4:3"),
        ("synthesize.py", ["--topics", "[]"], "--topics: 0 are given, and 1 is the least"),
        ("synthesize.py", ["--table", "nowhere.csv"], "--table: There is no table 'nowhere.csv'"),
        ("synthesize.py", ["--out", "rows.txt"], "--out: 'rows.txt' is no table"),
        ("edit_chain.py", ["more"], "'more' is more than it takes"),
    ],
)
def test_a_wrong_option_is_one_sentence(flow: str, options: list[str], said: str) -> None:
    """Exit code 2 and one line, without a server, a sandbox or a key."""
    done = _run(flow, *options)
    assert 2 == done.returncode
    assert said in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_help_says_what_is_required_and_what_may_be_chosen() -> None:
    """An option without a default is no option with the default "none"."""
    table, storyboard = _run("prompt_table.py", "--help").stdout, _run("storyboard.py", "--help").stdout
    assert "object store. (required)" in " ".join(table.replace("│", "").split())
    assert "[choices: cut, chain]" in " ".join(storyboard.replace("│", "").split())
    assert "--sandbox" in storyboard


def test_a_missing_key_is_all_that_is_said(environment: dict[str, str]) -> None:
    """Before a server is waited for or a run begins: one line, in which nothing speaks of Python."""
    environment["TOGETHER_API_KEY"] = ""
    done = _run("image_to_video.py", environment=environment)
    assert 1 == done.returncode
    (said,) = done.stderr.splitlines()
    assert said.startswith("image-to-video did not start: There is no API key")
    assert "credentials=" not in said
    assert "" == done.stdout


def test_an_error_is_one_sentence(environment: dict[str, str]) -> None:
    """The last word is the error, and neither it nor Prefect's logs show how it came about, unless somebody asks."""
    environment["TOGETHER_API_KEY"] = "sandbox-key"
    options = ["--width", "77777"]
    done = _run("image_to_video.py", *options, environment=environment)
    assert 1 == done.returncode
    assert "image-to-video failed: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    asked = _run("image_to_video.py", "--traceback", *options, environment=environment)
    assert "Traceback" in asked.stderr
    assert "event_loop" in asked.stderr


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to a process of its own")
@pytest.mark.parametrize("flow", ["image_to_video.py", "storyboard.py"])
def test_an_interruption_is_one_sentence(flow: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Ctrl-C while clips render, of one task or of several threads: it ends at once, and says what becomes of them."""
    options = ["--review", "false"] if flow == "storyboard.py" else []
    with sandbox.serve(render_seconds=60) as together, (tmp_path / "said").open("w+") as said:
        environment["TOGETHER_BASE_URL"] = together.url
        running = Process([str(FLOWS / flow), *options], env=environment, out=said)
        waiting = 3 if flow == "storyboard.py" else 1
        until("all wait", lambda: len(together.jobs()) == waiting or running.poll() is not None, every=0.1)
        time.sleep(1.0)
        running.send_signal(signal.SIGINT)
        assert 130 == running.wait(30)
        said.seek(0)
        words = said.read()
    assert words.splitlines()[-1].startswith("Interrupted: job")
    assert "paid for" in words.splitlines()[-1]
    assert "for free" in words.splitlines()[-1]
    assert all(job["id"] in words.splitlines()[-1] for job in together.jobs())
    assert "Traceback" not in words


SCRIPT = """
import asyncio, sys, time
from prefect import flow
from prefect_together import VideoRequest, agenerate_video, generate_video

clips = [VideoRequest(prompt="rain", model="minimax/hailuo-02", seed=time.time_ns() % 10**9 + i) for i in range(2)]

@flow
def submitted():
    return [future.result() for future in [generate_video.submit(clip) for clip in clips]]

@flow
def mapped():
    return agenerate_video.map(clips).result()

@flow
async def slept():
    coming = generate_video.map(clips)
    await asyncio.sleep(600)
    return coming.result()

@flow
async def gathered():
    return await asyncio.gather(*map(agenerate_video, clips))

@flow
def called():
    return [generate_video(clip) for clip in clips]

@flow
def unwaited():
    generate_video.map(clips)
    time.sleep(5)  # until they are sent: Prefect drops what has not begun when its flow returns

@flow
async def left_behind():
    generate_video.map(clips)
    await asyncio.sleep(5)

ran = {"unwaited": unwaited, "left_behind": left_behind, "submitted": submitted, "mapped": mapped, "slept": slept, "gathered": gathered, "called": called}[sys.argv[1]]()
if asyncio.iscoroutine(ran):
    asyncio.run(ran)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to a process of its own")
@pytest.mark.parametrize("flow", ["submitted", "mapped", "slept", "gathered", "called"])
def test_an_interrupted_script_ends_in_one_sentence(flow: str, environment: dict[str, str], tmp_path: Path) -> None:
    """A user's own flow ends soon after Ctrl-C, whatever waits in its threads, and says what becomes of the clips."""
    with sandbox.serve(render_seconds=300) as together, (tmp_path / "said").open("w+") as said:
        environment["TOGETHER_BASE_URL"] = together.url
        running = Process(["-c", SCRIPT, flow], env=environment, out=said)
        waiting = 1 if flow == "called" else 2
        until("all wait", lambda: len(together.jobs()) == waiting or running.poll() is not None, every=0.1)
        time.sleep(1.0)
        running.send_signal(signal.SIGINT)
        code = running.wait(30)
        said.seek(0)
        words = said.read()
    assert code != 0
    assert "for free" in words.splitlines()[-1], words
    assert all(job["id"] in words.splitlines()[-1] for job in together.jobs())
    assert "Traceback" not in words


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to a process of its own")
@pytest.mark.parametrize("flow", ["unwaited", "left_behind"])
def test_a_flow_that_has_returned_without_its_futures(flow: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Prefect waits for the clips that have begun; Ctrl-C there ends the process too, and it says what becomes of them."""
    with sandbox.serve(render_seconds=300) as together, (tmp_path / "said").open("w+") as said:
        environment["TOGETHER_BASE_URL"] = together.url
        running = Process(["-c", SCRIPT, flow], env=environment, out=said)
        until("both wait", lambda: len(together.jobs()) == 2 or running.poll() is not None, every=0.1)
        time.sleep(8.0)  # the flow has returned
        running.send_signal(signal.SIGINT)
        try:
            running.wait(60)
        finally:
            running.kill()
        said.seek(0)
        words = said.read()
    (last,) = [line for line in words.splitlines() if line.startswith("Interrupted:")]
    assert "for free" in last
    assert all(job["id"] in last for job in together.jobs())
    assert 2 == len(together.charges())


def test_a_plan_is_a_table_and_no_run_of_the_flow(environment: dict[str, str], together_sandbox: Sandbox) -> None:
    """`--plan` prints what would be sent, once; its run is called a plan, and there is nothing to watch."""
    done = _run("image_to_video.py", "--plan", "--idea", "a heron", environment=environment)
    assert 0 == done.returncode
    assert ["FLUX.2-pro", "about", "$0.03", "seed", "7", "a", "heron"] == done.stdout.split()[:7]
    assert 1 == (done.stdout + done.stderr).count("2 to send: about $0.59")
    assert "Watch it" not in done.stdout
    assert [] == together_sandbox.requests()
    assert "plan: a heron" in (names := _names_of_runs())
    assert "a heron" not in names


def _names_of_runs() -> set[str]:
    with get_client(sync_client=True) as client:
        return {run.name for run in client.read_flow_runs()}
