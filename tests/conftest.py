"""What every test stands on: no network but this machine, a Prefect home and a media library of its own, no real key."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

from .network import Network
from .services import postgres, redis
from .shared_server import Server

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""Which of pytest-xdist's workers this process is; empty in the process that was started by hand."""
if not _WORKER:
    os.environ["PREFECT_TOGETHER_TESTS_RUN"] = tempfile.mkdtemp(prefix="prefect-together-tests-")
    os.environ["PREFECT_TOGETHER_TESTS_PID"] = str(os.getpid())
_RUN = Path(os.environ["PREFECT_TOGETHER_TESTS_RUN"])
"""The folder of this run of the tests, which all its processes share."""
# Prefect reads its settings when it is imported, so they are set before anything here imports it.
_HOME = _RUN / (_WORKER or "main")
# httpx and Prefect read all certificates anew for each client, also for one that speaks plain HTTP: a fifth of what tests took.
_AUTHORITY = _RUN / "authority.pem"
_all_authorities = certifi.where
if not _WORKER:
    first, end, _ = Path(_all_authorities()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    _AUTHORITY.write_text(first + end, encoding="utf-8")
certifi.where = lambda: str(_AUTHORITY)
os.environ.update(
    {
        "PREFECT_HOME": str(_HOME),
        "PREFECT_PROFILES_PATH": str(_HOME / "profiles.toml"),
        "PREFECT_API_SSL_CERT_FILE": str(_AUTHORITY),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_PROMPT": "false",
        # A flow in a test that did not ask for `prefect_server` fails at once instead of starting a server of its own.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "DO_NOT_TRACK": "1",
        # Prefect warns when a task outside of flows logs; here such tasks are meant.
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
)
# Modules are compiled once, and not again in each of the many processes that tests start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What the processes that tests start read: this project, and what is said in `steady`.
_PATH = [str(Path(__file__).with_name("steady")), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _PATH))
_PROXIES = tuple(f"{scheme}_proxy" for scheme in ("http", "https", "all"))
# Taken away from all tests, and given back to those marked `live`. Loopback through a proxy is no loopback, and has no certificates.
_KEPT_BACK = {
    name: value
    for name in (
        "TOGETHER_API_KEY",
        "TOGETHER_BASE_URL",
        "PREFECT_API_URL",
        "PREFECT_API_KEY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        *_PROXIES,
        *map(str.upper, _PROXIES),
    )
    if (value := os.environ.pop(name, None)) is not None
}

if importlib.util.find_spec("prefect_together.testing"):
    pytest_plugins = ["prefect_together.testing"]


_network = Network()
_network.guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--live` and `--screenshots`."""
    parser.addoption("--live", action="store_true", help="run the tests that send to the real Together and cost money")
    parser.addoption("--screenshots", action="store_true", help="keep pictures of what the browser showed in screenshots/")


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker also where pyproject.toml is not read."""
    config.addinivalue_line(
        "markers", "live: sends to the real Together and costs money; only with --live and TOGETHER_API_KEY"
    )


_MADE_ONCE = (
    "tests/kills/test_machines.py",
    "tests/packaging/test_wheel.py",
    "tests/promises/test_databases.py",
    "tests/promises/test_spans.py",
    "tests/ui/test_deployments.py",
    "tests/ui/test_gallery_accessibility.py",
    "tests/ui/test_large_gallery.py",
    "tests/ui/test_review.py",
    "tests/ui/test_schedules.py",
    "tests/ui/test_site.py",
    "tests/ui/",
)
"""Where tests share what takes long to make; those of the UI are several parts, as all others had ended before one part did."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several workers share the tests, those that share what takes long to make stay together; the others go anywhere."""
    # Not by `--dist loadgroup`: pytest 9.2 knows nothing of the groups of pytest-xdist 3.8.
    from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

    class Scopes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in _MADE_ONCE if nodeid.startswith(place)), nodeid)

    return Scopes(config, log)


_server = Server(_RUN)
if not _WORKER:
    _server.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what costs money unless it was asked for and a key is there; begin with what needs no Prefect server."""
    items.sort(key=_needs_the_server)
    for item in filter(_is_slow, items):
        item.add_marker("slow")
    if config.getoption("--live") and _KEPT_BACK.get("TOGETHER_API_KEY"):
        return
    skip = pytest.mark.skip(reason="costs money: needs --live and TOGETHER_API_KEY")
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(skip)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the Prefect server start beside the first tests, if any of those that were selected needs it."""
    if not session.config.option.collectonly and any(map(_needs_the_server, session.items)):
        _server.want()


def _needs_the_server(item: pytest.Item) -> bool:
    return "prefect_server" in getattr(item, "fixturenames", ())


def _is_slow(item: pytest.Item) -> bool:
    """Tell whether a test needs a Prefect server, an S3, or processes to kill."""
    on_s3 = "s3_endpoint" in getattr(item, "fixturenames", ()) or "[s3" in item.nodeid
    return on_s3 or _needs_the_server(item) or item.nodeid.startswith("tests/kills/")


def pytest_unconfigure() -> None:
    """Stop the Prefect server of this run, and remove its folder."""
    if not _WORKER:
        _server.end()
        shutil.rmtree(_RUN, ignore_errors=True)


@pytest.fixture(autouse=True)
def _live_tests_reach_out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give live tests the key and the network, and no others."""
    if not request.node.get_closest_marker("live"):
        yield
        return
    for name, value in _KEPT_BACK.items():
        if not name.startswith("PREFECT_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(certifi, "where", _all_authorities)
    _network.open = True
    try:
        yield
    finally:
        _network.open = False


@pytest.fixture(autouse=True)
def _own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a media library of its own, so that no test ever reuses what another one made."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Run an S3 on this machine and yield its URL.

    moto looks whether an object is there and writes it in two steps, between which another thread may write; S3 does both in
    one, on which every conditional write here rests.
    """
    moto: Any = pytest.importorskip("moto.server", reason="needs moto[s3,server]")
    responses: Any = importlib.import_module("moto.s3.responses")
    put_object, turn = responses.S3Response.put_object, threading.Lock()

    def in_one_step(self: Any) -> Any:
        with turn:
            return put_object(self)

    responses.S3Response.put_object = in_one_step
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    responses.S3Response.put_object = put_object


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Run PostgreSQL and yield the URL of a database; skip where it is not installed."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def redis_port() -> Iterator[int]:
    """Run Redis and yield its port; skip where it is not installed."""
    with redis() as port:
        yield port


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Yield the URL of the API of a Prefect server, which all tests of a run share, those of other workers too."""
    from prefect.context import (
        _temporary_global_settings_context,  # pyright: ignore[reportPrivateUsage]
        get_settings_context,
    )
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    url = _server.url()
    # As Prefect's own `prefect_test_harness` does it, which starts a server for every worker.
    with (
        # A flow that is not async waits at its end for the thread of its heartbeats, which sleeps for a second at a time.
        temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        _temporary_global_settings_context(get_settings_context()),
    ):
        yield url
        _send_the_rest()


def _send_the_rest() -> None:
    """Send what Prefect's threads still have for the server, while it is there."""
    import inspect

    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def drain() -> None:
        with contextlib.suppress(RuntimeError):  # there may have been nothing to log
            if inspect.isawaitable(drained := APILogWorker.instance().drain()):
                await drained
        if inspect.isawaitable(drained := EventsWorker.drain_all()):
            await drained

    run_coro_as_sync(drain())
