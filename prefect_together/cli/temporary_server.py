"""Prefect's temporary server, for flows as commands and stored blocks: started with patience and a word on the screen."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from prefect_together._internal.prefect_compat import start_temporary_server
from prefect_together.errors import ConfigurationError

PATIENCE = 240
"""Seconds that the server gets for its start; Prefect's own 20 are missed on a machine that has other work."""


@contextmanager
def temporary_server() -> Generator[None, None, None]:
    """Have a server for the block where no API is set: started here, so that a failure is one sentence.

    What the user has set (environment, profile, ``prefect.toml``) stays as it is: how long to wait, and whether the server
    reports to Prefect, which without a network fails with an error on the screen.

    Raises:
        ConfigurationError: The server did not start.
    """
    settings = get_current_settings()
    if settings.api.url or not settings.server.ephemeral.enabled:
        yield
        return
    changed: dict[Any, Any] = {}
    if "startup_timeout_seconds" not in settings.server.ephemeral.model_fields_set:
        changed[PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS] = PATIENCE
    if "analytics_enabled" not in settings.server.model_fields_set:
        changed[PREFECT_SERVER_ANALYTICS_ENABLED] = False
    with temporary_settings(changed):
        patience = get_current_settings().server.ephemeral.startup_timeout_seconds
        print("Waiting for Prefect's temporary server; its first start can take a minute.", file=sys.stderr, flush=True)
        try:
            start_temporary_server()
        except RuntimeError:
            raise ConfigurationError(
                f"Prefect's temporary server did not answer within {patience} s, so nothing was begun and nothing was "
                "paid: run it again, raise PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, or start a server with "
                "`prefect server start` and set PREFECT_API_URL to it."
            ) from None
        yield
