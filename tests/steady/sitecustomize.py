"""Read by every Python process that the tests start: moves the garbage collection of Prefect's servers to a thread.

Prefect's server waits for SQLite's lock in threads, up to a minute, each with the mutex of its connection. Where the garbage
collector finds a cursor of such a connection, it waits for that mutex; and where it does so in the thread of the event loop, in
the middle of a transaction, that transaction is the one that has the lock: for a minute the server answers nobody (seen with
gdb on Prefect 3.8.8 and Python 3.11). In a thread of its own it keeps nobody waiting.
"""

import gc
import sys
import threading
import time

_SERVERS = ({"prefect.server.api.server:create_app"}, {"prefect_for_tests:create_app"}, {"server", "start"})


def _collect() -> None:
    while True:
        time.sleep(30)
        gc.collect()


if any(words <= set(sys.orig_argv) for words in _SERVERS):
    gc.disable()
    threading.Thread(target=_collect, daemon=True).start()
