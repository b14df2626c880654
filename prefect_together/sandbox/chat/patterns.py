"""Write a text that a regular expression matches, from the tree that Python's own parser makes of it."""

from __future__ import annotations

import importlib
import random
import re
import string
import sys
from typing import Any

# It has this name since Python 3.11; under the old one it warns.
_parser: Any = importlib.import_module("sre_parse" if sys.version_info < (3, 11) else "re._parser")

READABLE = string.ascii_letters + string.digits + " -.,_!?"
"""What a character is taken from where one of these will do."""
OTHERS = "".join(one for one in string.printable if one not in READABLE) + "éß漢"
"""What it is taken from where none of them will."""
CATEGORIES = {"DIGIT": r"\d", "WORD": r"\w", "SPACE": r"\s", "NOT_DIGIT": r"\D", "NOT_WORD": r"\W", "NOT_SPACE": r"\S"}
MORE = 4
"""How many more than the least a repetition without an end has."""
TRIES = 50
"""How often a text is written anew where a look-around did not fit it."""


def example(pattern: str, rng: random.Random) -> str:
    """Return a text that the pattern matches, short where it may be long, "" where none is found.

    Raises:
        re.error: It is no regular expression.
    """
    re.compile(pattern)
    tree = _parser.parse(pattern)
    tries = (_written(tree, rng, {}) for _ in range(TRIES))
    return next((text for text in tries if re.search(pattern, text)), "")


def _written(tree: Any, rng: random.Random, groups: dict[int, str]) -> str:
    return "".join(_node(str(operation).rpartition(".")[2], value, rng, groups) for operation, value in tree)


def _node(operation: str, value: Any, rng: random.Random, groups: dict[int, str]) -> str:
    match operation:
        case "LITERAL":
            return chr(value)
        case "IN" | "NOT_LITERAL":
            return _one_of(value if operation == "IN" else [("NEGATE", None), ("LITERAL", value)], rng)
        case "ANY":
            return rng.choice(READABLE)
        case "BRANCH":
            return _written(rng.choice(value[1]), rng, groups)
        case "SUBPATTERN":
            text = _written(value[3], rng, groups)
            if value[0] is not None:
                groups[value[0]] = text
            return text
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = value
            count = rng.randint(least, min(int(most), least + MORE))
            return "".join(_written(inner, rng, groups) for _ in range(count))
        case "GROUPREF":
            return groups.get(value, "")
        case "GROUPREF_EXISTS":
            group, then, otherwise = value
            return _written((then if group in groups else otherwise) or (), rng, groups)
        case _:  # anchors and look-arounds take no room
            return _written(value, rng, groups) if operation == "ATOMIC_GROUP" else ""


def _one_of(choices: Any, rng: random.Random) -> str:
    """Return one character of a set, of its ranges too; of a negated set, one that it does not hold."""
    named, negated = "", False
    categories: list[str] = []
    for operation, value in choices:
        match str(operation):
            case "NEGATE":
                negated = True
            case "LITERAL":
                named += chr(value)
            case "RANGE":
                named += "".join(chr(code) for code in range(value[0], min(value[1], value[0] + 127) + 1))
            case _:
                categories.append(CATEGORIES[str(value).removeprefix("CATEGORY_")])
    if negated:
        allowed = _matching(f"[^{re.escape(named)}{''.join(categories)}]")
    else:
        allowed = named + "".join(map(_matching, categories))
    return rng.choice(allowed or "~")


def _matching(pattern: str) -> str:
    """Return the characters that a pattern of one character matches: readable ones, or, where none is, others."""
    return "".join(re.findall(pattern, READABLE) or re.findall(pattern, OTHERS))
