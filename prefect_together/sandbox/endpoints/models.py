"""`GET /v1/models` and `GET /v3/whoami`: what can be asked for, and who is asking; both are free."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox.api import Api, Endpoint, account, success
from prefect_together.sandbox.fault_injection import apply_fault

MODELS = "GET /v1/models"
WHOAMI = "GET /v3/whoami"


async def list_models(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/models`: a bare array."""
    account(request)
    rows = [
        {
            "id": model.id, "object": "model", "created": 0, "type": model.kind,
            "display_name": model.id.partition("/")[2], "organization": model.provider, "pricing": _pricing(model),
        }
        for model in catalog.models()
        if model.listed
    ]  # fmt: skip

    async def answer() -> Response:
        return success(rows)

    return await apply_fault(api.switchboard.take(MODELS, ""), None, answer)


async def who_am_i(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v3/whoami`: the identity behind a key, in the shape of the SDK's `WhoamiProjectAPIKey`."""
    who = account(request)
    identity = {
        "type": "project_api_key",
        "api_key": {"id": f"key_{who}"},
        "organization": {"id": "org_sandbox", "name": "Sandbox"},
        "project": {"id": f"proj_{who}", "name": "Sandbox", "slug": f"sandbox-{who[:6]}"},
    }

    async def answer() -> Response:
        return success(identity)

    return await apply_fault(api.switchboard.take(WHOAMI, ""), None, answer)


def _pricing(model: catalog.Model) -> dict[str, Any]:
    """Return the price under the key that the kind of model uses there."""
    if model.price is None:
        return {}
    if model.price.per == "megapixel":
        return {"image_pixel": {"price_per_megapixel": float(model.price.usd), "min_steps": model.default_steps or 1}}
    return {model.kind: float(model.price.usd)}


ENDPOINTS = (Endpoint(route=MODELS, handle=list_models), Endpoint(route=WHOAMI, handle=who_am_i))
