"""Makes files of others within a task: found again where they were made before, and shown where they are made now."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from prefect_together.engine.derivation import Derivation, Make
from prefect_together.generations.derived import DerivedMedia, Operation, Spliced
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.result_reference import ResultReference
from prefect_together.storage.addresses import where
from prefect_together.storage.storage import Storage
from prefect_together.tasks._context import run_logger
from prefect_together.ui.artifacts import show


async def derive(
    operation: Operation,
    sources: Sequence[KeptFile],
    storage: Storage,
    make: Make,
    asked: Sequence[str] = (),
    based_on: Sequence[ResultReference] = (),
) -> DerivedMedia:
    """Return a file that is made of kept ones, or that was made of them before; what is made is shown.

    Args:
        operation: How it is made.
        sources: What it is made of, in order.
        storage: The library.
        make: Writes it to a path.
        asked: What else makes it what it is.
        based_on: The results that its words came from.
    """
    work = Derivation(operation, sources, asked=asked, based_on=based_on)
    if known := await _known(work, storage):
        return known
    media = await work.made(make, storage, run_logger())
    await show([media])
    return media


async def derive_each(
    operation: Operation,
    source: KeptFile,
    storage: Storage,
    make: Callable[[KeptFile, Path, Sequence[int]], Iterator[tuple[Path, Spliced]]],
    asked: Sequence[Sequence[str]],
) -> list[DerivedMedia]:
    """Return several files that are made of one, in order; those that were made before are not made again.

    Args:
        operation: How they are made.
        source: What they are made of.
        storage: The library.
        make: Writes those with these places into a folder, and yields where, in their order.
        asked: What else makes each of them what it is.
    """
    works = [Derivation(operation, [source], asked=words) for words in asked]
    found: dict[str, DerivedMedia | None] = {}
    for work in works:
        if work.name not in found:
            found[work.name] = await _known(work, storage)
    places = list({work.name: place for place, work in enumerate(works) if found[work.name] is None}.values())
    with tempfile.TemporaryDirectory(prefix="prefect-together-") as folder:
        if places:
            there = await asyncio.to_thread(source.located)  # no other bytes may go into what is found by their hash
            made = await asyncio.to_thread(lambda: list(make(there, Path(folder), places)))
            for place, (path, spliced) in zip(places, made, strict=True):
                found[works[place].name] = await works[place].kept(path, spliced, storage, run_logger())
    media = [one for work in works if (one := found[work.name]) is not None]
    if places:
        await show([media[place] for place in places])
    return media


async def _known(work: Derivation, storage: Storage) -> DerivedMedia | None:
    known = await work.known(storage)
    if known is not None:
        run_logger().info("Made before: the %s, %s", known.maker, where(known.uri))
    return known
