"""The commands that serve something on this machine, or write what a browser shows: sandbox, serve, gallery."""

from __future__ import annotations

import errno
import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import Port

from prefect_together.cli.application import WRONG
from prefect_together.cli.libraries import Library, opened
from prefect_together.cli.output import say
from prefect_together.cli.progress import progress
from prefect_together.cli.readers import Loopback, Seconds
from prefect_together.errors import TRACEBACKS


def sandbox(
    *,
    host: Loopback = "127.0.0.1",
    port: Port = 8484,
    render_seconds: Seconds = 2.0,
    batch_seconds: Seconds = 2.0,
    state: Path | None = None,
    dedicated: Annotated[list[str] | None, Parameter(consume_multiple=False)] = None,
) -> int | None:
    """Run a local Together: real HTTP, real pictures and clips, every charge counted, nothing paid.

    Args:
        host: A loopback address.
        port: 0 for any free one.
        render_seconds: How many seconds a clip takes.
        batch_seconds: How many seconds a batch takes.
        state: A folder where its jobs, charges and files survive it.
        dedicated: A model that is served as on an endpoint of one's own, for completions, embeddings and ranking; may be
            given often.
    """
    from prefect_together import sandbox as together

    try:
        together.run(
            host, port, render_seconds=render_seconds, batch_seconds=batch_seconds, state=state, dedicated=dedicated or []
        )
    except OSError as error:  # a port that somebody has, a folder that cannot be written
        return _not_served("sandbox", error)
    return None


def serve(*, library: Library = None, host: Loopback = "127.0.0.1", port: Port = 8585) -> int | None:
    """Serve a library's gallery, pictures and clips to browsers on this machine, and nothing else of it.

    Args:
        host: A loopback address.
        port: 0 for any free one.
    """
    from prefect_together.cli.media_server import serve as served

    def ready(address: str) -> None:
        print(f"{address}/gallery.html", f"export PREFECT_INTEGRATIONS_TOGETHER_MEDIA_URL={address}", sep="\n", flush=True)

    storage = opened(library)
    try:
        served(storage, host, port, ready)
    except OSError as error:
        return _not_served("serve", error)
    return None


def gallery(
    *, library: Library = None, title: str | None = None, show: Annotated[bool, Parameter(name="--open")] = False
) -> None:
    """Write gallery.html into a media library: pictures, clips, prompts and costs, for a browser without any server.

    Args:
        title: What the library is called from now on; left out, as it is called.
        show: Open it in the browser.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.ui.gallery_page import write_page

    storage = opened(library)
    with progress("Writing the gallery") as shown:
        address = run(write_page(storage, title=title, progress=partial(shown, "Writing the gallery")))
    say(address)
    if show:
        import webbrowser

        # No browser reads s3://, and where there is none `webbrowser` says so by what it returns.
        if not (address.startswith("file:") and webbrowser.open(address)):
            print("prefect-together: no browser opened the page; it is at the address above.", file=sys.stderr)


def _not_served(command: str, error: OSError) -> int:
    if os.environ.get(TRACEBACKS):
        raise error
    taken = error.errno == errno.EADDRINUSE
    what = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    advice = " Is it running already? Else choose another --port; 0 is any free one." if taken else ""
    print(f"prefect-together {command}: {what}.{advice}", file=sys.stderr)
    return WRONG
