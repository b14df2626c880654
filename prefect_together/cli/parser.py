"""Command lines that are wrong in one sentence: what is allowed, and what was probably meant. Knows no command."""

from __future__ import annotations

import argparse
import difflib
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, NoReturn

from prefect_together.errors import TRACEBACKS

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong with a command line; then the exit code is 2."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        """Return what a command line says; what is not known ends the process, in the parser of a command as well."""
        given = list(sys.argv[1:] if args is None else args)
        self._check_words(given)
        found, left = super().parse_known_args(given, namespace)
        if left:
            self.error(f"{left[0]!r} is more than it takes")
        if getattr(found, "traceback", False):
            os.environ[TRACEBACKS] = "1"
        return found, []

    def add_traceback(self) -> None:
        """Add the option that asks for whole tracebacks."""
        about = f"show Python's whole traceback of an error, as {TRACEBACKS}=1 does"
        self.add_argument("--traceback", action="store_true", help=about)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end the process."""
        help_ = "" if message.endswith("?") else f" (see `{self.prog} --help`)"
        self.exit(2, f"{self.prog}: {message}{help_}\n")

    def _check_words(self, given: Sequence[str]) -> None:
        """Find an option or a command that does not exist, before one that is missing is asked for."""
        options = [option for action in self._actions for option in action.option_strings]
        commands = [
            str(name) for action in self._actions if action.nargs == argparse.PARSER for name in action.choices or ()
        ]
        for word in given:
            name = word.partition("=")[0]
            if name == "--":
                return
            if name.startswith("--") and name not in options:
                self.error(f"there is no option {name}{did_you_mean(name, options)}")
            if commands and not name.startswith("-"):
                if name not in commands:
                    self.error(f"there is no command {name!r}{did_you_mean(name, commands)}")
                return


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what is spelled alike, or nothing."""
    names = list(known)
    parts = set(word.lower().strip("-").split("-"))
    # One that was made longer is meant rather than another of a like length: --image-model is --model.
    within = [name for name in names if (own := set(name.strip("-").split("-"))) and own < parts]
    near = within[:1] or difflib.get_close_matches(word.lower(), names, n=1)
    return f": did you mean {near[0]}?" if near else ""


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text in choices:
            return text
        near = did_you_mean(text, choices)
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(choices)}{near}")

    return read


def whole_number(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        _within(text, number, least, most)
        return number

    return read


def number(least: float | None = None, most: float | None = None) -> Callable[[str], float]:
    """Return a reader of numbers within bounds; infinity and what is no number are none."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise argparse.ArgumentTypeError(f"{text!r} is no number")
        _within(text, found, least, most)
        return found

    return read


def month(text: str) -> str:
    """Read a month such as 2026-11."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-11")
    return text


def moment(text: str) -> datetime:
    """Read a day or a time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-11-27 or 2026-11-27T08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _within(text: str, found: float, least: float | None, most: float | None) -> None:
    if least is not None and found < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    if most is not None and found > most:
        raise argparse.ArgumentTypeError(f"{text} is more than {most}")
