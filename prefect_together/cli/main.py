"""The command line: thin. A command imports what it needs when it runs, so that those without Prefect start at once."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from prefect_together.cli.parser import INTERRUPTED, Parser, moment, month, number, one_of, whole_number
from prefect_together.cli.wording import on_the_command_line
from prefect_together.errors import TRACEBACKS, TogetherError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for an error of ours, 2 for a wrong command line, 130 after Ctrl-C."""
    parser = Parser(prog="prefect-together", description="Together AI under Prefect: paid once, kept, and shown.")
    parser.add_argument("--version", action="version", version=f"prefect-together {version('prefect-together')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _sandbox(commands)
    _gallery(commands)
    _serve(commands)
    _ledger(commands)
    _reconcile(commands)
    _pack(commands)
    _bill(commands)
    _trace(commands)
    _verify(commands)
    _catalog(commands)
    given = parser.parse_args(arguments)
    try:
        return given.run(given) or 0
    except (TogetherError, ValueError) as error:
        # Of other values than ours, only wrong settings are told to people, by pydantic: the rest are bugs.
        if os.environ.get(TRACEBACKS) or not (isinstance(error, TogetherError) or type(error).__name__ == "ValidationError"):
            raise
        print(f"prefect-together: {on_the_command_line(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
    except KeyboardInterrupt:
        print("prefect-together: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _command(commands: Any, name: str, about: str, run: Callable[[argparse.Namespace], int | None]) -> Parser:
    parser: Parser = commands.add_parser(name, help=about, description=about)
    parser.add_traceback()
    parser.set_defaults(run=run)
    return parser


def _sandbox(commands: Any) -> None:
    about = "Run a local Together: real HTTP, real pictures and clips, every charge counted, nothing paid."
    parser = _command(commands, "sandbox", about, _run_sandbox)
    parser.add_argument("--host", default="127.0.0.1", type=_loopback, help="a loopback address (default: %(default)s)")
    port = whole_number(0, 65535)
    parser.add_argument("--port", type=port, default=8484, help="0 for any free one (default: %(default)s)")
    seconds = "how many seconds a clip takes (default: %(default)s)"
    parser.add_argument("--render-seconds", type=number(0), default=2.0, metavar="SECONDS", help=seconds)
    batch = "how many seconds a batch takes (default: %(default)s)"
    parser.add_argument("--batch-seconds", type=number(0), default=2.0, metavar="SECONDS", help=batch)
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="where its jobs, charges and files survive it")
    own = (
        "a model that is served as on an endpoint of one's own, for completions, embeddings and ranking; may be given often"
    )
    parser.add_argument("--dedicated", action="append", default=[], metavar="MODEL", help=own)


def _gallery(commands: Any) -> None:
    about = "Write gallery.html into a media library: pictures, clips, prompts and costs, in one page that needs no server."
    parser = _with_library(commands, "gallery", about, _run_gallery)
    parser.add_argument("--title", help="what the library is called from now on (default: as it is called)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")


def _serve(commands: Any) -> None:
    about = "Serve a library's gallery, pictures and clips to browsers on this machine, and nothing else of it."
    parser = _with_library(commands, "serve", about, _run_serve)
    parser.add_argument("--host", default="127.0.0.1", type=_loopback, help="a loopback address (default: %(default)s)")
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=8585, help="0 for any free one (default: %(default)s)"
    )


def _ledger(commands: Any) -> None:
    about = "Show what was asked, when, by which flow run, what became of it and what it cost."
    parser = _with_library(commands, "ledger", about, _later("show_ledger"))
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    only = "only attempts in this state, such as kept, accepted or unknown"
    parser.add_argument("--state", type=_state, metavar="STATE", help=only)
    parser.add_argument("--limit", type=whole_number(1), metavar="COUNT", help="only the newest so many")
    since = "only what was asked then or later (UTC), such as 2026-11-27 or 2026-11-27T08:00"
    parser.add_argument("--since", type=moment, metavar="TIME", help=since)


def _reconcile(commands: Any) -> None:
    about = "Fetch what was paid for and never kept, and list what nobody knows the outcome of."
    parser = _with_library(commands, "reconcile", about, _later("run_reconcile"))
    parser.add_argument("--wait", type=number(0), default=0.0, metavar="SECONDS", help="wait so long for each running job")
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--forget", metavar="KEY", help="note that an undecided attempt is settled; it may be sent again")
    decision.add_argument("--resubmit", metavar="KEY", help="send an undecided attempt again, which is paid for")


def _pack(commands: Any) -> None:
    about = "Pack what is settled: many small objects of the ledger become few, in which everything is found as before."
    _with_library(commands, "pack", about, _later("run_pack"))


def _bill(commands: Any) -> None:
    about = "Hold Together's bill beside the ledger, by hour or day and model: reported, estimated, billed, difference."
    parser = _with_library(commands, "bill", about, _later("show_bill"))
    parser.add_argument("--month", type=month, help="such as 2026-11 (default: that of yesterday, the last billed day); UTC")
    by = "what a line is of: day or hour (default: %(default)s)"
    parser.add_argument("--granularity", type=one_of(("day", "hour")), default="day", metavar="LENGTH", help=by)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _trace(commands: Any) -> None:
    about = "Say how a file or an answer was made, and from which inputs."
    parser = _with_library(commands, "trace", about, _later("show_trace"))
    parser.add_argument("file", help="a kept file or a copy of one, or a key of the ledger")
    about = "Print the request that made a file or an answer, as Python that builds it again."
    parser = _with_library(commands, "replay", about, _later("show_replay"))
    parser.add_argument("file", help="a kept file or a copy of one, or a key of the ledger")
    parser.add_argument("--json", action="store_true", help="as JSON instead")


def _verify(commands: Any) -> None:
    about = "Look whether all that a library keeps is there and unchanged; exit with 1 where something is not."
    parser = _with_library(commands, "verify", about, _later("run_verify"))
    parser.add_argument("--quick", action="store_true", help="compare sizes only, and read no file")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _catalog(commands: Any) -> None:
    about = "List the models that are known to be offered with their prices, or compare that with Together's own list."
    parser = _command(commands, "catalog", about, _run_catalog)
    parser.add_argument("--kind", help="only models of this kind, such as image or video")
    parser.add_argument("--check", action="store_true", help="ask Together, with a key and for free, and say what differs")


def _run_catalog(given: argparse.Namespace) -> None:
    from prefect_together.cli.catalog_command import show_catalog

    show_catalog(given)


def _with_library(commands: Any, name: str, about: str, run: Callable[[argparse.Namespace], int | None]) -> Parser:
    parser = _command(commands, name, about, run)
    where = "a folder, file://, s3://, gs:// or az:// (default: as the settings say)"
    parser.add_argument("--library", type=_address, metavar="URL", help=where)
    return parser


def _state(text: str) -> str:
    from prefect_together.ledger.ledger import State  # import the object store, which most command lines do without
    from prefect_together.ledger.queries import in_words

    states = {in_words(state): str(state) for state in get_args(State)}
    return states[one_of(list(states))(text)]


def _address(text: str) -> str:
    from prefect_together.storage.addresses import scheme_of

    try:
        scheme_of(text)
    except TogetherError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _loopback(text: str) -> str:
    from prefect_together.sandbox.inputs import is_loopback

    if not is_loopback(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address of this machine alone, and whoever comes is let in")
    return text


def _run_sandbox(given: argparse.Namespace) -> int | None:
    from prefect_together import sandbox

    try:
        sandbox.run(
            given.host,
            given.port,
            render_seconds=given.render_seconds,
            batch_seconds=given.batch_seconds,
            state=given.state,
            dedicated=given.dedicated,
        )
    except OSError as error:  # a port that somebody has, a folder that cannot be written
        return _not_served("sandbox", error)
    return None


def _not_served(command: str, error: OSError) -> int:
    if os.environ.get(TRACEBACKS):
        raise error
    taken = error.errno == errno.EADDRINUSE
    what = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    advice = " Is it running already? Else choose another --port; 0 is any free one." if taken else ""
    print(f"prefect-together {command}: {what}.{advice}", file=sys.stderr)
    return 2


def _run_serve(given: argparse.Namespace) -> int | None:
    from prefect_together.cli.library_commands import opened
    from prefect_together.cli.media_server import serve

    def ready(address: str) -> None:
        print(f"{address}/gallery.html", f"export PREFECT_INTEGRATIONS_TOGETHER_MEDIA_URL={address}", sep="\n", flush=True)

    storage = opened(given)
    try:
        serve(storage, given.host, given.port, ready)
    except OSError as error:
        return _not_served("serve", error)
    return None


def _run_gallery(given: argparse.Namespace) -> None:
    from prefect_together._internal.event_loop import run
    from prefect_together.cli.library_commands import opened
    from prefect_together.ui.gallery_page import write_page

    address = run(write_page(opened(given), title=given.title))
    print(address)
    if given.open:
        import webbrowser

        # No browser reads s3://, and where there is none `webbrowser` says so by what it returns.
        if not (address.startswith("file:") and webbrowser.open(address)):
            print("prefect-together: no browser opened the page; it is at the address above.", file=sys.stderr)


def _later(name: str) -> Callable[[argparse.Namespace], int | None]:
    def run(given: argparse.Namespace) -> int | None:
        from prefect_together.cli import library_commands

        code: int | None = getattr(library_commands, name)(given)
        return code

    return run
