"""Where release 0.1 had the result of a batch, under which name Prefect has stored it."""

from prefect_together.batch.results import BatchResult

__all__ = ["BatchResult"]
