"""Imports the libraries of extras when they are needed, and says so where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from prefect_together.errors import ConfigurationError


def library(name: str, what: str, *, extra: str = "tables") -> Any:
    """Return a library.

    Args:
        name: Its module.
        what: What it is needed for, e.g. ``Parquet files``.
        extra: Which extra it comes with.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        install = f'pip install "prefect-together[{extra}]"'
        raise ConfigurationError(f'{what} need the extra "{extra}": {install}.') from None
