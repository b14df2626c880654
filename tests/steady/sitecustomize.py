"""Read by every Python process that the tests start: keeps the garbage collector from where it does harm.

In Prefect's servers it gets a thread of its own.

Prefect's server waits for SQLite's lock in threads, up to a minute, each with the mutex of its connection. Where the garbage
collector finds a cursor of such a connection, it waits for that mutex; and where it does so in the thread of the event loop, in
the middle of a transaction, that transaction is the one that has the lock: for a minute the server answers nobody (seen with
gdb on Prefect 3.8.8 and Python 3.11). In a thread of its own it keeps nobody waiting.

Until 3.11.8, two threads of Python 3.11 that read source into trees share what counts their depth, and a collection in the middle
of one lets the other run: "SystemError: AST constructor recursion depth mismatch" (gh-106905). Prefect does so in several.
"""

import __future__

import ast
import builtins
import gc
import sys
import threading
import time
from functools import wraps
from typing import Any

_SERVERS = ({"prefect.server.api.server:create_app"}, {"prefect_for_tests:create_app"}, {"server", "start"})


def _collect() -> None:
    while True:
        time.sleep(30)
        gc.collect()


if (3, 11) <= sys.version_info < (3, 11, 8) and not hasattr(builtins.compile, "__wrapped__"):
    _compile = builtins.compile
    _FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})

    @wraps(_compile)
    def _uncollected(
        source: Any, filename: Any, mode: str, flags: int = 0, dont_inherit: bool = False, *more: Any, **named: Any
    ) -> Any:
        if not dont_inherit:  # what whoever calls has imported from the future, and not what this module has
            flags |= sys._getframe(1).f_code.co_flags & _FUTURE  # pyright: ignore[reportPrivateUsage]
        collects = gc.isenabled() and flags & ast.PyCF_ONLY_AST
        if collects:
            gc.disable()
        try:
            return _compile(source, filename, mode, flags, True, *more, **named)
        finally:
            if collects:
                gc.enable()

    builtins.compile = _uncollected

if any(words <= set(sys.orig_argv) for words in _SERVERS):
    gc.disable()
    threading.Thread(target=_collect, daemon=True).start()
