"""What all commands have in common: their library, how they end, and what is said where one is wrong. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, Parameter

from prefect_together.cli.words import complaint
from prefect_together.errors import TRACEBACKS

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""
WRONG = 2
"""The exit code of a command line that cannot be followed; nothing was done."""


def application(name: str, about: str, *, exits: str) -> App:
    """Return an application whose errors are raised, so that ``complaint`` says them.

    Args:
        name: What it is called on the command line.
        about: What it does.
        exits: What its exit codes mean.
    """
    return App(
        name=name,
        help=about,
        help_format="plaintext",
        help_epilogue=f"Exit codes: {exits}",
        version=lambda: f"prefect-together {version('prefect-together')}",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )


def understood(name: str, parse: Callable[[], Any]) -> Any:
    """Return what a command line comes to; say what is wrong with it, and end the process, where nothing can.

    Args:
        name: What the application is called on the command line.
        parse: Reads the command line.
    """
    try:
        return parse()
    except CycloptsError as error:
        chain = [name, *(word for word in error.command_chain or () if word != name)]
        refuse(" ".join(chain), complaint(error))


def refuse(command: str, what: str) -> NoReturn:
    """Say what is wrong with a command line, and end the process: nothing was done."""
    help_ = "" if what.endswith("?") else f" (see `{command} --help`)"
    print(f"{command}: {what}{help_}", file=sys.stderr)
    raise SystemExit(WRONG)


def words_of(arguments: Sequence[str] | None) -> list[str]:
    """Return the words of a command line, by default those of the process."""
    return list(sys.argv[1:] if arguments is None else arguments)


def ask_for_tracebacks(*, asked: bool) -> None:
    """Have errors show how they came about, in this process and those that it starts."""
    if asked:
        os.environ[TRACEBACKS] = "1"
