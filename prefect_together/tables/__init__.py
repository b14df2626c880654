"""Tables in and out: rows become requests, outcomes become rows. Sends nothing, and needs no library for CSV and JSON."""

from __future__ import annotations

from prefect_together.tables.rows import RequestTable, Row, requests_from_table

__all__ = ["RequestTable", "Row", "requests_from_table"]
