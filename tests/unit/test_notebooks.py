"""What notebooks show: small, whole in a saved notebook, harmless, and never the traceback of a cell that has run."""

# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false
# What notebooks ask for is private by their convention.

from __future__ import annotations

import base64
import io
import json
import random
import sys
import threading
import wave
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prefect_together import (
    BatchItem,
    BatchResult,
    Bill,
    Decision,
    DerivedMedia,
    GeneratedText,
    ImageRequest,
    Plan,
    Reconciliation,
    Review,
    Sweep,
    VideoJob,
    VideoRequest,
    requests_from_table,
)
from prefect_together.batch.plan import PlannedRequest
from prefect_together.engine.reconciliation import Entry
from prefect_together.errors import ConfigurationError
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import read_result
from prefect_together.tasks._swept import RestartedRun
from prefect_together.ui import notebook_previews

from .making import WHEN, generated_image, generated_video, image
from .notebook_pages import Elements, bundle, sources_of, text_of

pytest.importorskip("PIL.Image")
pytest.importorskip("av")

RUN = UUID(int=7)
HOSTILE = """"><script>alert(1)</script><img src=x onerror=alert(1)> ' $a$ </div><style>*{display:none}</style> &lt;b&gt;"""


def _derived(path: Path, data: bytes, media_type: str, **fields: Any) -> DerivedMedia:
    path.write_bytes(data)
    about = {
        "uri": path.as_uri(), "sha256": f"{random.getrandbits(256):064x}", "size": len(data), "media_type": media_type,
        "created_at": WHEN, "operation": "contact_sheet", "sources": (), **fields,
    }  # fmt: skip
    return DerivedMedia.model_validate(about)


def _noise(side: int, mode: str = "png") -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3)).save(out, mode)
    return out.getvalue()


def _sound(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x40\x00\xc0" * round(seconds * 4000))
    return out.getvalue()


def _clip(path: Path) -> bytes:
    import av

    library: Any = av
    from PIL import Image

    with library.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(3):
            out.mux(stream.encode(library.VideoFrame.from_image(Image.new("RGB", (64, 64), "red"))))
        out.mux(stream.encode())
    return path.read_bytes()


def _answer(text: str, asked: str = "why?") -> GeneratedText:
    found = read_result(
        "chat",
        {
            "created_at": WHEN, "model": "zai-org/GLM-5.3-Flash", "fingerprint": "f" * 40, "cost": "0.0001",
            "request": {"prompt": asked, "model": "zai-org/GLM-5.3-Flash"},
            "choices": [{"content": text, "reasoning": text, "tool_calls": [{"name": text, "arguments": text}]}],
        },
    )  # fmt: skip
    assert isinstance(found, GeneratedText)
    return found


def _batch(folder: Path, words: str) -> BatchResult:
    item = {"row": 1, "outcome": "failed", "error": words, "error_type": "BadRequest"}
    (folder / "batch.jsonl").write_text(json.dumps(item) + "\n", encoding="utf-8")
    return BatchResult(manifest=(folder / "batch.jsonl").as_uri(), name=words, failed=1)


VALUES: dict[str, Callable[[Path, str], Any]] = {
    "picture": lambda _, words: generated_image(request=image(prompt=words)),
    "clip": lambda _, words: generated_video(uri=f"file:///library/{words}.mp4"),
    "made here": lambda folder, words: _derived(folder / "a.png", _noise(8), "image/png", changes=(words,), named=(words,)),
    "type": lambda folder, words: _derived(folder / "a.wav", _sound(0.1), f"audio/{words}"),
    "answer": lambda _, words: _answer(words, words),
    "batch": _batch,
    "plan": lambda _, words: Plan(
        send=1, to_send=[PlannedRequest(row=1, title=words, model=words)], problems=[words], notes=[words], warnings=[words]
    ),
    "table": lambda _, words: requests_from_table([{"prompt": words, words: words}], constants={"model": "m"}),
    "bill": lambda _, words: Bill.model_validate(
        {
            "month": "2026-11", "granularity": "day", "asked_at": WHEN, "until": WHEN,
            "unmatched": [{"start": WHEN, "product": words, "billed": "1"}],
        }
    ),
    "reconciliation": lambda _, words: Reconciliation(failed=[Entry(key=words, kind="image", model=words, title=words, asked_at=WHEN)]),
    "job": lambda _, words: VideoJob(id=words, request=VideoRequest(prompt=words, model="minimax/hailuo-02"), submitted_at=WHEN),
    "sweep": lambda _, words: Sweep(restarted=[RestartedRun(crashed=RUN, restarted=RUN, name=words, number=1)], resumed=[RUN]),
    "item": lambda _, words: BatchItem(row=1, outcome="failed", error=words, columns={words: words}, model=words),
    "decision": lambda _, words: Decision(generated_image(request=image(prompt=words)), "redo", words),
    "review": lambda _, words: Review((Decision(generated_image(request=image(prompt=words)), "drop", words),)),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_what_users_and_models_wrote_is_shown_and_does_nothing(name: str, tmp_path: Path) -> None:
    """No element, attribute or formula comes of a text, wherever it stands; it is there to be read."""
    value = VALUES[name](tmp_path, HOSTILE)
    assert "alert(1)" in text_of(value) or "alert(1)" in bundle(value)["text/html"]
    assert not any("$a$" in part for part in Elements(bundle(value)["text/html"]).parts)


@pytest.mark.parametrize(
    ("ending", "media_type", "sources"),
    [
        ("png", "image/png", ["image/webp"]),
        ("mp4", "video/mp4", ["image/webp"]),
        ("wav", "audio/wav", ["image/webp", "audio/wav"]),
    ],
)
def test_a_kept_file_has_a_small_picture(ending: str, media_type: str, sources: list[str], tmp_path: Path) -> None:
    """A picture itself, a clip by a poster, a short sound by its waveform and a player; a PNG for what shows no HTML."""
    path = tmp_path / f"a.{ending}"
    data = {"png": lambda: _noise(64), "mp4": lambda: _clip(path), "wav": lambda: _sound(1)}[ending]()
    file = _derived(path, data, media_type)
    if file.is_heard:  # a player holds the file itself, and only what was kept
        import hashlib

        file = file.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    found = bundle(file)
    assert sources == sources_of(file)
    assert base64.b64decode(found["image/png"]).startswith(b"\x89PNG")
    assert str(path) in text_of(file)


def test_previews_stay_small_whatever_the_file(tmp_path: Path) -> None:
    """Noise of four million pixels, and a minute of sound, which gets a waveform and no player."""
    noise = _derived(tmp_path / "noise.png", _noise(1200), "image/png")
    assert 200_000 > len(json.dumps(bundle(noise)))
    long = _derived(tmp_path / "long.wav", _sound(60), "audio/wav")
    assert ["image/webp"] == sources_of(long)


def test_a_huge_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of it, and where it is, has to do."""
    file = _derived(tmp_path / "film.mp4", b"x", "video/mp4").model_copy(update={"size": 3 * 1024**3})
    monkeypatch.setattr(KeptFile, "open", lambda _: pytest.fail("it was opened"))
    assert [] == sources_of(file)
    assert "film.mp4" in text_of(file)
    assert "No preview of a file of this size." in text_of(file)


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n nothing"), lambda path: path.write_bytes(b"")]
)
@pytest.mark.parametrize("media_type", ["image/png", "video/mp4", "audio/wav", "application/x-npy"])
def test_a_file_that_is_gone_or_spoilt_is_said_so(media_type: str, spoil: Callable[[Path], Any], tmp_path: Path) -> None:
    """Nothing is raised: its facts are shown, and in a sentence why it has no picture."""
    file = _derived(tmp_path / "a.bin", b"x", media_type)
    spoil(tmp_path / "a.bin")
    assert [] == sources_of(file)
    assert ("No preview" in text_of(file)) is (media_type != "application/x-npy")
    assert "a.bin" in text_of(file)


def test_a_library_that_does_not_answer_holds_no_notebook_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while the facts are shown without a picture."""
    over = threading.Event()
    monkeypatch.setattr(KeptFile, "open", lambda _: over.wait())
    monkeypatch.setattr(notebook_previews, "_PATIENCE", 0.05)
    assert "did not answer in time" in text_of(_derived(tmp_path / "a.png", b"x", "image/png"))
    over.set()


def test_without_pillow_small_pictures_show_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a browser shows and is small is there as it is; of all else it is said which extra is needed."""
    import hashlib

    data = _noise(16)
    small = _derived(tmp_path / "a.png", data, "image/png", sha256=hashlib.sha256(data).hexdigest())
    clip = _derived(tmp_path / "a.mp4", _clip(tmp_path / "a.mp4"), "video/mp4")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "av", None)
    assert ["image/png"] == sources_of(small)
    assert 'pip install "prefect-together[media]"' in text_of(clip)


def test_an_answer_is_words(tmp_path: Path) -> None:
    """The question, the answer with its lines, what is asked for, and the thinking folded away."""
    page = bundle(_answer("first\nsecond", "why is it so?"))["text/html"]
    assert "first\nsecond" in page
    assert "<summary>Thinking</summary>" in page
    assert "why is it so?" in page


def test_a_batch_without_its_manifest_is_its_counts(tmp_path: Path) -> None:
    """Where the library is gone, the result still says what it says."""
    assert "3 kept" in text_of(BatchResult(manifest=(tmp_path / "gone.jsonl").as_uri(), kept=3))


def test_what_cannot_be_shown_is_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong on the way: the cell has its result."""
    monkeypatch.setitem(sys.modules, "prefect_together.ui.notebooks", None)
    found = generated_image()._repr_mimebundle_()
    assert {"text/plain": str(generated_image())} == found
    assert f"<pre>{generated_image()}</pre>" == generated_image()._repr_html_()


def test_money_is_kept_apart_in_a_plan() -> None:
    """The sum of a plan is in its title, and each request has its price."""
    asked = PlannedRequest(row=1, title="a fox", model="a/b", cost=Decimal("0.03"))
    text = text_of(Plan(send=2, cost=Decimal("0.06"), cost_at_most=Decimal("0.06"), to_send=[asked]))
    assert "about $0.06 by list price" in text
    assert "about $0.03" in text
    assert "… and 1 more" in text


def test_lists_have_a_line_for_each() -> None:
    """A list of results is not pages of fields."""
    pretty = pytest.importorskip("IPython.lib.pretty", reason="IPython is not installed here")
    files = [generated_image(), generated_image()]
    assert f"[{files[0]},\n {files[1]}]" == pretty.pretty(files)


def test_a_row_of_a_table_is_shown(tmp_path: Path) -> None:
    """The first rows, with what is wrong with one of them."""
    table = requests_from_table([{"prompt": "a fox", "model": "m"}, {"prompt": "", "model": "m"}], request=ImageRequest)
    text = text_of(table)
    assert "a fox" in text
    assert "why refused" in text


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_a_frame_of_what_is_not_installed_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, with what installs it."""
    monkeypatch.setitem(sys.modules, name, None)
    table = requests_from_table([{"prompt": "a fox"}], constants={"model": "m"})
    with pytest.raises(ConfigurationError, match=f"pip install {name}"):
        getattr(table, f"to_{name}")()
