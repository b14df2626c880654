"""The command line: thin. A command imports what it needs when it runs, so that those without Prefect start at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefect_together.errors import TogetherError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for an error of ours, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="prefect-together", description="Together AI under Prefect: paid once, kept, and shown.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"prefect-together {version('prefect-together')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _sandbox(commands)
    _gallery(commands)
    _ledger(commands)
    _reconcile(commands)
    _trace(commands)
    _catalog(commands)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except (TogetherError, ValueError) as error:
        print(f"prefect-together: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
    return 0


def _sandbox(commands: Any) -> None:
    about = "Run a local Together: real HTTP, real pictures and clips, every charge counted, nothing paid."
    parser = commands.add_parser("sandbox", help=about, description=about, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8484, help="0 for any free one (default: %(default)s)")
    parser.add_argument("--render-seconds", type=float, default=2.0, help="how long a clip takes (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="a folder in which its jobs, charges and files survive it")
    parser.set_defaults(run=_run_sandbox)


def _ledger(commands: Any) -> None:
    about = "Show what was asked, when, by which flow run, what became of it and what it cost."
    parser = _with_library(commands, "ledger", about, _later("show_ledger"))
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--state", help="only attempts in this state, such as stored, accepted or unknown")
    parser.add_argument("--limit", type=int, help="only the newest so many")


def _reconcile(commands: Any) -> None:
    about = "Fetch what was paid for and never kept, and list what nobody knows the outcome of."
    parser = _with_library(commands, "reconcile", about, _later("run_reconcile"))
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait so long for each running job")
    parser.add_argument("--forget", metavar="KEY", help="note that an undecided attempt is settled; it may be sent again")
    parser.add_argument("--resubmit", metavar="KEY", help="send an undecided attempt again, which is paid for")


def _trace(commands: Any) -> None:
    about = "Say how a file or an answer was made, and from which inputs."
    parser = _with_library(commands, "trace", about, _later("show_trace"))
    parser.add_argument("file", help="a kept file or a copy of one, or a key of the ledger")
    about = "Print the request that made a file or an answer, as Python that builds it again."
    parser = _with_library(commands, "replay", about, _later("show_replay"))
    parser.add_argument("file", help="a kept file or a copy of one, or a key of the ledger")
    parser.add_argument("--json", action="store_true", help="as JSON instead")


def _catalog(commands: Any) -> None:
    about = "List the models that are known to be offered with their prices, or compare that with Together's own list."
    parser = commands.add_parser("catalog", help=about, description=about, allow_abbrev=False)
    parser.add_argument("--kind", help="only models of this kind, such as image or video")
    parser.add_argument("--check", action="store_true", help="ask Together, with a key and for free, and say what differs")
    parser.set_defaults(run=_run_catalog)


def _run_catalog(given: argparse.Namespace) -> None:
    from prefect_together.cli.catalog_command import show_catalog

    show_catalog(given)


def _with_library(commands: Any, name: str, about: str, run: Callable[[argparse.Namespace], None]) -> Any:
    parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    where = "a folder, file://, s3://, gs:// or az:// (default: as the settings say)"
    parser.add_argument("--library", metavar="URL", help=where)
    parser.set_defaults(run=run)
    return parser


def _run_sandbox(given: argparse.Namespace) -> None:
    from prefect_together import sandbox

    sandbox.run(given.host, given.port, render_seconds=given.render_seconds, state=given.state)


def _gallery(commands: Any) -> None:
    about = "Write gallery.html into a media library: pictures, clips, prompts and costs, in one page that needs no server."
    parser = commands.add_parser("gallery", help=about, description=about, allow_abbrev=False)
    parser.add_argument("--library", metavar="URL", help="a folder, s3://, gs:// or az:// (default: that of the settings)")
    parser.add_argument("--title", default="Gallery", help="the page's heading (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.set_defaults(run=_run_gallery)


def _run_gallery(given: argparse.Namespace) -> None:
    import asyncio

    from prefect_together.storage.storage import Storage
    from prefect_together.ui.gallery_page import write_page

    library = given.library
    if library is None:
        from prefect_together.blocks.settings import TogetherSettings  # only where it has to be asked: it imports Prefect

        library = TogetherSettings().library_url()
    address = asyncio.run(write_page(Storage(library), title=given.title))
    print(address)
    if given.open:
        import webbrowser

        # No browser reads s3://, and where there is none `webbrowser` says so by what it returns.
        if not (address.startswith("file:") and webbrowser.open(address)):
            print("prefect-together: no browser opened the page; it is at the address above.", file=sys.stderr)


def _later(name: str) -> Callable[[argparse.Namespace], None]:
    def run(given: argparse.Namespace) -> None:
        from prefect_together.cli import library_commands

        getattr(library_commands, name)(given)

    return run
