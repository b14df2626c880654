"""Kinds of values that several commands take, each with the sentence for what is none."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Annotated, Any

from cyclopts import Parameter


def _month(_: Any, text: str | None) -> None:
    if text is not None and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise ValueError("give a month such as 2026-11")


def moment(text: str) -> datetime:
    """Read a day or a time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError("give a time such as 2026-11-27 or 2026-11-27T08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _moment(_: Any, text: str | None) -> None:
    if text is not None:
        moment(text)


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
Moment = Annotated[str | None, Parameter(validator=_moment)]
"""A day or a time."""
Seconds = Annotated[float, Parameter(validator=_seconds)]
"""A length of time."""
Loopback = Annotated[str, Parameter(validator=_loopback)]
"""An address that only this machine reaches."""
