"""The documentation names everything that is public, what comes from the code is up to date, and its files are made."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import prefect_together
from prefect_together import automations, catalog, errors, sandbox
from prefect_together.blocks.settings import TogetherSettings
from prefect_together.generations.registry import specs

from .reading import DOCS, PAGES, ROOT, text_of

REFERENCE = {
    name
    for page in (DOCS / "reference").glob("*.md")
    for name in re.findall(r"^::: prefect_together\.([\w.]+)$", text_of(page), re.MULTILINE)
}
GENERATED: dict[str, str] = runpy.run_path(str(DOCS / "generate.py"), run_name="docs")["pages"]()


def test_every_public_name_is_in_the_reference_once() -> None:
    """Who looks a name up finds its docstring."""
    assert sorted(prefect_together.__all__) == sorted(name for name in REFERENCE if "." not in name)
    listed = [
        one for page in (DOCS / "reference").glob("*.md") for one in re.findall(r"^::: (\S+)$", text_of(page), re.MULTILINE)
    ]
    assert len(listed) == len(set(listed)), "a name stands on two pages"


def test_public_modules_are_in_the_reference() -> None:
    """What the modules beside the face offer is there too."""
    assert {f"catalog.{name}" for name in catalog.__all__} <= REFERENCE
    assert {f"sandbox.{name}" for name in sandbox.__all__} <= REFERENCE
    made = {name for name, value in vars(automations).items() if name.startswith("when_") and callable(value)}
    assert {f"automations.{name}" for name in made} <= REFERENCE
    raised = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.TogetherError)
    }
    assert {f"errors.{name}" for name in raised} <= REFERENCE
    assert "testing.together_sandbox" in REFERENCE


@pytest.mark.parametrize("name", GENERATED)
def test_what_comes_from_the_code_is_up_to_date(name: str) -> None:
    """Settings, errors and events on the pages are those of the code: else `python docs/generate.py` writes them anew."""
    assert GENERATED[name] == text_of(DOCS / "reference" / name)


def test_every_setting_is_in_the_table() -> None:
    """The page of settings lists each by its name."""
    listed = re.findall(r"^\| `([A-Z_]+)` \|", text_of(DOCS / "reference" / "settings.md"), re.MULTILINE)
    assert sorted(name.upper() for name in TogetherSettings.model_fields) == sorted(listed)


def test_the_how_tos_name_every_function_and_errors_that_exist() -> None:
    """Each public function is shown or named on a page that is no reference, and no page names an error that is none."""
    text = "\n".join(text_of(page) for page in PAGES if "reference" not in page.parts)
    public = set(prefect_together.__all__)
    functions = {name for name in public if name[0].islower() and name.removeprefix("a") not in public - {name}}
    assert functions <= set(re.findall(r"\b(\w+)\b", text)) | {"money", "summary"}
    named = set(re.findall(r"`(\w+(?:Error|Request|Balance|Blocked|Limited|Failed|Outcome|Timeout))`", text))
    requests = {spec.request.__name__ for spec in specs()} | {"CaptionRequest"}
    assert [] == [name for name in sorted(named - requests) if not hasattr(errors, name)]


def test_commands_are_those_that_there_are() -> None:
    """Every command in the table is one."""
    command = [sys.executable, "-m", "prefect_together.cli", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    commands = re.findall(r"^\| `(\w+)` \|", text_of(DOCS / "reference" / "commands.md"), re.MULTILINE)
    assert len(commands) >= 10
    assert [] == [name for name in commands if not re.search(rf"\b{name}\b", said)]


def test_flows_are_those_that_there_are() -> None:
    """A flow that a page names is in `flows/`."""
    named = {name for page in PAGES for name in re.findall(r"flows/(\w+\.py)", text_of(page))}
    assert {"storyboard.py", "meeting.py"} <= named
    assert [] == [name for name in sorted(named) if not (ROOT / "flows" / name).exists()]


def test_pictures_are_made_and_shown() -> None:
    """Every picture, clip and sound beside the pages is shown on one, is small, and is made by the script of them."""
    script = text_of(DOCS / "pictures.py")
    shown = "\n".join(text_of(page) for page in PAGES)
    kinds = (".png", ".webp", ".mp4", ".mp3", ".vtt", ".svg")
    media = [
        path for path in DOCS.rglob("*") if path.suffix in kinds and "assets" not in path.parts and path.name != "logo.png"
    ]
    assert len(media) >= 15
    for path in media:
        assert path.name in shown, f"{path.name} is on no page"
        assert path.stem in script or path.name in script, f"{path.name} is made by no script"
        assert path.stat().st_size < 300_000, f"{path.name} is too large for a page"


def test_the_drawing_is_as_the_script_draws_it() -> None:
    """The drawing of the life of a request comes from its script, and not from a hand."""
    script = runpy.run_path(str(DOCS / "life_of_a_request.py"))
    assert script["drawing"]() == text_of(Path(DOCS / "life-of-a-request.svg"))
