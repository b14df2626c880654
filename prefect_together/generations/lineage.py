"""From which kept files a file was made: still to clip, clip to film. Reads references, opens nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated


def parents(result: KeptFile | Generated, among: Sequence[KeptFile | Generated]) -> list[int]:
    """Return which of some results a result was made from, as places in the list."""
    wanted = {source.sha256 for source in result.made_from()} - {getattr(result, "sha256", None)}
    return [place for place, other in enumerate(among) if getattr(other, "sha256", None) in wanted]


def flat(results: Any) -> list[Any]:
    """Return results and errors from however deeply nested lists and tuples, in order."""
    if isinstance(results, Iterable) and not isinstance(results, (str, bytes, KeptFile, Generated)):
        return [result for entry in results for result in flat(entry)]  # pyright: ignore[reportUnknownVariableType]
    return [results]
