"""Every Python example of the README runs as it stands, on a local Together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prefect_together import catalog
from prefect_together.generations.registry import specs
from prefect_together.sandbox import Sandbox

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _title(code: str) -> str:
    named = re.search(r"def (\w+)|except (\w+)|(MediaLibrary|automations)", code)
    return next((name for name in named.groups() if name), "example") if named else "example"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # by apprise, which sends notifications
@pytest.mark.parametrize("code", [pytest.param(code, id=_title(code)) for code in EXAMPLES])
def test_an_example_runs_as_shown(
    code: str,
    together_sandbox: Sandbox,
    prefect_server: object,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the README shows works when it is pasted, and prints what its comments say."""
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "readme"}
    if "together_sandbox" in code:  # tests of the reader's own flow: the first example is that flow
        exec(compile(EXAMPLES[0].rpartition("\nclip = ")[0], "README.md", "exec"), scope)
    exec(compile(code, "README.md", "exec"), scope)
    for name, test in list(scope.items()):
        if name.startswith("test_") and callable(test):
            together_sandbox.reset()
            test(together_sandbox)
    printed = capsys.readouterr().out
    for said in re.findall(r"print\(.*\)  # (.+)", code):
        assert said in printed


ROOT = README.parent
OWNERS = {model.id.partition("/")[0].casefold() for model in catalog.models()}
SHOWN = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("flows/*.*")),
    *sorted(ROOT.glob("prefect_together/**/*.py")),
]


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
    """The README, the flows and the docstrings are among what is looked at."""
    assert {"README.md", "storyboard.py", "image.py", "videos.py"} <= {path.name for path in SHOWN if _models(path)}


def test_the_tables_name_what_exists() -> None:
    """Tasks, errors and settings in the README's tables are those of the package."""
    import prefect_together
    from prefect_together import errors
    from prefect_together.blocks.settings import TogetherSettings

    text = README.read_text(encoding="utf-8")
    public = set(prefect_together.__all__)
    functions = {name for name in public if name[0].islower() and name.removeprefix("a") not in public - {name}}
    assert functions <= set(re.findall(r"`(\w+)[`(]", text)) | {"money", "summary", "named_after", "run_as_command"}
    named = set(re.findall(r"`(\w+(?:Error|Request|Balance|Blocked|Limited|Failed|Outcome|Timeout))`", text))
    requests = {spec.request.__name__ for spec in specs()}
    assert [] == [name for name in sorted(named - requests) if not hasattr(errors, name)]
    settings = set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))
    assert {name.upper() for name in TogetherSettings.model_fields} == settings
