"""Every Python example of the README and of the documentation runs as it stands, on a local Together."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from prefect.deployments import steps

from prefect_together import catalog, sandbox

from .reading import DOCS, PAGES, README, ROOT, Example, blocks, examples

EXAMPLES = examples()
NEEDED = {"pydantic_ai": 'pip install "pydantic-ai-slim[openai,prefect]>=2.68"', "pyarrow": "the extra tables"}
"""What some examples need, and where it comes from; without, they are skipped."""
OWN_MODEL = "my-team/e5-mistral-1a2b3c4d"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library for all examples that make clips: the same clip is drawn once, which takes longer than all else."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def together_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sandbox.Sandbox]:
    """Start a local Together as the fixture of that name does, which serves the model of one's own that pages name too."""
    with sandbox.serve(render_seconds=0.2, batch_seconds=0.2, dedicated=[OWN_MODEL]) as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", running.api_key)
        yield running


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # by apprise, which sends notifications
@pytest.mark.parametrize("example", [pytest.param(one, id=f"{one.page}:{one.line}") for one in EXAMPLES])
def test_an_example_runs_as_shown(
    example: Example,
    together_sandbox: sandbox.Sandbox,
    prefect_server: object,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    clips: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a page shows works when it is pasted, and prints what its comments say."""
    for module, why in NEEDED.items():
        if re.search(rf"^(?:from|import) {module}\b", example.code, re.MULTILINE):
            pytest.importorskip(module, reason=f"needs {module}: {why}")
    monkeypatch.chdir(tmp_path)
    if "VideoRequest(" in example.code and "plan(" not in example.code:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(clips))
    # Its classes say that they are of a module, in which pydantic looks up what their annotations name.
    pasted = ModuleType("pasted")
    monkeypatch.setitem(sys.modules, "pasted", pasted)
    if "def test_" in example.code:  # tests of the reader's own flow: the first example is that flow
        exec(compile(EXAMPLES[0].code.rpartition("\nclip = ")[0], "README.md", "exec"), pasted.__dict__)
    exec(compile(example.code, example.page, "exec"), pasted.__dict__)
    for name, test in list(vars(pasted).items()):
        if name.startswith("test_") and callable(test):
            together_sandbox.reset()
            test(together_sandbox)
    printed = capsys.readouterr().out
    for said in re.findall(r"print\(.*\)  # (.+)", example.code):
        assert said in printed


OWNERS = {model.id.partition("/")[0].casefold() for model in catalog.models()}
SHOWN = [README, *PAGES, *sorted(ROOT.glob("flows/*.*")), *sorted(ROOT.glob("prefect_together/**/*.py"))]


def _models(path: Path) -> list[str]:
    """Return the ids of models that a page, a flow or the examples of a module's docstrings name."""
    text = path.read_text(encoding="utf-8")
    if path.is_relative_to(ROOT / "prefect_together"):
        text = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    named = re.findall(r"[\"'`]([\w-]+/[\w.-]+)[\"'`]", text)
    return [name for name in named if name.partition("/")[0].casefold() in OWNERS]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in SHOWN if _models(path)])
def test_examples_use_models_that_are_offered(path: Path) -> None:
    """Whoever pastes an example gets what it shows: no model in one is unknown to the catalogue, or taken down."""
    offered = {model.id for model in catalog.models() if model.listed}
    assert [] == [name for name in _models(path) if name not in offered]


def test_examples_with_models_are_found() -> None:
    """The README, the pages, the flows and the docstrings are among what is looked at."""
    named = {path.name for path in SHOWN if _models(path)}
    assert {"README.md", "images.md", "storyboard.py", "image.py", "videos.py"} <= named


DEPLOYMENTS = [one for one in blocks(DOCS / "deployment.md") if one.language == "yaml"]


@pytest.mark.parametrize("example", [pytest.param(one, id=f"{one.page}:{one.line}") for one in DEPLOYMENTS])
def test_a_deployment_names_what_exists(example: Example) -> None:
    """What is shown of a `prefect.yaml` is YAML, its steps are Prefect's, and its flows are in the file that is named."""
    shown = yaml.safe_load(example.code)
    for step in shown.get("pull", ()):
        (name,) = step
        assert callable(getattr(steps, name.rpartition(".")[2])), name
    for deployment in shown.get("deployments", ()):
        path, _, function = deployment["entrypoint"].partition(":")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")
