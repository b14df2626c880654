"""Kinds of values that several commands take, each with the sentence for what is none."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from cyclopts import Parameter


def _month(_: Any, text: str | None) -> None:
    if text is not None and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise ValueError("give a month such as 2026-11")


def _seconds(_: Any, number: float) -> None:
    if not math.isfinite(number):
        raise ValueError("give a number")
    if number < 0:
        raise ValueError("0 is the least")


def _loopback(_: Any, host: str) -> None:
    from prefect_together.sandbox.inputs import is_loopback

    if not is_loopback(host):
        raise ValueError("give an address of this machine alone, such as 127.0.0.1: whoever comes is let in")


Month = Annotated[str | None, Parameter(validator=_month)]
"""A month of the calendar."""
Seconds = Annotated[float, Parameter(validator=_seconds)]
"""A length of time."""
Loopback = Annotated[str, Parameter(validator=_loopback)]
"""An address that only this machine reaches."""
