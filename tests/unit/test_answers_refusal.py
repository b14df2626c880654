"""A refusal becomes the right error with the right advice, and a wait is as long as the server asked for."""

from __future__ import annotations

import json
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_together import errors
from prefect_together._internal.retry import backoff
from prefect_together.errors import APIError
from prefect_together.http import responses as answers
from prefect_together.http.responses import error_code, error_from_response, is_permanent, retry_after


def body(message: str, code: str | None = None, type: str = "invalid_request_error", **more: Any) -> str:
    """Return an error body as Together's specification has it."""
    return json.dumps({"id": "oMZ-PDX", "error": {"message": message, "type": type, "param": None, "code": code}, **more})


UNSUPPORTED = "Unsupported use of 'image_url' parameter. This parameter is not supported for the selected model."
UNKNOWN = "Unable to access model X. Please visit https://api.together.ai/models to view the list of supported models."
NON_SERVERLESS = (
    "Unable to access non-serverless model X. Please visit https://api.together.ai/models/X to create an endpoint."
)


@pytest.mark.parametrize(
    ("status", "text", "error", "retryable", "advice"),
    [
        # together-api.md 2.5 and 2.6: bodies that were seen
        pytest.param(400, body(UNSUPPORTED), errors.BadRequest, False, "Correct the request", id="400-parameter"),
        pytest.param(
            400, body("Invalid value for 'seed' parameter."), errors.BadRequest, False, "refusals are free", id="400-seed"
        ),
        pytest.param(
            400, body(NON_SERVERLESS, "model_not_available"), errors.BadRequest, False, "another model", id="400-model"
        ),
        pytest.param(
            404, body(UNKNOWN, "model_not_available"), errors.BadRequest, False, "another model", id="404-unknown-model"
        ),
        pytest.param(402, body("insufficient balance"), errors.InsufficientBalance, False, "Add credit", id="402"),
        pytest.param(402, body("Credit limit exceeded"), errors.InsufficientBalance, False, "Add credit", id="402-limit"),
        pytest.param(
            403,
            body("Third-party data sharing must be enabled.", "third_party_data_sharing_blocked"),
            errors.DataSharingBlocked,
            False,
            "passthrough models",
            id="403-data-sharing",
        ),
        pytest.param(403, "error code: 1010", errors.PermissionDenied, False, "User-Agent", id="403-edge"),
        pytest.param(403, body("context too long"), errors.PermissionDenied, False, "organisation", id="403-other"),
        pytest.param(403, "", errors.PermissionDenied, False, "organisation", id="403-empty"),
        pytest.param(
            422,
            body("image may contain NSFW content"),
            errors.ContentPolicyError,
            False,
            "Change the prompt",
            id="422-checker",
        ),
        pytest.param(422, "", errors.ContentPolicyError, False, "Change the prompt", id="422-empty"),
        pytest.param(
            400,
            body("blocked", "content_policy_violation"),
            errors.ContentPolicyError,
            False,
            "prompt",
            id="400-moderation-code",
        ),
        pytest.param(
            400,
            body("NSFW content detected in the image"),
            errors.ContentPolicyError,
            False,
            "prompt",
            id="400-moderation-words",
        ),
        pytest.param(429, body("Too many requests in a short window."), errors.RateLimited, True, "free to send", id="429"),
        # 7.2: the table of statuses
        pytest.param(
            401, body("Invalid API key", "invalid_api_key"), errors.AuthenticationError, False, "TOGETHER_API_KEY", id="401"
        ),
        pytest.param(404, "", errors.BadRequest, False, "", id="404"),
        pytest.param(409, "", errors.BadRequest, False, "", id="409"),
        pytest.param(413, body("", "request_too_large"), errors.BadRequest, False, "", id="413"),
        pytest.param(429, body("", None, "dynamic_request_limited"), errors.RateLimited, True, "later", id="429-dynamic"),
        pytest.param(429, '{"error_type": "model_rate_limit"}', errors.RateLimited, True, "later", id="429-older"),
        pytest.param(500, "", errors.ServerError, True, "again", id="500"),
        pytest.param(502, "<html>Bad gateway</html>", errors.ServerError, True, "again", id="502-html"),
        pytest.param(503, body("overloaded"), errors.RateLimited, True, "later", id="503"),
        pytest.param(503, "", errors.RateLimited, True, "later", id="503-empty"),
        pytest.param(503, body("x", "model_not_available"), errors.BadRequest, False, "another model", id="503-permanent"),
        pytest.param(
            503,
            '{"error":"model_not_available","message":"x"}',
            errors.BadRequest,
            False,
            "another model",
            id="503-permanent-flat",
        ),
        pytest.param(
            503, body("x", None, "model_not_available"), errors.BadRequest, False, "model", id="503-permanent-type"
        ),
        *[pytest.param(status, "", errors.ServerError, True, "again", id=str(status)) for status in (504, 520, 524, 529)],
    ],
)
def test_a_refusal_is_the_right_error(status: int, text: str, error: type[APIError], retryable: bool, advice: str) -> None:
    """The status, and what the body adds to it, decide the class, the advice and whether trying again is worth it."""
    refused = error_from_response(status, text, {})
    assert (error, retryable, status, "nothing") == (type(refused), refused.retryable, refused.status, refused.paid)
    assert advice in refused.advice
    assert str(status) in refused.what
    assert "Nothing was paid." in str(refused)


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        pytest.param(body("No such thing.", "a_code"), "(a_code): No such thing.", "a_code", id="nested"),
        pytest.param(body("No such thing"), "(invalid_request_error): No such thing.", "invalid_request_error", id="type"),
        pytest.param('{"error": "No such thing"}', ": No such thing.", None, id="string"),
        pytest.param('{"error": "a_code", "message": "No."}', "(a_code): No.", "a_code", id="code-and-message"),
        pytest.param('{"message": "No.", "error_type": "a_type"}', "(a_type): No.", "a_type", id="error_type"),
        pytest.param(
            '{"error": {"message": "No."}, "error_type": "a_type"}', "(a_type): No.", "a_type", id="error_type-beside"
        ),
        pytest.param("no\n\n  such thing", ": no such thing.", None, id="plain-text"),
        pytest.param("<html><body>Bad gateway</body></html>", "answered 400.", None, id="html"),
        pytest.param("", "answered 400.", None, id="empty"),
        pytest.param("null", "None", None, id="null"),
        pytest.param("[1, 2]", "[1, 2]", None, id="list"),
        pytest.param('{"error": null}', "answered 400.", None, id="error-null"),
        pytest.param('{"error": {"message": null, "code": 400}}', "answered 400.", None, id="numbers"),
        pytest.param("x" * 5000, "x" * 200, None, id="long"),
    ],
)
def test_a_refusal_quotes_the_server(text: str, said: str, code: str | None) -> None:
    """All shapes of an error body that were seen are read (7.2)."""
    refused = error_from_response(400, text, {})
    assert said in refused.what
    assert (code, code) == (refused.code, error_code(text))
    assert len(refused.what) < 300


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"x-request-id": "r", "x-together-traceid": "t"}, "r", id="request-id"),
        pytest.param({"x-together-traceid": "t"}, "t", id="traceid"),
    ],
)
def test_a_refusal_knows_what_support_asks_for(headers: dict[str, str], request_id: str | None) -> None:
    """The request id comes along."""
    assert request_id == error_from_response(500, "", headers).request_id


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_how_long(status: int) -> None:
    """What the server asked us to wait is on the error."""
    assert 7.0 == error_from_response(status, "", {"retry-after": "7"}).retry_after
    assert error_from_response(status, "", {}).retry_after is None


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "model_not_available", True),
        (503, None, False),
        (503, "overloaded", False),
        (400, "model_not_available", False),
    ],
)
def test_which_503_will_not_pass(status: int, code: str | None, expected: bool) -> None:
    """Only one is permanent: nobody serves the model."""
    assert expected == is_permanent(status, code)


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="half-a-second"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero"),
        pytest.param({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0, id="date"),
        pytest.param({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0, id="date-in-the-past"),
        pytest.param({"x-ratelimit-reset": "12"}, 12.0, id="reset"),
        pytest.param({"x-ratelimit-reset": "0.25"}, 0.25, id="reset-fraction"),
        pytest.param({"x-ratelimit-reset": str(int(NOW) + 9)}, 9.0, id="reset-as-time-of-day"),
        pytest.param({"x-ratelimit-reset": str(int(NOW) - 9)}, 0.0, id="reset-in-the-past"),
        pytest.param({"retry-after-ms": "100", "retry-after": "7", "x-ratelimit-reset": "12"}, 0.1, id="milliseconds-first"),
        pytest.param({"retry-after": "7", "x-ratelimit-reset": "12"}, 7.0, id="retry-after-second"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "7"}, 7.0, id="garbage-ms"),
        pytest.param({"retry-after": "soon", "x-ratelimit-reset": "12"}, 12.0, id="garbage-date"),
        pytest.param({"retry-after": "-5", "x-ratelimit-reset": "12"}, 12.0, id="negative"),
        pytest.param({"retry-after": "", "x-ratelimit-reset": "12"}, 12.0, id="empty"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "Mon, 99 Foo 2026 00:00:00 GMT"}, None, id="no-date"),
        pytest.param({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None, id="year-99999"),
        pytest.param({"x-ratelimit-reset": "never"}, None, id="garbage-reset"),
    ],
)
def test_how_long_the_server_asks_us_to_wait(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most exact header wins, and what cannot be read is passed over."""
    monkeypatch.setattr(answers, "time", SimpleNamespace(time=lambda: NOW))
    assert (None if seconds is None else pytest.approx(seconds)) == retry_after(headers)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["retry-after-ms", "retry-after", "x-ratelimit-reset"]), st.text(max_size=40)))
def test_no_header_breaks_the_wait(headers: dict[str, str]) -> None:
    """Whatever a proxy writes there, the wait is a finite number that is not negative, or not known."""
    hint = retry_after(headers)
    assert hint is None or 0 <= hint < float("inf")


@pytest.mark.parametrize(("tries", "middle"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (30, 60.0), (1000, 60.0)])
def test_pauses_grow_to_a_limit(tries: int, middle: float) -> None:
    """Each pause is twice the one before, a quarter more or less, up to the longest."""
    pauses = [backoff(tries, first=1.0, longest=60.0) for _ in range(200)]
    assert [] == [pause for pause in pauses if not middle * 0.75 <= pause <= middle * 1.25]
    assert len(set(pauses)) > 100
