"""Every example flow as a command where neither Pillow nor PyAV can be imported: it ends well, and all that is paid is kept."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from PIL import Image

from prefect_together.sandbox import Sandbox
from tests.forking import run

pytestmark = pytest.mark.slow

FLOWS = Path(__file__).parents[2] / "flows"
MISSING = ("PIL", "PIL.Image", "av")

COMMANDS: dict[str, tuple[list[str], int]] = {
    "captions.py": (["--pictures", "seen"], 2),
    "compare_models.py": (["--seeds", "[1]"], 6),
    "daily.py": ([], 2),
    "dub.py": (["--film", "said.wav", "--shorten", "0"], 4),
    "edit_chain.py": ([], 4),
    "expand.py": ([], 5),
    "image_to_video.py": ([], 2),
    "make_judge_fix.py": (["--width", "256", "--height", "192"], 4),
    "meeting.py": (["--recording", "said.wav"], 2),
    "narrated_film.py": (["--review", "false", "--video-model", "sandbox/tiny"], 10),
    "prompt_table.py": (["--table", "prompts.csv"], 2),
    "reconcile.py": ([], 0),
    "sweep.py": ([], 0),
    "subtitle.py": (["--film", "said.wav", "--languages", '["de"]'], 2),
    "synthesize.py": (["--count", "1"], 4),
    "sharded.py": (["--table", "prompts.csv"], 2),
    "storyboard.py": (["--review", "false", "--video-model", "sandbox/tiny"], 6),
}
"""The options of each flow, and what it is charged."""


def test_every_flow_is_here() -> None:
    """A new flow has to end well without the extra, too."""
    assert {path.name for path in FLOWS.glob("*.py")} == {*COMMANDS, "serve.py", "__init__.py"}


@pytest.mark.parametrize("flow", COMMANDS)
def test_a_flow_without_the_extra(flow: str, prefect_server: str, together_sandbox: Sandbox, tmp_path: Path) -> None:
    """It completes; each charge has its file; and galleries have words in place of pictures."""
    options, charges = COMMANDS[flow]
    (tmp_path / "prompts.csv").write_text("prompt\na fox\na hare\n")
    (tmp_path / "seen").mkdir()
    for number in range(2):  # small enough to be shown as they are
        Image.new("RGB", (64, 64), (number * 90, 0, 0)).save(tmp_path / "seen" / f"{number}.jpg")
    (tmp_path / "said.wav").write_bytes(_spoken(together_sandbox))
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_server,
        "TOGETHER_BASE_URL": together_sandbox.url,
        "TOGETHER_API_KEY": together_sandbox.api_key,
    }
    done = run([str(FLOWS / flow), *options], cwd=tmp_path, env=environment, without=MISSING)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert charges == len(together_sandbox.charges())
    kept = [path for path in (tmp_path / "library").rglob("*") if path.suffix in {".jpg", ".png", ".mp4", ".wav"}]
    files = [charge for charge in together_sandbox.charges() if charge.kind in {"image", "video", "speech"}]
    assert len(files) == len([path for path in kept if "derived" not in path.parts])


def _spoken(together: Sandbox) -> bytes:
    """Return a recording of two sentences; what it cost is forgotten."""
    asked = {"model": "hexgrad/Kokoro-82M", "voice": "af_heart", "input": "The sea was calm. Nobody on board slept."}
    key = {"Authorization": f"Bearer {together.api_key}"}
    recording = httpx.post(f"{together.url}/v1/audio/speech", json=asked, headers=key, trust_env=False).content
    together.reset()
    return recording
