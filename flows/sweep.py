"""Every minute: open jobs are asked for, suspended runs go on, and runs that died are started again. Pays nothing.

python flows/sweep.py                looks once; the key is in TOGETHER_API_KEY
python flows/sweep.py --sandbox      the same for jobs of the sandbox
python flows/serve.py                stays, and looks every minute (`prefect server start` beside it)
"""

from __future__ import annotations

from prefect import flow

from prefect_together import Sweep, run_as_command, sweep


@flow(name="sweep", flow_run_name="sweep")
def sweep_runs(restarts: int = 3, tag: str = "together", pending: float = 600) -> Sweep:
    """Keep what jobs have made, resume the runs that waited for them, and start crashed runs again, each once.

    Args:
        restarts: How often a run is started again, its restarts included; 0 starts none.
        tag: Of the runs that are looked after; those of a deployment have its tags.
        pending: Seconds after which a run that is still Pending counts as dead: its worker died before it began.
    """
    return sweep(restarts=restarts, tag=tag, pending=pending)


if __name__ == "__main__":
    raise SystemExit(run_as_command(sweep_runs, Sweep.text))
