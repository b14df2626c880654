"""Ports for servers that tests start as other processes."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

_PORTS = range(20_000, 32_000)
"""Below those that systems give to connections: of these, one that was free is soon another process's, before a server has it."""


def free_port() -> int:
    """Return a port on which nobody listens, and that no other test of this run was given."""
    run = os.environ.get("PREFECT_TOGETHER_TESTS_RUN")
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            if run:
                Path(run, f"port-{port}").touch(exist_ok=False)
            return port
    raise OSError(f"no port of {_PORTS} is free")
