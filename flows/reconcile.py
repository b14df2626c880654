"""What was paid for and never kept is fetched, and what nobody knows the outcome of is listed. Pays nothing; run it nightly.

python flows/reconcile.py            by the library and the key of the environment
python flows/reconcile.py --wait 600 waits ten minutes for each job that still renders
"""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from prefect_together import Reconciliation, reconcile, run_as_command, write_gallery


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile_library(wait: float = 0.0) -> Reconciliation:
    """Fetch what was paid for and never kept, list what needs a decision, and write the gallery page anew.

    Args:
        wait: Seconds to wait for each job that still renders; 0 asks each once.
    """
    report = reconcile(wait=wait)
    create_markdown_artifact(f"```\n{report.text()}\n```", key="reconciliation", description="Ledger and library")
    write_gallery()
    return report


if __name__ == "__main__":
    raise SystemExit(run_as_command(reconcile_library, Reconciliation.text))
