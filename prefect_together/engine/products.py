"""Which model a line of a bill is about, as far as its words tell. Reads nothing, and forces nothing to match.

Nobody has published what Together calls its products, so a model is looked for in all that a line says: by its whole id, or
by its name without the organisation, in whatever spelling. A line that names none, or several alike, is left unmatched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[a-z]+|\d+")


class Products:
    """Finds the model that a product is of.

    Args:
        models: Ids that count.
        others: Ids that are known besides: what is one of these is none of those, such as GLM-5.3-Flash, which is no GLM-5.
    """

    def __init__(self, models: Iterable[str], others: Iterable[str] = ()) -> None:
        self._ids: dict[tuple[str, ...], set[str]] = {}
        for model in models:
            for spelled in (model, model.rpartition("/")[2]):
                self._ids.setdefault(_words(spelled), set()).add(model)
        own = set(self._ids)
        for other in others:
            for spelled in (other, other.rpartition("/")[2]):
                if _words(spelled) not in own:
                    self._ids.setdefault(_words(spelled), set()).add("")
        self._ids.pop((), None)
        self._longest = max(map(len, self._ids), default=0)

    def model_of(self, text: str) -> str | None:
        """Return the model that a text speaks of: the one with the longest name in it, or None.

        Args:
            text: All that a line of a bill says of its product.
        """
        words = _words(text)
        for length in range(min(self._longest, len(words)), 0, -1):
            found = {
                model
                for start in range(len(words) - length + 1)
                for model in self._ids.get(words[start : start + length], ())
            }
            if found:
                return found.pop() or None if len(found) == 1 else None
        return None


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text.lower()))
