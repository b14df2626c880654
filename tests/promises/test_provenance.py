"""Where a file came from can be told: by the ledger, by a sidecar, by the file itself; no pixel changes for it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyAV's and Pillow's stubs leave types open.

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from prefect_together import (
    GeneratedImage,
    GeneratedVideo,
    generate_image,
    generate_video,
    join_videos,
)
from prefect_together._internal.event_loop import run
from prefect_together.cli import main
from prefect_together.engine import provenance
from prefect_together.engine.trace import trace
from prefect_together.errors import InvalidRequest
from prefect_together.generations.code import as_code
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import clip, picture


def _said(media: GeneratedImage | GeneratedVideo) -> provenance.Provenance | None:
    with media.open() as file:
        return provenance.read(file)


def _pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


@pytest.mark.parametrize("form", ["url", "base64"])
@pytest.mark.parametrize("output", ["png", "jpeg"])
def test_pictures_carry_provenance_and_keep_their_pixels(
    output: str, form: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Embedded XMP names source type, model, seed and fingerprint; pixels are those without, and the hash is the file's."""
    request = picture('a "fox" & <snow>', seed=3, output_format=output, response_format=form)
    plain = generate_image(request)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_PROVENANCE", "embed")
    marked = generate_image(request, reuse="never")
    assert marked.verify()
    assert plain.sha256 != marked.sha256
    assert _pixels(plain.read_bytes()) == _pixels(marked.read_bytes())
    assert provenance.Provenance(request.model, marked.fingerprint, 3) == _said(marked)
    assert provenance.SOURCE_TYPE.encode() in marked.read_bytes()
    assert b"fox" not in marked.read_bytes()  # a prompt stays at home
    with Image.open(marked.path()) as image:
        image.load()
        assert "xmp" in image.info  # Pillow finds it where the format keeps it
    assert _said(plain) is None


def test_clips_carry_provenance_and_still_play(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box at the end of an MP4 moves nothing: the clip decodes frame by frame as before."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_PROVENANCE", "embed")
    marked = generate_video(clip(seed=3))
    assert marked.verify()
    said = _said(marked)
    assert said is not None
    assert (marked.fingerprint, 3) == (said.fingerprint, said.seed)
    with av.open(marked.path()) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert 15 == frames


def test_a_trace_leads_back_to_the_inputs(
    together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`trace` of a clip tells its request and that of the still that it was made from."""
    still = generate_image(picture("a fox", seed=1))
    moving = generate_video(clip("it wakes", seed=2, frame_images=[still]))
    story = run(trace(Storage(str(tmp_path / "library")), str(moving.path())))
    assert moving.request == story.request
    assert ["ledger"] == [made_from.source for made_from in story.inputs if not isinstance(made_from, str)]
    assert 0 == main(["trace", "--library", str(tmp_path / "library"), moving.uri])
    printed = capsys.readouterr().out
    for said in ("it wakes", "a fox", "made from:", moving.sha256, still.sha256):
        assert said in printed
    lines = printed.splitlines()
    assert "    prompt: it wakes" in lines
    assert 1 == len([line for line in lines if line.startswith("      - ") and still.uri in line and "sha256" not in line])
    assert 1 == lines.count("        prompt: a fox")


def test_a_copy_elsewhere_is_traced_by_what_it_says(
    together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy under another name is known by its embedded fingerprint."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_PROVENANCE", "embed")
    made = generate_image(picture(seed=1))
    copy = shutil.copy(made.path(), tmp_path / "holiday.jpg")
    assert made.request == run(trace(Storage(str(tmp_path / "library")), str(copy))).request


def test_a_copy_with_its_sidecar_needs_no_library(
    together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file and the sidecar beside it, taken elsewhere, tell the request without the ledger."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_PROVENANCE", "sidecar")
    made = generate_image(picture(seed=1))
    copy = shutil.copy(made.path(), tmp_path / "holiday.jpg")
    shutil.copy(f"{made.path()}.json", f"{copy}.json")
    story = run(trace(Storage(str(tmp_path / "empty")), str(copy)))
    assert ("sidecar", made.request) == (story.source, story.request)


def test_a_replay_builds_the_same_request(
    together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python that `replay` prints runs as pasted, and builds a request that finds the same file."""
    still = generate_image(picture("a fox", seed=1))
    moving = generate_video(clip("it wakes", seed=2, frame_images=[still]))
    assert 0 == main(["replay", "--library", str(tmp_path / "library"), moving.uri])
    pasted: dict[str, Any] = {}
    exec(capsys.readouterr().out, pasted)
    assert generate_video(pasted["request"]).reused
    exec(as_code(still.request), pasted)
    assert still.request == pasted["request"]


def test_an_unknown_file_is_one_sentence(tmp_path: Path, together_sandbox: Sandbox) -> None:
    """A file of which nothing is known says so."""
    Image.new("RGB", (2, 2)).save(tmp_path / "mine.png")
    with pytest.raises(InvalidRequest, match="Nothing is known of"):
        run(trace(Storage(str(tmp_path / "library")), str(tmp_path / "mine.png")))
    with pytest.raises(InvalidRequest, match="no such file on this machine"):
        run(trace(Storage(str(tmp_path / "library")), str(tmp_path / "misspelt.png")))


def test_the_result_is_a_picture_of_its_own_type(together_sandbox: Sandbox) -> None:
    """A reference survives JSON with its request and its money."""
    made = generate_image(picture(seed=1))
    assert made == GeneratedImage.model_validate_json(made.model_dump_json())


def test_a_copy_without_a_word_is_known_by_its_bytes(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Under any name, of a picture and of a film; other bytes are nobody's."""
    library = Storage(str(tmp_path / "library"))
    made, film = generate_image(picture(seed=1)), join_videos([generate_video(clip(seed=1))])
    copies = [shutil.copy(file.path(), tmp_path / name) for file, name in ((made, "holiday.jpg"), (film, "summer.mp4"))]
    stories = [run(trace(library, str(copy))) for copy in copies]
    assert [(made.request, "ledger"), (None, "note")] == [(story.request, story.source) for story in stories]
    Path(copies[0]).write_bytes(b"another")
    with pytest.raises(InvalidRequest, match="Nothing is known"):
        run(trace(library, str(copies[0])))


def test_a_film_leads_back_to_its_stills(
    together_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`trace` of a film tells its clips, and those their stills; `replay` says that there is no request."""
    still = generate_image(picture("a fox", seed=1))
    moving = generate_video(clip("it wakes", seed=2, frame_images=[still]))
    film = join_videos([moving])
    assert 0 == main(["trace", "--library", str(tmp_path / "library"), str(film.path())])
    printed = capsys.readouterr().out
    for said in ("join, on this machine, for free", "it wakes", "a fox", film.sha256, moving.sha256, still.sha256):
        assert said in printed
    assert 1 == main(["replay", "--library", str(tmp_path / "library"), film.uri])
    assert "was made on this machine from other files" in capsys.readouterr().err
