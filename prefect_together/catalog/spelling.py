"""Tell a model that was probably meant from one that may well exist, though this catalogue does not know it."""

from __future__ import annotations

import difflib
import re

from prefect_together.catalog.loader import models
from prefect_together.catalog.types import Model

# What Together calls a dedicated endpoint or a fine-tuned model: the account's name, and a hash at the end.
_DEDICATED = re.compile(r"[^/\s]+/.+-[0-9a-f]{8}|endpoint-[0-9a-f-]{8,}")
_ALIKE = 0.85
_VAGUELY = 0.6
_UNITS = frozenset("bkm")  # of a number of parameters: 82M, 120b
_LONG = 4  # letters from which a word can be misspelled; t2v and i2v are two words


def probably_meant(model_id: str) -> Model | None:
    """Return the model of which an unknown id is a misspelling, or None where it may be a model of its own.

    A newer version or another variant of a known model is one of its own, and so is whatever may be the id of a dedicated
    endpoint or of a fine-tuned model. An id without its maker can be none of them: vaguely alike is enough.
    """
    if _DEDICATED.fullmatch(model_id):
        return None
    maker, slash, name = model_id.rpartition("/")
    known = sorted(models(), key=lambda model: model.listed)  # of two models of one name, the last one stays
    by_name = {_plain(model.id.rpartition("/")[2]): model for model in known}
    by_id = {_plain(model.id): model for model in known}
    if same := by_name.get(_plain(name)) or by_id.get(_plain(maker + name)):
        return same
    listed = [name for name, model in by_name.items() if model.listed]
    near = difflib.get_close_matches(_plain(name), listed, n=1, cutoff=_ALIKE if slash else _VAGUELY)
    if not near:
        return None
    model = by_name[near[0]]
    return model if not slash or _misspelled(name, model.id.rpartition("/")[2]) else None


def looks_like(model_id: str, kind: str | None = None) -> Model | None:
    """Return the listed model whose id is most like one that there is not, or None: a hint for people, and no verdict.

    Other versions are named too, so nothing may be refused or replaced by it.

    Args:
        model_id: What somebody took for a model's id.
        kind: Only models of this kind.
    """
    if (meant := probably_meant(model_id)) and kind in {None, meant.kind}:
        return meant
    listed = {_plain(model.id): model for model in models(kind) if model.listed}
    names = {_plain(model.id.rpartition("/")[2]): model for model in listed.values()}
    for known, word in ((listed, model_id), (names, model_id.rpartition("/")[2])):
        if near := difflib.get_close_matches(_plain(word), known, n=1, cutoff=_VAGUELY):
            return known[near[0]]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _misspelled(name: str, known: str) -> bool:
    """Tell whether two names differ in letters of long words only, or one lacks the unit of a number: 82 for 82M.

    Other digits and short words name other models.
    """
    given, right = (re.findall(r"[a-z]+|[0-9]+", one.casefold()) for one in (name, known))
    if len(given) != len(right):
        return given in [right[:place] + right[place + 1 :] for place in range(1, len(right)) if _is_unit(right, place)]
    pairs = [(a, b) for a, b in zip(given, right, strict=True) if a != b]
    return all(a.isalpha() and b.isalpha() and max(len(a), len(b)) >= _LONG for a, b in pairs)


def _is_unit(words: list[str], place: int) -> bool:
    return words[place] in _UNITS and words[place - 1].isdecimal()
