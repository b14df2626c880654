"""The process that has imported Prefect and this package, and forks a command for each connection, as `forking` asks it to.

python fork_server.py /tmp/socket <pid> [modules]     while the process of this id is there; the modules cannot be imported
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

_NOT_IMPORTED = ("prefect_together.cli.project", "prefect_together.flows", "prefect_together.testing")


def _import_all(without: Sequence[str]) -> None:
    """Import Prefect, its server and this package, without starting anything, as far as it goes without some modules."""
    sys.modules.update(dict.fromkeys(without))  # type: ignore[arg-type]
    for name in ("prefect.cli", "prefect.server.api.server", "uvicorn"):
        importlib.import_module(name)
    package = importlib.import_module("prefect_together")
    for part in pkgutil.walk_packages(package.__path__, "prefect_together."):
        if not part.name.startswith(_NOT_IMPORTED) and not part.name.endswith("__main__"):
            with suppress(*([ImportError] if without else [])):
                importlib.import_module(part.name)


def _listen(path: str, tests: int) -> dict[str, Any]:
    """Fork for each connection; return in the child alone, with the command that it is to be."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    listening.settimeout(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guardians are nobody's to wait for
    while True:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            os.kill(tests, 0)  # or end
            continue
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _guard(connection)
        connection.close()


def _guard(connection: socket.socket) -> dict[str, Any]:
    """Fork the command, tell its id, and then how it ended; return in the child alone."""
    connection.settimeout(None)
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r", encoding="utf-8") as file:
        told = json.loads(file.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return told
    for file in files:
        os.close(file)
    over = threading.Event()

    def hear() -> None:
        """End the command where the tests have ended without it: they close the connection, and send nothing more."""
        with suppress(OSError):
            connection.recv(1)
        if not over.is_set():
            os.kill(pid, signal.SIGKILL)

    with suppress(OSError):
        connection.sendall(b"%d\n" % pid)
    threading.Thread(target=hear, daemon=True).start()
    _, status = os.waitpid(pid, 0)
    over.set()
    with suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(told: dict[str, Any]) -> None:
    """Be a command, as if this interpreter had just been started with it."""
    from prefect.context import refresh_global_settings_context
    from prefect.logging import configuration

    words = told["words"]
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["cwd"])
    if told["leads"]:
        os.setsid()
    sys.orig_argv[:] = [sys.executable, *words]
    if steady := sys.modules.get("sitecustomize"):
        importlib.reload(steady)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    refresh_global_settings_context()
    configuration.PROCESS_LOGGING_CONFIG.clear()
    configuration.setup_logging()
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    if words[0] == "-m":
        sys.argv[:] = words[1:]
        sys.path[0] = told["cwd"]
        runpy._run_module_as_main(words[1])  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        return
    if words[0] == "-c":
        sys.argv[:] = ["-c", *words[2:]]
        sys.path[0] = ""
        code = compile(words[1], "<string>", "exec", dont_inherit=True)
    else:
        sys.argv[:] = words
        sys.path[0] = str(Path(words[0]).parent.resolve())
        main.__file__ = words[0]
        code = compile(Path(words[0]).read_bytes(), words[0], "exec", dont_inherit=True)
    exec(code, main.__dict__)


if __name__ == "__main__":
    os.setsid()  # what interrupts the tests leaves it to them to end what they have begun
    try:
        _import_all(sys.argv[3:])
    except BaseException:
        Path(sys.argv[1]).with_suffix(".failed").touch()
        raise
    gc.collect()
    gc.freeze()
    _become(_listen(sys.argv[1], int(sys.argv[2])))
