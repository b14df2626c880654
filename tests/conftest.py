"""What every test stands on: no network but this machine, a Prefect home and a media library of its own, no real key."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Prefect reads its settings when it is imported, so they are set before anything here imports it.
_HOME = Path(tempfile.mkdtemp(prefix="prefect-together-tests-"))
os.environ.update(
    {
        "PREFECT_HOME": str(_HOME),
        "PREFECT_PROFILES_PATH": str(_HOME / "profiles.toml"),
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
# What the processes that tests start read: this project, and what is said in `steady`.
_PATH = [str(Path(__file__).with_name("steady")), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _PATH))
_PROXIES = tuple(f"{scheme}_proxy" for scheme in ("http", "https", "all"))
# Taken away from all tests, and given back to those marked `live`. Loopback through a proxy is no loopback.
_KEPT_BACK = {
    name: value
    for name in (
        "TOGETHER_API_KEY",
        "TOGETHER_BASE_URL",
        "PREFECT_API_URL",
        "PREFECT_API_KEY",
        *_PROXIES,
        *map(str.upper, _PROXIES),
    )
    if (value := os.environ.pop(name, None)) is not None
}

if importlib.util.find_spec("prefect_together.testing"):
    pytest_plugins = ["prefect_together.testing"]


class _Network:
    """Lets Python sockets talk to this machine only, and everywhere while a live test runs.

    Rust code (obstore) opens its own sockets and is not seen here; its tests name loopback endpoints.
    """

    def __init__(self) -> None:
        self.open = False
        self._real: dict[str, Callable[..., Any]] = {}

    def guard(self) -> None:
        """Put the guard in front of connections and of name lookups."""
        for name in ("connect", "connect_ex"):
            self._real[name] = getattr(socket.socket, name)
            setattr(socket.socket, name, self._guarded_connect(self._real[name]))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            self._real[name] = getattr(socket, name)
            setattr(socket, name, self._guarded_lookup(self._real[name]))

    def _guarded_connect(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(sock: socket.socket, address: Any) -> Any:
            inet = sock.family in {socket.AF_INET, socket.AF_INET6}
            if inet and not self.open and not _is_here(address[0]):
                raise RuntimeError(f"a test tried to connect to {address!r}, and tests may only talk to this machine")
            return real(sock, address)

        return connect

    def _guarded_lookup(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def lookup(host: Any, *args: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if not self.open and not (name is None or _is_address(name) or _is_here(name)):
                raise RuntimeError(f"a test tried to look up {name!r}, and tests may only talk to this machine")
            return real(host, *args, **options)

        return lookup


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name in {"", "localhost", platform.node().lower()} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%", 1)[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


_network = _Network()
_network.guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--live`."""
    parser.addoption("--live", action="store_true", help="run the tests that send to the real Together and cost money")


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker also where pyproject.toml is not read."""
    config.addinivalue_line(
        "markers", "live: sends to the real Together and costs money; only with --live and TOGETHER_API_KEY"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several workers share the tests, browsers stay on one of them, which begins with them: they are slow together."""
    from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

    class Browsers(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "ui" if nodeid.startswith("tests/ui/") else nodeid

    return Browsers(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what costs money unless it was asked for and a key is there."""
    if config.getoption("--live") and _KEPT_BACK.get("TOGETHER_API_KEY"):
        return
    skip = pytest.mark.skip(reason="costs money: needs --live and TOGETHER_API_KEY")
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(skip)


def pytest_unconfigure() -> None:
    """Remove the Prefect home of this session."""
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _live_tests_reach_out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give live tests the key and the network, and no others."""
    if not request.node.get_closest_marker("live"):
        yield
        return
    for name, value in _KEPT_BACK.items():
        if not name.startswith("PREFECT_"):
            monkeypatch.setenv(name, value)
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
def prefect_server() -> Iterator[str]:
    """Run a Prefect server for the tests that ask for one, once per session, and yield the URL of its API."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield str(PREFECT_API_URL.value())
