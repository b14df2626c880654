"""An endpoint is one file and a line in the list: all that endpoints share works for it, faults and charges included."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import sandbox
from prefect_together.sandbox import app, endpoints, server
from prefect_together.sandbox.api import Api, Endpoint, account, json_body, success
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault

from .asking import message

TUNES = "POST /v1/tunes"
FILES = sorted(path.stem for path in Path(endpoints.__file__).parent.glob("[!_]*.py"))


async def compose(api: Api, request: HttpRequest) -> Response:
    """Answer with the prompt."""
    owner = account(request)
    body = await json_body(request)

    async def accept(_: Fault | None) -> None:
        api.store.accept(
            charge=api.charge("tune-1", kind="music", body=body, prompt=body["prompt"], account=owner), files={}
        )

    async def answer() -> Response:
        return success({"tune": body["prompt"]})

    return await apply_fault(api.switchboard.take(TUNES, body["prompt"]), accept, answer)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_in_the_list(name: str) -> None:
    """What a file says it answers is answered."""
    module = importlib.import_module(f"{endpoints.__name__}.{name}")
    assert module.ENDPOINTS
    assert set(module.ENDPOINTS) <= set(endpoints.ENDPOINTS)


@pytest.mark.parametrize("name", FILES)
def test_no_endpoint_knows_another(name: str) -> None:
    """A file of an endpoint imports none of the others."""
    tree = ast.parse(Path(endpoints.__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    parts = {
        part for node in froms for alias in node.names for part in f"{node.module}.{alias.name}".split("endpoints.")[1:]
    }
    assert set() == {part.split(".")[0] for part in parts} & set(FILES)


@pytest.mark.parametrize("endpoint", [pytest.param(endpoint, id=endpoint.route) for endpoint in endpoints.ENDPOINTS])
def test_every_endpoint_can_fail(together: sandbox.Sandbox, endpoint: Endpoint) -> None:
    """Any request to the API can be cut, turned away or answered with an error."""
    for fault in ("close_before_accepting", "edge_block", "html", "sleep", "503"):
        together.fault(endpoint.route, fault)
    with pytest.raises(ValueError, match="only: GET file"):
        together.fault(endpoint.route, "huge")


def test_a_further_endpoint_gets_what_all_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, bodies, faults, charges and records of requests need nothing but the endpoint itself."""
    listed = (*endpoints.ENDPOINTS, Endpoint(route=TUNES, handle=compose))
    monkeypatch.setattr(app, "ENDPOINTS", listed)
    monkeypatch.setattr(server, "ENDPOINTS", listed)
    body = {"model": "nobody/tune", "prompt": "a waltz"}
    with sandbox.serve() as together, httpx.Client(base_url=together.url) as client:
        assert 401 == client.post("/v1/tunes", json=body).status_code
        client.headers["Authorization"] = "Bearer k"
        assert "not a valid JSON object" in message(client.post("/v1/tunes", content=b"[]"))
        together.fault(TUNES, "503", match="waltz")
        assert 503 == client.post("/v1/tunes", json=body).status_code
        assert [] == together.charges()
        together.fault(TUNES, "invalid_json")
        assert b'{"id": "oMZ' == client.post("/v1/tunes", json=body).content
        assert {"tune": "a waltz"} == client.post("/v1/tunes", json=body).json()
        assert [("music", "nobody/tune", "a waltz", None)] * 2 == [
            (charge.kind, charge.model, charge.prompt, charge.usd) for charge in together.charges()
        ]
        assert (5, body) == (together.count("/v1/tunes"), together.requests()[-1].body)
        with pytest.raises(ValueError, match="cannot strike"):
            together.fault(TUNES, "queued_forever")
