"""The example notebooks run as they stand, and every async twin can be awaited in a notebook."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# nbclient and ipykernel need not be installed.

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import prefect_together
from prefect_together.sandbox import Sandbox

pytest.importorskip("ipykernel", reason="ipykernel is not installed here, and notebooks need a kernel")
nbclient: Any = pytest.importorskip("nbclient", reason="nbclient is not installed here, which runs notebooks")
nbformat: Any = pytest.importorskip("nbformat", reason="nbformat is not installed here, which reads notebooks")

pytestmark = [
    pytest.mark.slow,
    # Of Jupyter's own, on how it finds its folders and talks to its kernel.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
TWINS = sorted(name for name in prefect_together.__all__ if f"a{name}" in prefect_together.__all__)


@pytest.fixture
def kernel(prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give kernels the server and the sources, and folders of their own."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setitem(os.environ, "PREFECT_LOGGING_LEVEL", "WARNING")
    return tmp_path


def _run(notebook: Any, folder: Path) -> list[dict[str, Any]]:
    """Run a notebook, save it and read it; return what its cells show."""
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    saved = folder / "saved.ipynb"
    nbformat.write(notebook, saved)
    read = nbformat.read(saved, as_version=4)
    nbformat.validate(read)
    return [output for cell in read.cells for output in cell.get("outputs", ())]


def _pages(outputs: Iterable[dict[str, Any]]) -> str:
    return "".join(str(output.get("data", {}).get("text/html", "")) for output in outputs)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])
def test_an_example_notebook_runs_as_it_stands(path: Path, kernel: Path) -> None:
    """Every cell runs, and its pictures are in the notebook that is saved, which stays small."""
    if "databases" in path.stem:
        pytest.importorskip("pandas", reason="pandas is not installed here")
        pytest.importorskip("pyarrow", reason="pyarrow is not installed here")
    outputs = _run(nbformat.read(path, as_version=4), kernel)
    assert [] == [output for output in outputs if output["output_type"] == "error"]
    assert "data:image/webp;base64," in _pages(outputs)
    assert 2_000_000 > (kernel / "saved.ipynb").stat().st_size
    assert "requests were charged at the sandbox" in json.dumps(outputs)


def test_example_notebooks_are_kept_without_outputs() -> None:
    """What they show is made where they run, and no change of a picture is a change of the sources."""
    assert 2 == len(NOTEBOOKS)
    for path in NOTEBOOKS:
        assert [] == [out for cell in nbformat.read(path, as_version=4).cells for out in cell.get("outputs", ())]


ARGUMENTS = """
from pathlib import Path
from prefect_together import *
import prefect_together as pt
import prefect_together.errors
flux, seeds = "black-forest-labs/FLUX.2-pro", iter(range(1, 99))
def picture(): return ImageRequest(prompt="a fox", model=flux, width=256, height=256, seed=next(seeds))
def clip(): return VideoRequest(prompt="a fox", model="minimax/hailuo-02", seconds=6, seed=next(seeds))
def ask(): return ChatRequest(prompt="why?", model="zai-org/GLM-5.3-Flash", seed=next(seeds))
def line(): return SpeechRequest(input="the fox sleeps", model="hexgrad/Kokoro-82M", voice="bf_emma")
still = generate_image(picture())
film = generate_video(clip())
spoken = generate_speech(line())
async def refused(asked):
    # Some models are offered on endpoints of one's own alone.
    try:
        return await asked
    except pt.errors.TogetherError as error:
        assert "Nothing was paid" in str(error)
        return error
said = "1\\n00:00:00,000 --> 00:00:01,000\\nA fox.\\n"
"""
CALLS = {
    "add_sound": "aadd_sound(film, spoken)",
    "add_subtitles": "aadd_subtitles(film, read_subtitles(said))",
    "approved_images": "aapproved_images([])",
    "burn_subtitles": "aburn_subtitles(film, read_subtitles(said))",
    "contact_sheet": "acontact_sheet([still, film])",
    "embed_texts": 'refused(aembed_texts(EmbeddingRequest(input=["a fox"], model="somebody/e5")))',
    "expected": "aexpected(picture())",
    "extract_sound": "aextract_sound(await aadd_sound(film, spoken))",
    "frames": "aframes(film, at=[1.0])",
    "generate_batch": 'agenerate_batch([picture()], name="foxes")',
    "generate_completion": 'refused(agenerate_completion(CompletionRequest(prompt="a", model="somebody/base", max_tokens=5)))',
    "generate_image": "agenerate_image(picture())",
    "generate_images": "agenerate_images(picture())",
    "generate_speech": "agenerate_speech(line())",
    "generate_text": 'agenerate_text(ChatRequest(prompt="why?", model="zai-org/GLM-5.3-Flash"))',
    "generate_video": "agenerate_video(clip())",
    "join_sounds": "ajoin_sounds([spoken, spoken])",
    "join_videos": "ajoin_videos([film, film])",
    "last_frame": "alast_frame(film)",
    "list_voices": "alist_voices()",
    "plan": "aplan([picture()])",
    "publish_gallery": 'apublish_gallery([still], key="foxes")',
    "publish_grid": 'apublish_grid([[still]], key="foxes", rows=["a"], columns=["b"])',
    "read_batch": 'aread_batch("foxes")',
    "reconcile": "areconcile()",
    "rerank": 'refused(arerank(RerankRequest(query="a fox", documents=["a", "b"], model="somebody/rank")))',
    "review_images": "areview_images([])",
    "submit_batch": "asubmit_batch([ask()])",
    "submit_video": "asubmit_video(clip())",
    "sweep": "asweep()",
    "transcribe": 'atranscribe(TranscriptionRequest(file=spoken, model="openai/whisper-large-v3"))',
    "translate": 'atranslate(TranslationRequest(file=spoken, model="openai/whisper-large-v3"))',
    "trim": "atrim(film, end=1.0)",
    "wait_for_batch": "await_for_batch(await asubmit_batch([ask()]))",
    "wait_for_video": "await_for_video(await asubmit_video(clip()))",
    "write_gallery": "awrite_gallery()",
}
"""How each twin is called."""


def test_every_async_twin_is_awaited_at_the_top_of_a_cell(kernel: Path, together_sandbox: Sandbox) -> None:
    """A notebook runs an event loop of its own, and none of them minds; sync tasks work there too."""
    assert TWINS == sorted(CALLS)
    cells = [ARGUMENTS, *(f"found = await {call}\nfound" for call in CALLS.values())]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    outputs = _run(notebook, kernel)
    shown = [cell for cell in notebook.cells[1:] if any(out["output_type"] == "execute_result" for out in cell.outputs)]
    assert [] == [output for output in outputs if output["output_type"] == "error"]
    assert len(CALLS) == len(shown)
    assert "data:image/webp;base64," in _pages(outputs)
