"""The command that writes a project: flows, deployments, a container, tests, all of which run. Overwrites nothing."""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from prefect_together.cli.output import say
from prefect_together.errors import InvalidRequest

_SUFFIX = ".txt"  # of code that is a text in here
_HIDDEN = {"env.example": ".env.example", "gitignore": ".gitignore", "dockerignore": ".dockerignore"}


def init(folder: Path = Path(), /) -> None:
    """Write a project to begin with: flows, prefect.yaml, Dockerfile, tests on a local Together, .env.example.

    Args:
        folder: Where; it may be there, and what is in it stays as it is.
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "films"
    release = version("prefect-together").partition("+")[0]  # no requirement names what is behind it
    texts = {path: text.replace("@NAME@", name).replace("@VERSION@", release) for path, text in _project()}
    if there := [path for path in texts if (folder / path).exists()]:
        raise InvalidRequest(f"{folder / there[0]} is there already, and nothing was written: choose an empty folder.")
    try:
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"The project cannot be written: {error.filename}: {error.strerror}.") from None
    say(f"{len(texts)} files in {folder.resolve()}. Begin with:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {folder}")
    say("  python flows/picture.py --sandbox\n  python -m pytest\nREADME.md says how it goes on.")


def _project() -> list[tuple[str, str]]:
    """Return the files of a project with their texts."""
    found: list[tuple[str, str]] = []

    def walk(folder: Any, above: str) -> None:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                walk(entry, f"{above}{entry.name}/")
                continue
            name = str(entry.name)
            plain = name.removesuffix(_SUFFIX) if name.endswith(f".py{_SUFFIX}") else _HIDDEN.get(name, name)
            found.append((above + plain, str(entry.read_text(encoding="utf-8"))))

    walk(files("prefect_together.cli").joinpath("project"), "")
    return found
