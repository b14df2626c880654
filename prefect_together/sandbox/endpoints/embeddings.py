"""`POST /v1/embeddings`: vectors of texts, by a model on an endpoint of one's own; Together serves none to all."""

from __future__ import annotations

from typing import Any, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, json_body, success
from prefect_together.sandbox.chat import counting, vectors
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault

EMBED = "POST /v1/embeddings"


async def embed(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/embeddings`."""
    owner = account(request)
    body = await json_body(request)
    model = checks.dedicated_model(body, api.dedicated)
    texts = _texts(body)
    answer_id = error_messages.request_id()

    async def accept(_: Fault | None) -> None:
        charge = api.charge(answer_id, kind="embedding", body=body, prompt=texts[0], account=owner)
        api.store.accept(charge=charge, files={})

    async def answer() -> Response:
        found = await api.read(lambda: [vectors.vector(text) for text in texts])
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(found)]
        sent = sum(counting.tokens(text) for text in texts)
        usage = {"prompt_tokens": sent, "total_tokens": sent}
        return success({"object": "list", "model": model, "data": data, "usage": usage}, answer_id)

    return await apply_fault(api.switchboard.take(EMBED, f"{texts[0]} {model}"), accept, answer)


def _texts(body: checks.Body) -> tuple[str, ...]:
    given: Any = body.get("input")
    if given is None:
        raise error_messages.missing("input")
    texts = cast("list[Any]", given if isinstance(given, list) else [given])
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise error_messages.wrong_type("input", "a text or a list of texts, none of them empty")
    return tuple(str(text) for text in texts)


ENDPOINTS = (Endpoint(route=EMBED, handle=embed),)
