"""`GET /v1/voices`: who speaks, by model; free.

Voices whose list nobody has published are made up here, and any other is taken too.
"""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox.api import Api, Endpoint, account, success
from prefect_together.sandbox.fault_injection import apply_fault

VOICES = "GET /v1/voices"
MADE_UP = ("Harbour Narrator", "Friendly Keeper", "Calm Captain")


async def list_voices(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/voices`: all, or those of `?model=`."""
    account(request)
    wanted = request.query_params.get("model")
    spoken = [model for model in catalog.models("speech") if model.listed and wanted in (None, "", model.id)]

    async def answer() -> Response:
        return success({"data": [{"model": model.id, "voices": _voices(model)} for model in spoken]})

    return await apply_fault(api.switchboard.take(VOICES, wanted or ""), None, answer)


def _voices(model: catalog.Model) -> list[dict[str, Any]]:
    known = [{"id": voice.id, "name": voice.id} for voice in catalog.voices_of(model.id)]
    return known or [{"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{model.id} {name}")), "name": name} for name in MADE_UP]


ENDPOINTS = (Endpoint(route=VOICES, handle=list_voices),)
