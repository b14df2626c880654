"""The example flows, left by Prefect's server half-way: they end in one sentence, and what was paid for is not paid again."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from prefect_together.sandbox import Sandbox
from tests.forking import Process

from .running import command as started
from .running import own_prefect, until

pytestmark = pytest.mark.slow

FLOWS = Path(__file__).parents[2] / "flows"
STORYBOARD = ["storyboard.py", "--review", "false", "--video-model", "sandbox/tiny"]


@pytest.mark.timeout(1200)  # three starts of Prefect, on a machine that may be busy
@pytest.mark.parametrize(
    ("command", "after", "charges"),
    [
        pytest.param(["image_to_video.py"], 1, 2, id="picture"),
        pytest.param(["image_to_video.py"], 2, 2, id="clip"),
        pytest.param(STORYBOARD, 2, 6, id="stills"),
        pytest.param(STORYBOARD, 5, 6, id="clips"),
        pytest.param(["compare_models.py"], 3, 12, id="grid"),
    ],
)
def test_the_server_dies_half_way(
    command: list[str], after: int, charges: int, prefect_server: str, together: Sandbox, library: Path, tmp_path: Path
) -> None:
    """Killed after so many charges: no hang, no traceback, every charge so far has its file, and the next run pays the rest."""
    with (
        own_prefect(tmp_path) as (api, server),
        # One try in place of five, which are Prefect's own minute of patience; the second run may need them.
        _start(command, api, together, library, PREFECT_CLIENT_MAX_RETRIES="1") as flow,
    ):
        until("it has paid", lambda: len(together.charges()) >= after)
        os.killpg(server.pid, signal.SIGKILL)
        said, _ = flow.communicate(timeout=300)
    paid = len(together.charges())
    assert paid == sum(path.suffix in {".jpg", ".png", ".mp4"} for path in library.rglob("*") if "derived" not in str(path))
    assert (flow.returncode, "the Prefect server is gone" in said) in {(1, True), (0, False)}, said
    assert (library / "gallery.html").exists()
    with _start(command, prefect_server, together, library) as second:
        said, _ = second.communicate(timeout=300)
    assert 0 == second.returncode, said
    assert charges == len(together.charges())


def _start(command: list[str], api: str, together: Sandbox, library: Path, **more: str) -> AbstractContextManager[Process]:
    variables = {
        "PREFECT_API_URL": api,
        "TOGETHER_BASE_URL": together.url,
        "TOGETHER_API_KEY": together.api_key,
        "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(library),
        **more,
    }
    return started([str(FLOWS / command[0]), *command[1:]], **variables)
