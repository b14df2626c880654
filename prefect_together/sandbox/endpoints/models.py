"""`GET /v1/models` and `GET /v3/whoami`: what can be asked for, and who is asking; both are free."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox.api import ORGANIZATION, Api, Endpoint, account, success
from prefect_together.sandbox.fault_injection import apply_fault

MODELS = "GET /v1/models"
WHOAMI = "GET /v3/whoami"
TYPES = {"speech": "audio", "transcription": "transcribe"}
"""Together's words for kinds that the catalogue calls otherwise."""
PRICES = (
    "hourly", "input", "output", "base", "finetune", "cached_input", "image_pixel", "transcribe", "image", "video",
)  # fmt: skip
DEAD = ("google/imagen-4.0", "google/veo-2.0", "openai/sora", "kwaivgI/", "alibaba/happyhorse-1.0")
"""Models that were in the list of 2026-09-26 and not offered any more."""
DEDICATED = frozenset({"black-forest-labs/FLUX.1-dev", "cartesia/sonic-3.5"})
"""Some of the many that stand there without a price, as they need an endpoint of one's own."""
WITHOUT_EXAMPLE = frozenset({"minimax/video-01-director"})
"""Its price was `{}` there."""


async def list_models(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v1/models`: a bare array."""
    account(request)
    rows = [_row(model) for model in sorted(catalog.models(), key=lambda model: not model.listed) if _is_listed(model)]

    async def answer() -> Response:
        return success(rows)

    return await apply_fault(api.switchboard.take(MODELS, ""), None, answer)


async def who_am_i(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v3/whoami`: the identity behind a key, in the shape of the SDK's `WhoamiProjectAPIKey`."""
    who = account(request)
    identity = {
        "type": "project_api_key",
        "api_key": {"id": f"key_{who}"},
        "organization": {"id": ORGANIZATION, "name": "Sandbox"},
        "project": {"id": f"proj_{who}", "name": "Sandbox", "slug": f"sandbox-{who[:6]}"},
    }

    async def answer() -> Response:
        return success(identity)

    return await apply_fault(api.switchboard.take(WHOAMI, ""), None, answer)


def _is_listed(model: catalog.Model) -> bool:
    """Tell whether a model stands in the list: what is gone may for long, and some need an endpoint of one's own."""
    return model.listed or model.id.startswith(DEAD) or model.id in DEDICATED


def _row(model: catalog.Model) -> dict[str, Any]:
    config: dict[str, Any] = {"chat_template": None, "stop": [], "bos_token": None, "eos_token": None}
    if model.max_output is not None:
        config["max_output_length"] = model.max_output
    return {
        "id": model.id, "object": "model", "created": 0, "type": TYPES.get(model.kind, model.kind), "running": False,
        "display_name": model.id.partition("/")[2], "organization": model.provider, "link": "", "license": "",
        "context_length": model.context or 0, "config": config, "pricing": _pricing(model),
    }  # fmt: skip


def _pricing(model: catalog.Model) -> dict[str, Any]:
    """Return the price under the key that the kind of model uses there."""
    pricing: dict[str, Any] = dict.fromkeys(PRICES, 0)
    price = model.price
    if model.id in DEDICATED or price is None:
        return pricing
    usd = float(price.usd)
    if model.id in WITHOUT_EXAMPLE:
        pricing[model.kind] = {}
    elif price.per == "megapixel":
        pricing["image_pixel"] = {"price_per_megapixel": usd, "min_steps": model.default_steps or 0}
    elif price.per == "minute":
        pricing["transcribe"] = {"price_per_minute": usd}
    elif price.per == "million_characters":
        pricing["input"] = usd
    elif price.per == "million_tokens":
        pricing.update(input=usd, output=float(price.output or 0), cached_input=float(price.cached or 0))
    else:
        pricing[model.kind] = {"example_price": usd, "example_description": price.note or f"per {price.per}"}
    return pricing


ENDPOINTS = (Endpoint(route=MODELS, handle=list_models), Endpoint(route=WHOAMI, handle=who_am_i))
