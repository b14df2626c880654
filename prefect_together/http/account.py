"""Which account speaks to Together, and where that is, as the environment says. Sends nothing."""

from __future__ import annotations

import os

from prefect_together.errors import ConfigurationError
from prefect_together.http.urls import TOGETHER


def usable_key(given: str | None) -> str:
    """Return a key without the space around it.

    Args:
        given: The key; None is that of the environment.

    Raises:
        ConfigurationError: There is none, or it is none.
    """
    key = (os.environ.get("TOGETHER_API_KEY", "") if given is None else given).strip()
    if not key:
        raise ConfigurationError(
            "There is no API key: set the TOGETHER_API_KEY environment variable, pass credentials=TogetherCredentials("
            "api_key=...), or try the sandbox with `prefect-together sandbox`."
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError("The API key holds characters that no key has: copy it again.")
    return key


def together_url() -> str:
    """Return where Together is, by the environment."""
    return os.environ.get("TOGETHER_BASE_URL") or TOGETHER
