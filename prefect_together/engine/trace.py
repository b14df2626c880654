"""How a result was made, and from which inputs: by the ledger, or what is beside or inside a file. Reads only."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, cast

from prefect_together._internal.text import clipped
from prefect_together.catalog.money import dollars
from prefect_together.engine import provenance
from prefect_together.engine.attempt import sidecar
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.generations.derived import DERIVED, DerivedMedia
from prefect_together.generations.registry import read_request, read_result
from prefect_together.generations.request import MediaReference, Request
from prefect_together.generations.result_reference import ResultReference
from prefect_together.ledger.ledger import decode
from prefect_together.ledger.queries import LedgerRow, find_kept, list_attempts
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import checksum

_NAMED = re.compile(r"-([0-9a-f]{8})-[0-9a-f]{6}\.\w+$")  # what `ingest.FileNaming` puts at the end of a file's name
_DERIVED = re.compile(r"-([0-9a-f]{12})\.\w+$")  # the same of a file that was made here, see `editing`
_KEY = re.compile(r"([0-9a-f]{40})(/[^/]+/\d+)?")
_DEPTH = 8
_SAID = 600  # characters of what a result says


@dataclass(frozen=True)
class Story:
    """How one result was made."""

    file: str
    """What it was asked for by: the name of a file, or a key of the ledger."""
    request: Request | None
    """What was asked; None of a file that was made on this machine from others."""
    media: dict[str, Any]
    """The reference as it was recorded."""
    source: str
    """Where this is known from: ``ledger``, ``sidecar``, ``note``."""
    row: LedgerRow | None = None
    inputs: tuple[Story | str, ...] = field(default=())
    """The stories of the files that it was made from; just their address where nothing is known of them."""

    def text(self, depth: int = 0, told: set[str] | None = None) -> str:
        """Return it for people, inputs indented below what was made from them.

        Args:
            depth: How many steps it is indented.
            told: What was told above, which is not told again.
        """
        indent, media = "  " * depth, self.media
        told = set() if told is None else told
        if self.file in told:
            return f"{indent}{self.file} (told above)"
        told.add(self.file)
        facts = {"made": media.get("created_at")}
        if self.request is None:
            facts["by"] = f"{str(media.get('operation')).replace('_', ' ')}, on this machine, for free"
        else:
            cost = _cost(media)
            facts |= {"kind": self.request.kind, "model": self.request.model, "seed": media.get("seed"), "cost": cost}
            facts |= self._told()
        facts |= {
            "job": media.get("job_id"),
            "flow run": self.row.flow_run if self.row else None,
            "sha256": media.get("sha256"),
            "known from": self.source,
        }
        lines = [self.file, *(f"  {name + ':':<12} {value}" for name, value in facts.items() if value is not None)]
        if self.request is not None:
            lines += ["  asked:", *(f"    {line}" for line in _fields(_plain(self.request)))]
        lines = [indent + line for line in lines]
        for made_from in self.inputs:
            lines.append(f"{indent}  made from:")
            lines.append(made_from.text(depth + 2, told) if isinstance(made_from, Story) else f"{indent}    {made_from}")
        return "\n".join(lines)

    def _told(self) -> dict[str, Any]:
        """Return what the result says of itself."""
        if self.request is None:
            return {}
        try:
            told = read_result(self.request.kind, self.media).description()
        except ValueError:  # what is known of it does not have to be whole
            return {}
        number = self.request.repair_round
        rounds = f"{number}: asked again, as the answer before was not what was asked for" if number else None
        return {
            "counted": told.brief or None,
            **{name.lower(): value for name, value in told.facts.items()},
            "repair": rounds,
            "fault": told.fault or None,
            "said": clipped(told.line(), _SAID) or None,
        }


async def trace(storage: Storage, target: str, *, depth: int = _DEPTH) -> Story:
    """Return how a result was made.

    Args:
        storage: The library whose ledger is asked.
        target: A path or an address of a kept file, or of a copy of one; of a value, which has no file, its fingerprint or
            its key in the ledger.
        depth: How many steps back its inputs are followed.

    Raises:
        InvalidRequest: Nothing is known of it.
    """
    found, path = await _by_name(storage, target) or await _by_key(storage, target), _path(target)
    here = path if path is not None and path.is_file() else None
    if found is None and here is not None:
        found = await _by_bytes(storage, target, here)
    if found is None:
        raise InvalidRequest(
            f"Nothing is known of {target!r}: no ledger entry in {storage.url}, "
            + ("no sidecar beside it, and nothing inside it." if here else "and no such file on this machine.")
        )
    return await _whole(storage, found, depth, {})


_Known = dict[tuple[str, int], "Story | str"]  # what was found, by its name and how far it may be followed


async def _whole(storage: Storage, story: Story, depth: int, known: _Known) -> Story:
    """Return a story with those of its inputs; what several were made from is looked for once."""
    inputs: list[Story | str] = []
    for address in _inputs(story):
        if (address, depth) not in known:
            known[address, depth] = await _before(storage, address, depth - 1, known)
        inputs.append(known[address, depth])
    for source in (story.request or DerivedMedia.model_validate(story.media)).words_from():
        name = f"{source.fingerprint}/{source.scope}"
        if (name, depth) not in known:
            known[name, depth] = await _source(storage, source, depth - 1, known)
        inputs.append(known[name, depth])
    return replace(story, inputs=tuple(inputs))


async def _source(storage: Storage, source: ResultReference, depth: int, known: _Known) -> Story | str:
    """Return the story of a result that words came from, or what it is called where nothing is known of it."""
    for row in await list_attempts(storage, source.fingerprint) if depth >= 0 else []:
        if row.results and source.means(row.attempt.fingerprint, row.attempt.scope):
            with suppress(ValueError):  # it is of a type that this release does not know
                return await _whole(storage, _of_row(row.key, row), depth, known)
    return f"{source.title or source.kind} ({source.fingerprint})"


def _of_row(target: str, row: LedgerRow) -> Story:
    return Story(target, read_request(row.kind, row.claim["request"]), row.results[0], "ledger", row)


async def _before(storage: Storage, address: str, depth: int, known: _Known) -> Story | str:
    """Return the story of an input, or its address where nothing is known of it or it is too many steps back."""
    found = await _by_name(storage, address) if depth >= 0 else None
    return address if found is None else await _whole(storage, found, depth, known)


async def _by_name(storage: Storage, target: str) -> Story | None:
    path = _path(target)
    return await _by_ledger(storage, target, path) or _by_sidecar(storage, target, path) or await _by_note(storage, target)


def _inputs(story: Story) -> list[str]:
    """Return the addresses of what a file was made from."""
    if story.request is None:
        return [str(source["uri"]) for source in story.media["sources"]]
    values = [use.value for use in story.request.media_inputs()]
    return [value.uri if isinstance(value, MediaReference) else str(value) for value in values]


async def _by_ledger(storage: Storage, target: str, path: Path | None) -> Story | None:
    named = _NAMED.search(PurePosixPath(target).name)
    prefixes = [named.group(1)] if named else []
    if said := _said(path):
        prefixes.append(said.fingerprint)
    name = PurePosixPath(target).name
    for prefix in dict.fromkeys(prefixes):
        for row in await list_attempts(storage, prefix):
            files = [one for one in row.results if "uri" in one]
            same = [file for file in files if PurePosixPath(file["uri"]).name == name]
            # A copy under another name is known by its fingerprint alone, where that made one file only.
            media = same or (files if len(files) == 1 and prefix == row.attempt.fingerprint else [])
            if media:
                return Story(target, read_request(row.kind, row.claim["request"]), media[0], "ledger", row)
    return None


async def _by_key(storage: Storage, target: str) -> Story | None:
    """Return the story of the first result of an attempt, or of the newest attempt with a fingerprint."""
    named = _KEY.fullmatch(target)
    for row in await list_attempts(storage, named.group(1)) if named else []:
        if row.results and target in {row.key, row.attempt.fingerprint}:
            return _of_row(target, row)
    return None


def _by_sidecar(storage: Storage, target: str, path: Path | None) -> Story | None:
    beside = Path(sidecar(str(path))) if path else None
    if beside is None or not beside.is_file():
        return None
    try:
        entry = to_addresses(decode(str(beside), beside.read_bytes()), storage)
        media = entry["media"]
        return Story(target, read_request(entry["kind"], media["request"]), media, "sidecar")
    except (LibraryError, KeyError, TypeError, ValueError):
        return None  # a JSON file of somebody else's that happens to be called so


async def _by_note(storage: Storage, target: str) -> Story | None:
    """Return the story of a file that was made here, by its name."""
    named = _DERIVED.search(PurePosixPath(target).name)
    for media in await _notes(storage, named.group(1)) if named else []:
        if PurePosixPath(media["uri"]).name == PurePosixPath(target).name:
            return Story(target, None, media, "note")
    return None


async def _by_bytes(storage: Storage, target: str, path: Path) -> Story | None:
    """Return the story of a copy under any name: the last resort, for which the ledger is read until it is found."""

    def hashed() -> str:
        with path.open("rb") as file:
            return checksum(file)[0]

    sha256 = await asyncio.to_thread(hashed)
    if found := await find_kept(storage, sha256):
        row, media = found
        return Story(target, read_request(row.kind, row.claim["request"]), media, "ledger", row)
    return next((Story(target, None, media, "note") for media in await _notes(storage) if media["sha256"] == sha256), None)


async def _notes(storage: Storage, prefix: str = "") -> list[dict[str, Any]]:
    """Return the references of files that were made here, with which the names of their notes begin."""
    found: list[dict[str, Any]] = []
    for key in await storage.names(DERIVED):
        if key.startswith(f"{DERIVED}/{prefix}") and key.endswith(".json"):
            try:
                media = DerivedMedia.model_validate(to_addresses(decode(key, await storage.read(key))["media"], storage))
                found.append(media.model_dump(mode="json"))
            except (LibraryError, FileNotFoundError, KeyError, TypeError, ValueError):
                continue  # one note that nobody can read must not hide the others
    return found


def _said(path: Path | None) -> provenance.Provenance | None:
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return provenance.read(file)


def _path(target: str) -> Path | None:
    if "://" in target and not target.startswith("file://"):
        return None
    return local_folder(target)


def _cost(media: dict[str, Any]) -> str:
    if media.get("cost") is not None:
        return dollars(Decimal(media["cost"]))
    estimated = media.get("estimated_cost")
    return "unknown" if estimated is None else f"about {dollars(Decimal(estimated))}"


def _fields(asked: dict[str, Any]) -> list[str]:
    """Return a line for each field, and for each item of a list; texts as they are, where they are of one line."""
    lines: list[str] = []
    for name, value in asked.items():
        if isinstance(value, list):
            lines += [f"{name}:", *(f"  - {_said_as(one)}" for one in cast("list[Any]", value))]
        else:
            lines.append(f"{name}: {_said_as(value)}")
    return lines


def _said_as(value: Any) -> str:
    value = _places(value)
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)


def _places(value: Any) -> Any:
    """Return a value with kept files by their addresses: what made them is told below."""
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    return fields["uri"] if "uri" in fields else {name: _places(inner) for name, inner in fields.items()}


def _plain(request: Request) -> dict[str, Any]:
    return request.model_dump(mode="json", exclude_unset=True, exclude={"based_on"})  # that is told as what it is made from
