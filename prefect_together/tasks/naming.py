"""What flow runs are called. Talks to no server."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from prefect.runtime import flow_run

from prefect_together._internal.text import clipped

_LENGTH = 60


def named_after(parameter: str, *, words: str | None = None, file: bool = False, length: int = _LENGTH) -> Callable[[], str]:
    """Return a ``flow_run_name`` for flows: what a parameter of the run says, cut between words where it is long.

    Example:
        ```python
        from prefect import flow
        from prefect_together import named_after

        @flow(flow_run_name=named_after("idea"))
        def picture(idea: str): ...
        ```

    Args:
        parameter: The name of the parameter.
        words: What stands around it, such as ``{film} in {language}``; any parameters may be named.
        file: Whether it is a path or address, of which only the last part is said: no folders, and no query of a URL.
        length: Characters that the name may have.
    """

    def name() -> str:
        given = flow_run.parameters
        value = str(given.get(parameter, ""))
        said = clipped(_last_part(value) if file else value, length)
        if not said:
            return str(flow_run.flow_name)
        return words.format_map({**given, parameter: said}) if words else said

    return name


def _last_part(address: str) -> str:
    path = urlsplit(address).path if "://" in address else address
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
