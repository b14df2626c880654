"""The command line: thin. A command imports what it needs when it runs, so that those without Prefect start at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from prefect_together.cli.application import INTERRUPTED, application, ask_for_tracebacks, refuse, understood, words_of
from prefect_together.cli.catalog_command import catalog
from prefect_together.cli.library_commands import bill, ledger, pack, replay, spending, trace, verify
from prefect_together.cli.reconcile_command import reconcile
from prefect_together.cli.serving_commands import gallery, sandbox, serve
from prefect_together.cli.wording import on_the_command_line
from prefect_together.errors import TRACEBACKS, TogetherError

NAME = "prefect-together"
_EXITS = (
    "0 it is done; 1 it failed, or verify found something wrong; 2 the command line is wrong, or a port is "
    "taken; 130 Ctrl-C."
)
_GROUPS = {
    "Money": (ledger, spending, bill, catalog),
    "Files": (gallery, serve, trace, replay, verify),
    "Looking after it": (reconcile, pack),
    "Trying it": (sandbox,),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for an error of ours, 2 for a wrong command line, 130 after Ctrl-C."""
    words = words_of(arguments)
    if not words:
        refuse(NAME, "a command is missing")
    try:
        code: Any = understood(NAME, lambda: _app().meta(words))
    except (TogetherError, ValueError) as error:
        # Of other values than ours, only wrong settings are told to people, by pydantic: the rest are bugs.
        if os.environ.get(TRACEBACKS) or not (isinstance(error, TogetherError) or type(error).__name__ == "ValidationError"):
            raise
        print(f"{NAME}: {on_the_command_line(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print(f"{NAME}: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _app() -> App:
    app = application(NAME, "Together AI under Prefect: paid once, kept, and shown.", exits=_EXITS)
    for number, (title, commands) in enumerate(_GROUPS.items()):
        group = Group(title, sort_key=number)
        for command in commands:
            app.command(command, group=group)
    app.register_install_completion_command()  # pyright: ignore[reportUnknownMemberType]

    @app.meta.default
    def run(  # pyright: ignore[reportUnusedFunction]
        *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)], traceback: bool = False
    ) -> Any:
        """Run a command.

        Args:
            words: Of the command.
            traceback: Show Python's whole traceback of an error, as TOGETHER_TRACEBACKS=1 does.
        """
        ask_for_tracebacks(asked=traceback)
        return app(words)

    return app
