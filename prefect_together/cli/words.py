"""What is wrong with a command line, in one sentence: which option, which value, what is allowed. Knows no command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from prefect_together._internal.text import with_article

_CLOSE = 0.7
"""How much alike words are of which one may be meant by the other: 1 is the same."""
_TYPES: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def complaint(error: CycloptsError) -> str:
    """Return the sentence for what a command line has wrong."""
    if isinstance(error, UnknownCommandError):
        return _no_command(error)
    if isinstance(error, UnknownOptionError):
        names = [name for argument in error.argument_collection if argument.parse for name in argument.names]
        names.append("--help")
        word = error.token.keyword or error.token.value
        return f"there is no option {word}{did_you_mean(word, names)}"
    if isinstance(error, UnusedCliTokensError):
        return f"{(error.unused_tokens or [''])[0]!r} is more than it takes"
    if isinstance(error, MissingArgumentError):
        return _missing(error)
    if isinstance(error, CoercionError):
        return _unreadable(error)
    if isinstance(error, ValidationError):
        return _refused(error)
    if isinstance(error, RepeatArgumentError):
        return f"{error.token.keyword} is given more than once"
    error.verbose = False
    return " ".join(str(error).split()).removesuffix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what is spelled alike, or nothing."""
    names = list(known)
    parts = set(word.lower().strip("-").replace("_", "-").split("-"))
    # One that was made longer is meant rather than another of a like length: --image-model is --model.
    within = [name for name in names if (own := set(name.strip("-").replace("_", "-").split("-"))) and own < parts]
    # Without their dashes, which all options share, and closer than the library's own: --file is not --title.
    spelled = {name.strip("-"): name for name in reversed(names)}
    near = within[:1] or [spelled[one] for one in difflib.get_close_matches(word.lower().strip("-"), spelled, 1, _CLOSE)]
    return f": did you mean {near[0]}?" if near else ""


def none_of(value: str, choices: Iterable[str]) -> str:
    """Return the sentence for a value that is none of those that may be chosen."""
    allowed = list(choices)
    return f"{value!r} is none of {', '.join(allowed)}{did_you_mean(value, allowed)}"


def _no_command(error: UnknownCommandError) -> str:
    word = (error.unused_tokens or [""])[0]
    names = [*error.app] if error.app else []
    if word.startswith("-"):
        return f"there is no option {word}{did_you_mean(word, [*names, '--traceback'])}"
    return f"there is no command {word!r}{did_you_mean(word, [name for name in names if not name.startswith('-')])}"


def _missing(error: MissingArgumentError) -> str:
    if error.argument is None:
        return "something is missing"
    name, given = error.argument.name, error.keyword or next((token.keyword for token in error.argument.tokens), None)
    if given:
        return f"{given} needs a value"
    if not error.argument.field_info.is_keyword:
        return f"{name.lstrip('-').upper()} is missing"
    words = [word for word in error.unused_tokens or [] if word.startswith("-") and did_you_mean(word, error.argument.names)]
    return f"there is no option {words[0]}: did you mean {name}?" if words else f"{name} is missing"


def _unreadable(error: CoercionError) -> str:
    token = error.token
    name = (token.keyword if token else None) or (error.argument.name if error.argument else "")
    if error.msg is not None:
        return f"{name}: {error.msg}"
    value = token.value if token else ""
    if get_origin(error.target_type) is Literal:
        return f"{name}: {none_of(value, map(str, get_args(error.target_type)))}"
    known = _TYPES.get(error.target_type)
    kind = known or with_article(getattr(error.target_type, "__name__", "value"))
    return f"{name}: {value!r} is not {kind}"


def _refused(error: ValidationError) -> str:
    """Return what a validator has against a value, or against several options together."""
    said = _small(error.exception_message)
    if error.argument is None or not error.argument.tokens:
        return said
    token = error.argument.tokens[0]
    known = "" if repr(token.value) in said else f"{token.value!r} is not taken: "
    return f"{token.keyword or error.argument.name}: {known}{said}"


def _small(sentence: str) -> str:
    """Return a validator's sentence as the end of another one."""
    text = sentence.strip().removesuffix(".")
    return text[:1].lower() + text[1:] if text[:2].istitle() else text
