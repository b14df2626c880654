"""Where release 0.1 had the report of ``reconcile``, under which name Prefect has stored it."""

from prefect_together.engine.reconciliation import Reconciliation

__all__ = ["Reconciliation"]
