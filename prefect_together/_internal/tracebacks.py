"""Shortens tracebacks of errors that say all there is to know; whole ones are shown on request. Handles no error."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from prefect_together._internal.interruption import last_words, unsaid_words
from prefect_together._internal.prefect_compat import in_a_run
from prefect_together.errors import TRACEBACKS, TogetherError, traceback_of

_E = TypeVar("_E", bound=BaseException)


def without_frames(error: _E) -> _E:
    """Return an error without the frames in which it came about, where it is ours and nobody asks for them."""
    if not isinstance(error, TogetherError) or os.environ.get(TRACEBACKS):
        return error
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one.__traceback__ is not None:
            one.__traceback__ = None
            left += [one.__cause__, one.__context__]
    return error


class ShortTracebacks(logging.Filter):
    """Lets every record pass; of an error of ours it shows the lines of the user's own code.

    What Prefect says of a task of ours outside of runs goes to no server: no run there would keep it, and Prefect warns of
    that.

    Args:
        lines: Whether it does; else there is no traceback at all, for a command that says the error itself.
    """

    def __init__(self, *, lines: bool = True) -> None:
        super().__init__()
        self.lines = lines
        self.tasks: set[str] = set()
        """The names of our tasks, as far as they have run."""
        self.sentences: set[str] = set()
        """What the errors of ours said that have been logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten what the record shows."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TogetherError):
            self.sentences.add(error.what)
        if isinstance(error, TogetherError) and not os.environ.get(TRACEBACKS):
            record.exc_info = None
            lines = traceback_of(error) if self.lines else ""
            record.exc_text = lines if "\n  File " in lines else None  # the error itself is in the record's message
        if getattr(record, "task_name", None) in self.tasks and not in_a_run():
            record.send_to_api = False
        return True


class SaidOnce(logging.Filter):
    """Lets a sentence of an error of ours pass once: Prefect says it of the task, of the task's state, and of all above it.

    Args:
        errors: Knows the sentences.
    """

    def __init__(self, errors: ShortTracebacks) -> None:
        super().__init__()
        self._errors = errors
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record says something that was not said yet."""
        text = record.getMessage()
        told = {sentence for sentence in self._errors.sentences if sentence in text}
        new = told - self._said
        self._said |= told
        return bool(new) or not told


RUN_LOGS = ShortTracebacks()
"""What Prefect's loggers of runs are given, once per process."""


def shorten_last_words(interrupt: Callable[[], None]) -> None:
    """Have a script that ends with an error of ours end with a short traceback, where nobody else has a say in that.

    One that is interrupted while it waits ends with what becomes of what it waited for; also where a flow had returned
    without its futures, and it was Prefect's wait for these that was hit: nothing is raised then, and the flow is completed.

    Args:
        interrupt: Cuts off what other threads wait for: Python waits for them before it ends.
    """

    def hook(kind: type[BaseException], error: BaseException, lines: TracebackType | None) -> None:
        words = traceback_of(error) if isinstance(error, TogetherError) else ""
        if isinstance(error, KeyboardInterrupt):
            words = last_words()
            interrupt()
        if words and not os.environ.get(TRACEBACKS):
            print(words, file=sys.stderr)  # noqa: T201 - it is where Python itself would
        else:
            sys.__excepthook__(kind, error, lines)

    def at_the_end() -> None:
        if words := unsaid_words():
            print(words, file=sys.stderr)  # noqa: T201 - as above

    atexit.register(at_the_end)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = hook
