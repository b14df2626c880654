"""`POST /v1/rerank`: texts in the order in which they fit a question, by a model on an endpoint of one's own."""

from __future__ import annotations

import json
from typing import Any, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, json_body, success
from prefect_together.sandbox.chat import counting, vectors
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault

RANK = "POST /v1/rerank"


async def rank(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v1/rerank`."""
    owner = account(request)
    body = await json_body(request)
    model = checks.dedicated_model(body, api.dedicated)
    query = body.get("query")
    if not isinstance(query, str) or not query:
        raise error_messages.missing("query")
    documents = _documents(body)
    most = checks.integer(body, "top_n", 1, 10_000_000)
    checks.booleans(body, ("return_documents",))
    answer_id = error_messages.request_id()

    async def accept(_: Fault | None) -> None:
        charge = api.charge(answer_id, kind="rerank", body=body, prompt=query, account=owner)
        api.store.accept(charge=charge, files={})

    async def answer() -> Response:
        results = await api.read(lambda: _ranked(query, documents, shown=body.get("return_documents") is True))
        sent = counting.tokens(query) + sum(counting.tokens(text) for text, _ in documents)
        usage = {"prompt_tokens": sent, "completion_tokens": 0, "total_tokens": sent}
        answered = {"object": "rerank", "id": answer_id, "model": model, "results": results[:most], "usage": usage}
        return success(answered, answer_id)

    return await apply_fault(api.switchboard.take(RANK, f"{query} {model}"), accept, answer)


def _ranked(query: str, documents: list[tuple[str, str]], *, shown: bool) -> list[dict[str, Any]]:
    """Return the best document first."""
    wanted = vectors.vector(query)
    scores = [vectors.nearness(wanted, vectors.vector(text)) for text, _ in documents]
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": score, **({"document": {"text": documents[index][1]}} if shown else {})}
        for index, score in enumerate(scores)
    ]
    return sorted(results, key=lambda result: -result["relevance_score"])


def _documents(body: checks.Body) -> list[tuple[str, str]]:
    """Return what each document is ranked by, and the text as which it is given back."""
    given: Any = body.get("documents")
    if not isinstance(given, list) or not given:
        raise error_messages.missing("documents")
    fields = checks.strings(body, "rank_fields")
    found = list[tuple[str, str]]()
    for document in cast("list[Any]", given):
        if isinstance(document, str):
            found.append((document, document))
        elif isinstance(document, dict):
            known = cast("dict[str, Any]", document)
            counted = fields or (("text",) if "text" in known else tuple(known))
            found.append((" ".join(str(known.get(field, "")) for field in counted), json.dumps(known, ensure_ascii=False)))
        else:
            raise error_messages.wrong_type("documents", "a list of texts or objects")
    return found


ENDPOINTS = (Endpoint(route=RANK, handle=rank),)
