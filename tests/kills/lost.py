"""Serves a flow that may be killed, and the sweep; a script that knows nothing of tests.

python lost.py <folder> <tag>      serves until it is ended; the flow waits until the file ``go`` is there

Where the file ``unstarted`` is there, a run and its worker are killed before the run begins.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from prefect import flow, serve

from prefect_together import ImageRequest, Sweep, generate_image, sweep

MODEL = "black-forest-labs/FLUX.2-pro"

if __name__ != "__main__" and (Path(os.environ["LOST"]) / "unstarted").exists():
    for process in (os.getppid(), os.getpid()):
        os.kill(process, signal.SIGKILL)


@flow(name="errand")
def errand(folder: str, prompt: str, second: str = "a fox in a wood") -> list[str]:
    """Make a picture, say so, wait until one may go on, and make another one; neither has a seed."""
    first = generate_image(ImageRequest(prompt=prompt, model=MODEL, width=256, height=256))
    with (Path(folder) / "pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (Path(folder) / "go").exists():
        time.sleep(0.1)
    return [first.uri, generate_image(ImageRequest(prompt=second, model=MODEL, width=256, height=256)).uri]


@flow(name="sweep")
def swept() -> Sweep:
    """Look after the others."""
    return sweep()


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    named = sys.argv[2]
    serve(errand.to_deployment(f"errand-{named}", tags=[named]), swept.to_deployment(f"sweep-{named}"))  # type: ignore[arg-type]
