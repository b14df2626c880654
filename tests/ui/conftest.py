"""A Prefect server with its UIs, flows as commands, and a real browser; skipped where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.forking import Process
from tests.ports import free_port
from tests.shared_server import MIGRATED, database, server_of_people
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).parents[2]
_SHOTS = ROOT / "screenshots"
"""Where pictures of what was seen go; git ignores it."""
_shoots = False

# A scroll is where it ends at once: on a busy machine an animation may get no frame to run in.
QUIET = [
    "--disable-smooth-scrolling",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield a browser for one module: while it is there, playwright's own event loop runs in this thread."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium here")
    sandbox = [] if os.name != "posix" or os.geteuid() else ["--no-sandbox"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Yield a fresh page in a window of its own."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1100})
    context.set_default_timeout(60_000)  # nobody waits so long but where others take the processor
    yield context.new_page()
    context.close()


def _answer(request: urllib.request.Request) -> tuple[bytes] | None:
    """Return what a server answers, or None where it is busy."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return (answer.read(),)
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return None


class Prefect:
    """A Prefect server with its UIs, and the commands that use it."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home
        self.environment: dict[str, str] = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_UI_API_URL": f"{url}/api",
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(home / "library"),
            "PREFECT_LOGGING_LEVEL": "INFO",
        }

    def but(self, **environment: str) -> Prefect:
        """Return the same server for commands in another environment."""
        other = Prefect(self.url, self.home)
        other.environment = {**self.environment, **environment}
        return other

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the API; with a body, by POST. While its SQLite is locked it says 503, which Prefect's clients wait out too."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/{path}", data, headers, method=method)
        (answer,) = until(f"{path} is not busy", lambda: _answer(request), every=1)
        return json.loads(answer or b"null")

    def pause(self, deployments: Iterable[str]) -> None:
        """End the schedules of deployments, by their ids: each run is a process, and they pile up while others are at work."""
        for deployment in deployments:
            self.ask(f"deployments/{deployment}/pause_deployment", {})

    def start(self, *command: str) -> Process:
        """Start a Python command against this server."""
        return Process(command, cwd=ROOT, env=self.environment)

    def run(self, *command: str) -> str:
        """Run a Python command to its end and return what it said."""
        with self.start(*command) as process:
            try:
                said, _ = process.communicate(timeout=300)
            finally:
                process.kill()
        assert 0 == process.returncode, said
        return said

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Return flow runs, the latest first."""
        return self.ask("flow_runs/filter", {"sort": "START_TIME_DESC", **filters})

    def latest(self, flow: str) -> dict[str, Any]:
        """Return the latest run of a flow."""
        return self.runs(limit=1, flows={"name": {"any_": [flow]}})[0]


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Run a Prefect server as people do, and yield it."""
    port = free_port()
    server = Prefect(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("prefect"))
    environment = {name: value for name, value in server.environment.items() if name != "PREFECT_API_URL"} | MIGRATED
    database(server.home / "prefect.db")
    with server_of_people(port, environment, server.home / "server.log"):
        yield server


def end(process: Process) -> None:
    """Ask a process to end, and see to it."""
    wait: Callable[[float], object] = process.wait if process.stdout is None else process.communicate
    process.terminate()
    try:
        wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(params=["v2", "v1"])
def ui(request: pytest.FixtureRequest) -> str:
    """Name each of the two UIs that Prefect ships."""
    return request.param


def see(page: Page, prefect: Prefect, ui: str, path: str) -> None:
    """Open a page of one of the UIs."""
    page.goto(f"{prefect.url}{'/v2' if ui == 'v2' else ''}/{path}")
    page.wait_for_load_state("networkidle")


def send(page: Page, button: Locator, to: str) -> None:
    """Press a button that sends something, and once more where the server says that it is busy, see `Prefect.ask`."""
    for _ in range(10):
        with page.expect_response(lambda answer: answer.url.endswith(to)) as answered:
            button.click()
        if answered.value.status != 503:
            return
        page.wait_for_timeout(1000)
    raise TimeoutError(f"{to} is busy all the time")


def pytest_configure(config: pytest.Config) -> None:
    """Take pictures where a person wants to look at them: each is seconds of drawing without a graphics card."""
    global _shoots
    _shoots = config.getoption("--screenshots")


def shoot(page: Page, name: str, *, whole: bool = True) -> None:
    """Keep a picture of the whole page, or of what is in sight, if pictures are asked for."""
    if _shoots:
        page.screenshot(path=_SHOTS / f"{name}.png", full_page=whole)


def overheard(page: Page) -> tuple[list[str], list[str]]:
    """Return lists of what a page complains of, and of the addresses that it asks for, which grow from now on."""
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return complaints, asked


def says(page: Page, *words: str) -> None:
    """Wait until a page says something, wherever in it."""
    for one in words:
        until(f"the page says {one!r}", lambda one=one: one in page.inner_text("body"), every=0.05)


def holds(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression is true. A page may forbid evaluation from within, which playwright's own does."""
    until(condition, lambda: page.evaluate(condition), every=0.05)
