"""From which results a result was made: text to still, still to clip, clip to film. Reads references, opens nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated


def parents(result: KeptFile | Generated, among: Sequence[KeptFile | Generated]) -> list[int]:
    """Return which of some results a result was made from, as places in the list."""
    wanted = {source.sha256 for source in result.made_from()} - {getattr(result, "sha256", None)}
    files = [place for place, other in enumerate(among) if getattr(other, "sha256", None) in wanted]
    sources = result.words_from()
    said = [
        place
        for place, other in enumerate(among)
        if isinstance(other, Generated) and any(source.means(other.fingerprint, other.scope) for source in sources)
    ]
    return sorted({*files, *said})


def flat(results: Any) -> list[Any]:
    """Return results and errors from however deeply nested lists and tuples, in order."""
    if isinstance(results, Iterable) and not isinstance(results, (str, bytes, KeptFile, Generated)):
        return [result for entry in results for result in flat(entry)]  # pyright: ignore[reportUnknownVariableType]
    return [results]
