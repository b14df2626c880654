"""Where the library of a command is. Prefect is asked only where it alone can know: a stored block, or one of its files."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.storage.addresses import scheme_of

_VARIABLE = "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY"
_HOME = "PREFECT_HOME"
_BLOCK = "together-media-library/"
_AT_ONCE = 8


def _address(_: Any, address: str | None) -> None:
    try:
        scheme_of("." if address is None else address)
    except TogetherError as error:
        raise ValueError(str(error)) from None


Library = Annotated[
    str | None,
    Parameter(
        name="--library",
        validator=_address,
        help="A folder, file://, s3://, gs:// or az://, or together-media-library/NAME for a stored block; left out, as the "
        "settings say.",
    ),
]
"""The option that says which library a command is about."""


def opened(library: str | None) -> Any:
    """Return the storage of a library; looking for it creates nothing.

    Args:
        library: What ``--library`` says.

    Raises:
        InvalidRequest: There is none.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.ledger.ledger import ROOT
    from prefect_together.storage.addresses import where

    storage = located(library)
    if not any(run(storage.holds(root)) for root in (ROOT, "derived")):
        nothing = "there is no such folder" if storage.folder and not storage.folder.exists() else "it holds no ledger"
        raise InvalidRequest(
            f"There is no media library at {where(storage.url)}: {nothing}. Check the address; a library begins with "
            "the first generation that is kept in it."
        )
    return storage


def located(library: str | None) -> Any:
    """Return the storage where a library is or would be; it may not be there.

    Args:
        library: What ``--library`` says.

    Raises:
        ConfigurationError: There is no such block, or the settings name no library.
    """
    from prefect_together.storage.opening import shared

    address = _by_default() if library is None else None if library.startswith(_BLOCK) else library
    if address is not None:
        return shared(address)
    from prefect_together._internal.event_loop import run
    from prefect_together.blocks.library import storage_of  # imports Prefect
    from prefect_together.cli.temporary_server import temporary_server

    with temporary_server() if library else nullcontext():  # only a stored block is the server's to know
        return run(storage_of(library))


def library_above(file: str) -> str | None:
    """Return the folder of the library that a file lies in, as its path says; None of what lies in none here.

    Args:
        file: A path, an address, or whatever else was given.
    """
    from prefect_together.ledger.ledger import ROOT
    from prefect_together.storage.addresses import local_folder
    from prefect_together.storage.references import key_within

    if "://" in file and not file.lower().startswith("file://"):
        return None
    path = local_folder(file) if file else None
    key = path and key_within(path.as_posix())
    above = path.parents[key.count("/")] if path and key else None
    with suppress(PermissionError):  # whether it is one cannot be seen
        if above and any((above / root).is_dir() for root in (ROOT, "derived")):
            return str(above)
    return None


def account() -> Any:
    """Return the client of the account that the environment names, as ``TogetherCredentials()`` does without Prefect."""
    from prefect_together.http.account import together_url, usable_key
    from prefect_together.http.pool import shared_client

    return shared_client(usable_key(None), together_url(), timeout=600.0, max_connections=_AT_ONCE)


def _by_default() -> str | None:
    """Return where the library is when nobody says, or None where only Prefect can tell.

    Prefect's settings stand in the environment, which comes first, and in files. Only where none of these speaks of a
    library or of Prefect's home is known what Prefect would say.
    """
    said = {name.upper(): value for name, value in os.environ.items()}
    if said.get(_VARIABLE):
        return said[_VARIABLE]
    home = Path(said.get(_HOME) or "~/.prefect").expanduser()
    profiles = Path(said.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    files = (Path(".env"), Path("prefect.toml"), Path("pyproject.toml"), profiles)
    return None if any(map(_may_say, files)) else str(home / "together" / "library")


def _may_say(file: Path) -> bool:
    """Tell whether a file of settings may move the library: it names Prefect's home, its profiles or this package."""
    try:
        text = file.read_text(encoding="utf-8").casefold()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    if file.name == "pyproject.toml":
        return "tool.prefect" in text
    return any(word in text for word in ("prefect_home", "profiles_path", "together")) or (
        file.name == "prefect.toml" and "home" in text
    )
