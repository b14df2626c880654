"""Imports the libraries of the extra ``tables`` when they are needed, and says so where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from prefect_together.errors import ConfigurationError


def library(name: str, what: str) -> Any:
    """Return a library.

    Args:
        name: Its module.
        what: What it is needed for, e.g. ``Parquet files``.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        install = 'pip install "prefect-together[tables]"'
        raise ConfigurationError(f'{what} need the extra "tables": {install}.') from None
