"""A local Together over real HTTP, for tests, demonstrations and life offline; never reaches another machine.

    from prefect_together import sandbox

    with sandbox.serve(render_seconds=0.5) as together:
        ...  # TOGETHER_BASE_URL=together.url, TOGETHER_API_KEY=together.api_key
        assert together.count("/v2/videos") == 1  # POSTs received
        assert len(together.charges()) == 1  # POSTs accepted

Real pictures, clips and sound, Together's own refusals, faults on demand (`faults`), and every charge counted. It imports
nothing of ours but the catalogue, so that it judges the client from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_together.sandbox.records import Charge, Job, Request
    from prefect_together.sandbox.server import API_KEY, Sandbox, run, serve

__all__ = ["API_KEY", "Charge", "Job", "Request", "Sandbox", "run", "serve"]

_HOMES = {"Charge": "records", "Job": "records", "Request": "records"}


def __getattr__(name: str) -> Any:
    """Import the server, with Pillow, PyAV, starlette and uvicorn, only when it is used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'server')}"), name)
