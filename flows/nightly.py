"""Every night the gallery page of the library is written anew, so that it shows what all runs of the day have made.

python flows/nightly.py
"""

from __future__ import annotations

from prefect import flow

from prefect_together import write_gallery
from prefect_together.command import run_as_command


@flow(name="nightly", flow_run_name="nightly-gallery")
def nightly(title: str = "Gallery") -> str | None:
    """Write the gallery page, and link it from the run.

    Args:
        title: The page's heading.
    """
    return write_gallery(title=title)


if __name__ == "__main__":
    raise SystemExit(run_as_command(nightly, str))
