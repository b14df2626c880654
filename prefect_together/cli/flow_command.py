"""Runs a flow as a command: its parameters are the options, on the real Together or on a sandbox that is asked for."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import httpx
from prefect import Flow
from prefect.settings import get_current_settings

from prefect_together import sandbox
from prefect_together._internal.event_loop import interrupt, run, shutdown
from prefect_together._internal.interruption import IN_GENERAL, last_words
from prefect_together._internal.prefect_compat import filter_console
from prefect_together._internal.tracebacks import RUN_LOGS, SaidOnce
from prefect_together.batch.plan import Plan
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import MediaLibrary
from prefect_together.cli.application import INTERRUPTED
from prefect_together.cli.flow_options import read_options
from prefect_together.cli.temporary_server import temporary_server
from prefect_together.cli.wording import on_the_command_line
from prefect_together.errors import ConfigurationError, TogetherError
from prefect_together.ledger.ledger import ROOT as LEDGER
from prefect_together.ui.addresses import of_flow_run
from prefect_together.ui.gallery_page import write_page

_GONE = "the Prefect server is gone. What was paid for is kept; run it again, and it goes on from there"


def run_as_command(
    flow: Flow[Any, Any], report: Callable[[Any], str], arguments: Sequence[str] | None = None, *, needs_key: bool = False
) -> int:
    """Run a flow with options named and described as in its form in the Prefect UI; print what came out.

    What goes wrong is one sentence; ``--traceback`` shows how it came about.

    Args:
        flow: What to run.
        report: Turns the flow's result into the text that is printed at the end; a plan has its own.
        arguments: The command line, by default that of the process.
        needs_key: Whether it pays by the key of the environment and by no other: without one it does not start, nor does a
            server, unless it is planned or run on the sandbox.

    Returns:
        The exit code: 0, 1 where the flow failed, or 130 after a Ctrl-C; a wrong command line ends the process with 2.
    """
    given = read_options(flow, arguments)
    parameters = given.parameters
    if parameters.get("plan"):
        flow = _planning(flow)
    elif needs_key and not given.sandbox and (missing := _missing_key()):
        print(f"{flow.name} did not start: {missing}", file=sys.stderr)
        return 1
    RUN_LOGS.lines = given.traceback
    if not given.traceback:
        filter_console(SaidOnce(RUN_LOGS))
    with ExitStack() as stack:
        try:
            state = _run(flow, parameters, stack, sandboxed=given.sandbox)
        except KeyboardInterrupt:
            print(f"\n{last_words() or IN_GENERAL}", file=sys.stderr)
            interrupt()
            return INTERRUPTED
        result = state.result(raise_on_failure=False)
    flow_run = str(state.state_details.flow_run_id)
    if isinstance(result, BaseException):
        print(f"\n{_ui(flow_run)}\n{flow.name} failed: {on_the_command_line(str(result))}", file=sys.stderr)
        if not isinstance(result, TogetherError):
            raise result  # nobody's words: its origin is what there is to know
        return 1
    print(f"\n{result.text()}" if isinstance(result, Plan) else f"\n{report(result)}\n{_ui(flow_run)}")
    if given.sandbox:
        print("All of this was on a sandbox: no money was spent.")
    return 0


def _missing_key() -> str | None:
    """Return what is wrong with the key of the environment, which is known before a server is waited for."""
    try:
        TogetherCredentials().check()
    except ConfigurationError as error:
        return on_the_command_line(str(error))
    return None


def _planning(flow: Flow[Any, Any]) -> Flow[Any, Any]:
    """Return a flow whose runs are called plans of what its own would be."""
    name = flow.flow_run_name
    if callable(name):
        return flow.with_options(flow_run_name=lambda: f"plan: {name()}")
    return flow.with_options(flow_run_name=f"plan: {name or flow.name}")


def _run(flow: Flow[Any, Any], parameters: dict[str, Any], stack: ExitStack, *, sandboxed: bool) -> Any:
    """Return the state in which the flow ended; leave the process where Prefect's server does not answer."""
    if sandboxed:
        # Its jobs survive it: a demonstration that is killed can be started again, as with the real Together.
        together = stack.enter_context(sandbox.serve(state=get_current_settings().home / "together" / "sandbox"))
        os.environ |= {"TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key}
    try:
        stack.enter_context(temporary_server())
        return flow(**parameters, return_state=True)
    except ConfigurationError as error:
        stack.close()
        _leave(f"\n{flow.name} failed: {on_the_command_line(str(error))}")
    except Exception as error:  # the flow's own are in its state; these are Prefect's
        if not _is_network(error):
            raise
        stack.close()
        _leave(f"\n{flow.name} ended: {_GONE} ({type(error).__name__}: {error}).{_gallery()}")


def _gallery() -> str:
    """Write the page of what is kept, to which the flow did not come; return where it is, in words."""
    try:
        storage = MediaLibrary().storage()
        if run(storage.holds(LEDGER)):
            return f" What is kept so far: {run(write_page(storage))}"
    except Exception as error:  # it is an extra: the sentence before it has to be said
        logging.getLogger("prefect.together").warning("No gallery page: %s", error)
    return ""


def _leave(words: str) -> NoReturn:
    """End this process, with its own affairs in order: Prefect 3.8 would try each queued event for seven seconds first."""
    print(words, file=sys.stderr)
    shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _is_network(error: BaseException | None) -> bool:
    """Tell whether an error began with a connection: Prefect's client wraps that of its HTTP library."""
    if error is None:
        return False
    return isinstance(error, (httpx.TransportError, ConnectionError)) or _is_network(error.__cause__ or error.__context__)


def _ui(run: str) -> str:
    if address := of_flow_run(run):
        return f"Watch it: {address}"
    prefect = "prefect" if shutil.which("prefect") else Path(sys.executable).with_name("prefect")
    return f"Watch it: start the UI with `{prefect} server start`, then open http://127.0.0.1:4200/runs/flow-run/{run}"
