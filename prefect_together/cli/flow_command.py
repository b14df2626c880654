"""Runs a flow as a command: its parameters are the options, on the real Together or on a sandbox that is asked for."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.settings import get_current_settings

from prefect_together import sandbox
from prefect_together._internal import event_loop as runtime
from prefect_together.batch.plan import Plan
from prefect_together.cli.temporary_server import temporary_server
from prefect_together.errors import ConfigurationError, TogetherError

_NONE = "none"
_SAID = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_GONE = "the Prefect server is gone. What was paid for is kept; run it again, and it goes on from there"


def run_as_command(flow: Flow[Any, Any], report: Callable[[Any], str], arguments: Sequence[str] | None = None) -> int:
    """Run a flow with options named and described as in its form in the Prefect UI; print what came out.

    Args:
        flow: What to run.
        report: Turns the flow's result into the text that is printed at the end; a plan has its own.
        arguments: The command line, by default that of the process.

    Returns:
        The exit code: 0, or 1 where the flow failed.
    """
    parser, names = _parser(flow)
    given = parser.parse_args(arguments)
    parameters = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    parameters = {name: None if value == _NONE else value for name, value in parameters.items()}
    with ExitStack() as stack:
        if given.sandbox:
            # Its jobs survive it: a demonstration that is killed can be started again, as with the real Together.
            together = stack.enter_context(sandbox.serve(state=get_current_settings().home / "together" / "sandbox"))
            os.environ |= {"TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key}
        try:
            stack.enter_context(temporary_server())
        except ConfigurationError as error:
            stack.close()
            _leave(f"\n{flow.name} failed: {error}")
        try:
            state: Any = flow(**parameters, return_state=True)
        except Exception as error:  # the flow's own are in its state; these are Prefect's
            if not _is_network(error):
                raise
            stack.close()
            _leave(f"\n{flow.name} ended: {_GONE} ({type(error).__name__}: {error})")
        result = state.result(raise_on_failure=False)
    run = str(state.state_details.flow_run_id)
    if isinstance(result, BaseException):
        print(f"\n{flow.name} failed: {result}\n{_ui(run)}", file=sys.stderr)
        if not isinstance(result, (TogetherError, ParameterTypeError)):
            raise result  # nobody's words: its origin is what there is to know
        return 1
    print(f"\n{result.text() if isinstance(result, Plan) else report(result)}\n{_ui(run)}")
    return 0


def _leave(words: str) -> NoReturn:
    """End this process, with its own affairs in order: Prefect 3.8 would try each queued event for seven seconds first."""
    print(words, file=sys.stderr)
    runtime.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _is_network(error: BaseException | None) -> bool:
    """Tell whether an error began with a connection: Prefect's client wraps the operating system's error twice."""
    return error is not None and (isinstance(error, OSError) or _is_network(error.__cause__ or error.__context__))


def _parser(flow: Flow[Any, Any]) -> tuple[argparse.ArgumentParser, list[str]]:
    parser = argparse.ArgumentParser(description=(flow.description or "").partition("\n\n")[0])
    parser.add_argument("--sandbox", action="store_true", help="use a local Together: real files, nothing is paid")
    for name, schema in flow.parameters.properties.items():
        kinds = [schema.get("type"), *(option.get("type") for option in schema.get("anyOf", []))]
        kinds += ["object"] if "$ref" in schema or "allOf" in schema else []
        about = (schema.get("description") or "").replace("%", "%%")
        default = schema.get("default")
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_reader(kinds),
            nargs="?" if "boolean" in kinds else None,
            const=True if "boolean" in kinds else None,
            required=name in (flow.parameters.required or []),
            metavar=next((str(kind).upper() for kind in kinds if kind), "VALUE"),
            help=f"{about} (default: {_NONE if default is None else default})",
        )
    return parser, list(flow.parameters.properties)


def _reader(kinds: Sequence[str | None]) -> Callable[[str], Any]:
    number: Callable[[str], Any] = int if "integer" in kinds else float if "number" in kinds else str

    def value(text: str) -> Any:
        if "array" in kinds or "object" in kinds:
            return _document(text)
        if "null" in kinds and text.lower() == _NONE:
            return _NONE
        if "boolean" not in kinds:
            return number(text)
        if text.lower() not in _SAID:
            raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
        return _SAID[text.lower()]

    value.__name__ = "number" if number is not str else "value"
    return value


def _document(text: str) -> Any:
    """Read a list or an object: from a YAML or JSON file, or as it stands on the command line."""
    import yaml  # comes with Prefect; few flows need it

    path = Path(text)
    named = path.suffix.lower() in {".yaml", ".yml", ".json"}
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8") if named else text)
    except (OSError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be read: {error}") from None


def _ui(run: str) -> str:
    settings = get_current_settings()
    if settings.api.url:
        return f"Watch it: {settings.ui_url or settings.api.url.removesuffix('/api')}/runs/flow-run/{run}"
    prefect = "prefect" if shutil.which("prefect") else Path(sys.executable).with_name("prefect")
    return f"Watch it: start the UI with `{prefect} server start`, then open http://127.0.0.1:4200/runs/flow-run/{run}"
