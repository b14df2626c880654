"""The server and its handle: light to import, quick to start, closed to the world, and honest about what it saw."""

from __future__ import annotations

import ast
import datetime as dt
import re
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import FLUX, HAILUO, IMAGES, VIDEOS, finished, image_body, pictures, video_body


def test_importing_the_sandbox_imports_no_media_library() -> None:
    """Whoever only has it in reach pays nothing for it."""
    code = (
        "import sys, prefect_together; before = set(sys.modules); import prefect_together.sandbox; "
        "print(sorted((set(sys.modules) - before) & {'PIL', 'av', 'starlette', 'uvicorn', 'httpx', 'prefect'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_the_sandbox_imports_nothing_of_ours_but_the_catalogue() -> None:
    """It judges the client from outside, so it must not share its mistakes."""
    ours = set[str]()
    for path in Path(sandbox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert 0 == node.level, path
                ours |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                ours |= {alias.name for alias in node.names}
    ours = {name for name in ours if name.startswith("prefect")}
    assert {"prefect_together.catalog"} == {name for name in ours if not name.startswith("prefect_together.sandbox")}


def test_starting_and_stopping_is_quick() -> None:
    """A test may have a sandbox of its own."""
    with sandbox.serve():
        pass
    before = time.monotonic()
    with sandbox.serve():
        pass
    assert time.monotonic() - before < 10  # a third of a second, where nothing else runs


def test_stopping_does_not_wait_for_anybody() -> None:
    """An answer that is still to come does not hold the end up."""
    with sandbox.serve(image_seconds=30) as together:
        headers = {"Authorization": "Bearer k"}
        errors = list[Exception]()

        def ask() -> None:
            try:
                httpx.post(f"{together.url}{IMAGES}", json=image_body(), headers=headers, timeout=30)
            except httpx.TransportError as error:
                errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        until("it is charged", together.charges)
        before = time.monotonic()
    assert time.monotonic() - before < 15  # half of what the answer takes
    asking.join(5)
    assert 1 == len(errors)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com"])
def test_only_this_machine_is_served(host: str) -> None:
    """It accepts every key, so it refuses every address but loopback."""
    with pytest.raises(ValueError, match="this machine only"), sandbox.serve(host=host):
        pass
    with pytest.raises(ValueError, match="this machine only"):
        sandbox.run(host=host)


def test_a_taken_port_is_told_in_a_sentence() -> None:
    """The error names the port."""
    with sandbox.serve() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"), sandbox.serve(port):
            pass


def test_charges_say_what_was_accepted(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """One per accepted POST, with what the catalogue estimates, and None where it knows no price."""
    client.post(IMAGES, json=image_body(n=2))
    finished(client, model=HAILUO, width=1366, height=768, seconds="6")
    finished(client)
    image, video, unpriced = together.charges()
    assert ("image", FLUX, "a red fox", Decimal("0.06")) == (image.kind, image.model, image.prompt, image.usd)
    assert ("video", Decimal("0.56"), None) == (video.kind, video.usd, unpriced.usd)
    assert [job["id"] for job in together.jobs()] == [video.id, unpriced.id]
    assert abs(dt.datetime.now(dt.timezone.utc) - image.at) < dt.timedelta(minutes=1)
    listed = client.get("/sandbox/charges").json()
    assert (3, "0.62") == (listed["count"], listed["usd"])


def test_requests_are_written_down(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Method, path, key, headers, JSON body and status, at which server; the control routes are left out."""
    client.post(f"{IMAGES}?a=b", json=image_body(), headers={"X-Mine": "1"})
    client.get("/sandbox/charges")
    (seen,) = together.requests()
    assert ("POST", f"{IMAGES}?a=b", "api", 200) == (seen.method, seen.path, seen.origin, seen.status)
    assert ("Bearer sandbox-key", "1") == (seen.authorization, seen.headers["x-mine"])
    assert image_body() == seen.body
    assert 1 == together.count(IMAGES)
    assert 0 == together.count(IMAGES, method="GET")
    assert FLUX == client.get("/sandbox/requests").json()["requests"][0]["body"]["model"]


def test_a_real_key_is_not_repeated(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Whoever reads `/sandbox/requests` learns no key that was sent here by mistake."""
    client.get("/v3/whoami", headers={"Authorization": "Bearer tgp_v1_secret"})
    assert "secret" not in client.get("/sandbox/requests").text
    assert "Bearer tgp_v1_secret" == together.requests()[0].authorization


def test_models_are_a_bare_array(client: httpx.Client) -> None:
    """As the live list has it: twelve keys a row, ten prices, models that are gone or need an endpoint of one's own."""
    answer = client.get("/v1/models").json()
    rows = {row["id"]: row for row in answer}
    assert {12} == {len(row) for row in answer}
    assert {10} == {len(row["pricing"]) for row in answer}
    assert {"image", "video", "audio", "transcribe"} <= {row["type"] for row in answer}
    assert ("image", False) == (rows[FLUX]["type"], rows[FLUX]["running"])
    assert 0.56 == rows[HAILUO]["pricing"]["video"]["example_price"]
    assert 0.04 == rows["black-forest-labs/FLUX.1.1-pro"]["pricing"]["image_pixel"]["price_per_megapixel"]
    assert {"price_per_minute": 0.0015} == rows["openai/whisper-large-v3"]["pricing"]["transcribe"]
    assert {} == rows["minimax/video-01-director"]["pricing"]["video"]
    assert {0} == set(rows["black-forest-labs/FLUX.1-dev"]["pricing"].values())
    assert "kwaivgI/kling-2.1-pro" in rows


def test_request_ids_are_of_the_forms_that_were_seen(client: httpx.Client) -> None:
    """Three groups, or another backend's two; the header is the body's id."""
    answers = [client.post(IMAGES, json=image_body(model="nobody/nothing")) for _ in range(60)]
    ids = [answer.json()["id"] for answer in answers]
    assert ids == [answer.headers["x-request-id"] for answer in answers]
    ours, others = re.compile(r"\w{7}-\w{6}-[0-9a-f]{16}"), re.compile(r"[0-9a-f]{8}-aws_ue1")
    assert all(ours.fullmatch(one) or others.fullmatch(one) for one in ids)
    assert any(others.fullmatch(one) for one in ids)


def test_who_am_i_tells_the_keys_apart(client: httpx.Client) -> None:
    """A free check of a key: the same key is the same identity."""
    mine = client.get("/v3/whoami").json()
    other = client.get("/v3/whoami", headers={"Authorization": "Bearer other"}).json()
    assert "project_api_key" == mine["type"]
    assert mine["api_key"]["id"] != other["api_key"]["id"]
    assert 401 == client.get("/v3/whoami", headers={"Authorization": "Bearer bad"}).status_code


def test_a_reset_over_http_starts_afresh(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Charges, jobs and faults are gone."""
    finished(client)
    together.fault("POST /v2/videos", "500")
    assert {"reset": True} == client.post("/sandbox/reset").json()
    assert ([], []) == (together.charges(), together.jobs())
    assert 200 == client.post(VIDEOS, json=video_body()).status_code
    assert 1 == len(client.get("/sandbox/jobs").json()["jobs"])


def test_an_image_can_take_its_time() -> None:
    """`image_seconds` is how long an image request takes."""
    with sandbox.serve(image_seconds=0.3) as slow:
        before = time.monotonic()
        with httpx.Client(base_url=slow.url, headers={"Authorization": "Bearer k"}) as client:
            pictures(client)
        assert time.monotonic() - before >= 0.3


def test_answers_are_sent_at_once(client: httpx.Client) -> None:
    """On a connection that stays open too, no answer waits until the client has acknowledged its head."""
    took = list[float]()
    for _ in range(30):
        before = time.monotonic()
        client.get("/v3/whoami")
        took.append(time.monotonic() - before)
    assert sorted(took)[7] < 0.03  # an acknowledgement that is waited for takes 40 ms, each time


@pytest.mark.slow
def test_drawing_does_not_hold_up_other_requests(client: httpx.Client) -> None:
    """While a clip is rendered, a poll is answered at once: in a part of the time that the rendering takes."""
    url = finished(client, width=1366, height=768, seconds="4")["outputs"]["video_url"]
    rendering = threading.Thread(target=httpx.get, args=(url,), kwargs={"follow_redirects": True, "timeout": 60})
    began = time.monotonic()
    rendering.start()
    slowest = 0.0
    while rendering.is_alive():
        before = time.monotonic()
        assert 200 == client.get("/v3/whoami").status_code
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 0.5 * (time.monotonic() - began)


def test_a_public_name_that_does_not_exist_is_an_attribute_error() -> None:
    """The lazy module behaves like any other."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sandbox.nothing
