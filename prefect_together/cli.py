"""The command line: thin, and free of Prefect where a command does not need it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
    commands = parser.add_subparsers(title="commands", required=True)
    _sandbox(commands)
    _gallery(commands)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except (TogetherError, ValueError) as error:
        print(f"prefect-together: {error}", file=sys.stderr)
        return 1
    return 0


def _sandbox(commands: Any) -> None:
    about = "Run a local Together: real HTTP, real pictures and clips, every charge counted, nothing paid."
    parser = commands.add_parser("sandbox", help=about, description=about, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8484, help="0 for any free one (default: %(default)s)")
    parser.add_argument("--render-seconds", type=float, default=2.0, help="how long a clip takes (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="a folder in which its jobs, charges and files survive it")
    parser.set_defaults(run=_run_sandbox)


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

    from prefect_together.page import write_page
    from prefect_together.storage import Storage

    library = given.library
    if library is None:
        from prefect_together.settings import TogetherSettings  # only where it has to be asked: it imports Prefect

        library = TogetherSettings().library_url()
    address = asyncio.run(write_page(Storage(library), title=given.title))
    print(address)
    if given.open:
        import webbrowser

        webbrowser.open(address)


if __name__ == "__main__":
    raise SystemExit(main())
