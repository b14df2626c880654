"""Money that may be spent: reserved before a request is sent, settled when its cost is known. Sends and pays nothing."""

from __future__ import annotations

from prefect_together.budget.limits import SpendLimit
from prefect_together.budget.purse import Purse

__all__ = ["Purse", "SpendLimit"]
