"""`GET /v2/supported-models`: the curated catalogue of models, in pages; it has prices of tokens only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox import error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, success
from prefect_together.sandbox.fault_injection import apply_fault

LIST, ONE = "GET /v2/supported-models", "GET /v2/supported-models/{id}"
DEFAULT_ROWS, MAX_ROWS = 100, 1_000
SERVERLESS = "PRODUCT_SERVERLESS"
PRODUCTS = (SERVERLESS, "PRODUCT_DEDICATED", "PRODUCT_FINE_TUNING")
MODALITIES = tuple(f"MODALITY_{what}" for what in ("TEXT", "IMAGE", "AUDIO", "VIDEO"))
KINDS: Mapping[str, tuple[str, str, str]] = {
    "chat": ("chat", "TEXT", "TEXT"),
    "image": ("image", "TEXT", "IMAGE"),
    "video": ("video", "TEXT", "VIDEO"),
    "speech": ("audio", "TEXT", "AUDIO"),
    "transcription": ("transcribe", "AUDIO", "TEXT"),
}
"""Together's word for a kind, what goes in and what comes out."""
CAPABILITIES = {"chat": "CHAT", "image": "IMAGE_GENERATION", "video": "VIDEO_GENERATION"}
PICTURES = ("images", "image_url", "reference_images", "frame_images")
FEATURES = {"tools": "FEATURE_TOOL_CALLING", "response_format": "FEATURE_STRUCTURED_OUTPUT"}
DAY = "2026-09-26T00:00:00Z"
"""Nobody knows when an entry was made; that of the list which the catalogue rests on."""


async def list_models(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v2/supported-models`: a page of rows and a cursor."""
    account(request)
    asked = request.query_params
    _one_of(asked, "product", PRODUCTS)
    _one_of(asked, "modality", MODALITIES)
    limit = asked.get("limit", str(DEFAULT_ROWS))
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_ROWS:
        raise error_messages.out_of_range("limit", 1, MAX_ROWS)
    rows = [row for row in _rows() if _matches(row, asked)]
    places = {row["id"]: place for place, row in enumerate(rows, 1)}
    after = asked.get("after")
    if after and after not in places:
        raise error_messages.wrong_type("after", "the cursor of an earlier answer")
    rest = rows[places[after] :] if after else rows
    page = rest[: int(limit)]

    async def answer() -> Response:
        return success({"data": page, "next_cursor": page[-1]["id"] if len(rest) > len(page) else None})

    return await apply_fault(api.switchboard.take(LIST, ""), None, answer)


async def one_model(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v2/supported-models/{id}`: one row, by its id and not by the model's name."""
    account(request)
    found = next((row for row in _rows() if row["id"] == request.path_params["id"]), None)
    if found is None:
        raise error_messages.Refusal(404, "Model not found.", code="not_found")

    async def answer() -> Response:
        return success(found)

    return await apply_fault(api.switchboard.take(ONE, found["name"]), None, answer)


def _one_of(asked: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> None:
    if name in asked and asked[name] not in allowed:
        raise error_messages.wrong_type(name, "one of " + ", ".join(f"'{word}'" for word in allowed))


def _matches(row: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    search = asked.get("search", "").lower()
    return (
        asked.get("product", SERVERLESS) in row["products"]
        and ("modality" not in asked or asked["modality"] in row["inputModalities"])
        and (search in row["name"].lower() or search in row["displayName"].lower())
    )


def _rows() -> list[dict[str, Any]]:
    return [_row(model) for model in catalog.models() if model.listed and model.kind in KINDS]


def _row(model: catalog.Model) -> dict[str, Any]:
    shown, takes, makes = KINDS[model.kind]
    sees = takes == "TEXT" and any(model.takes.get(field) for field in PICTURES)
    features = [feature for field, feature in FEATURES.items() if model.takes.get(field)]
    reasons = model.reasoning is not None and model.reasoning.default
    row: dict[str, Any] = {
        "id": f"ml_{hashlib.sha256(model.id.encode()).hexdigest()[:16]}", "name": model.id,
        "baseModel": "", "baseModelId": "", "displayName": model.id.partition("/")[2],
        "publisher": model.provider, "displayType": shown,
        "status": "SUPPORTED_MODEL_STATUS_SUPPORTED", "products": [SERVERLESS], "serverlessEndpoint": model.id,
        "inputModalities": [f"MODALITY_{takes}", *(["MODALITY_IMAGE"] if sees else [])],
        "outputModalities": [f"MODALITY_{makes}"],
        "capabilities": [f"CAPABILITY_{CAPABILITIES[model.kind]}"] if model.kind in CAPABILITIES else [],
        "features": [*features, *(["FEATURE_REASONING"] if reasons else [])], "deploymentProfiles": [],
        "createdAt": DAY, "updatedAt": DAY,
    }  # fmt: skip
    if model.context is not None:
        row["contextLength"] = str(model.context)
    if price := catalog.token_price(model.id):
        row["pricing"] = {"input": float(price.input), "output": float(price.output), "cachedInput": float(price.cached)}
    return row


ENDPOINTS = (Endpoint(route=LIST, handle=list_models), Endpoint(route=ONE, handle=one_model))
