"""What a logger is here."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"
"""Prefect's run logger, or a plain one outside of runs."""
