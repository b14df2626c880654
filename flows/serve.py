"""Serves the scheduled flows from one process: no work pool, no worker, no image. Ctrl-C ends it.

python flows/serve.py                  daily at 07:00, reconcile at 03:00, sweep every minute
python flows/serve.py --every 10       the first two every ten seconds, to see them fire
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number
from prefect import get_client, serve

if __package__:  # installed as prefect_together.flows
    from .daily import daily
    from .reconcile import reconcile_library
    from .storyboard import storyboard
    from .sweep import sweep_runs
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from daily import daily
    from reconcile import reconcile_library
    from storyboard import storyboard
    from sweep import sweep_runs

PATIENCE = 90
"""Seconds that a server gets that was started a moment ago."""


def main(*, every: Annotated[int | None, Parameter(validator=Number(gte=1))] = None) -> None:
    """Serve four flows: three on a schedule, and the storyboard for the form in the UI.

    Args:
        every: Run daily and reconcile every so many seconds instead.
    """
    morning: dict[str, Any] = {"interval": every} if every else {"cron": "0 7 * * *"}
    night: dict[str, Any] = {"interval": every} if every else {"cron": "0 3 * * *"}
    deployments: list[Any] = [  # in a process without a loop these are deployments, and no coroutines
        daily.to_deployment("daily-picture", tags=["together", "scheduled"], **morning),
        reconcile_library.to_deployment("nightly-reconcile", tags=["together", "scheduled"], **night),
        sweep_runs.to_deployment("sweep", tags=["scheduled"], interval=60),
        storyboard.to_deployment("storyboard", tags=["together"]),
    ]
    wait_for_server()
    serve(*deployments)


def wait_for_server() -> None:
    """Return when the server answers; `serve` itself gives up at once."""
    with get_client(sync_client=True) as client:
        for waited in range(PATIENCE):
            if client.api_healthcheck() is None:
                return
            if waited == 0:
                print(f"Waiting for the Prefect server at {client.api_url} ...", flush=True)
            time.sleep(1)
        raise SystemExit(f"No Prefect server answers at {client.api_url}. Start one with `make ui`.")


if __name__ == "__main__":
    command = cyclopts.App(name="serve.py", help_flags=("--help", "-h"), version_flags=())
    command.default(main)
    try:
        command(exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        print(f"serve.py: {' '.join(str(error).split())} (see `serve.py --help`)", file=sys.stderr)
        raise SystemExit(2) from None
