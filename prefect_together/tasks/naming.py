"""What flow runs are called. Talks to no server."""

from __future__ import annotations

from collections.abc import Callable

from prefect.runtime import flow_run

from prefect_together._internal.text import clipped

_LENGTH = 60


def named_after(parameter: str, *, length: int = _LENGTH) -> Callable[[], str]:
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
        length: Characters that the name may have.
    """

    def name() -> str:
        return clipped(str(flow_run.parameters.get(parameter, "")), length) or str(flow_run.flow_name)

    return name
