"""What Together's answers mean: typed, tolerant readings of JSON, and the right error for a refusal. Does no I/O."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TypedDict

from prefect_together._internal.readers import as_mapping, as_number, as_text
from prefect_together.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    ContentPolicyError,
    DataSharingBlocked,
    InsufficientBalance,
    PermissionDenied,
    RateLimited,
    ServerError,
)

_SHARING = 'An organisation admin must switch on "Allow passthrough models" (Organization Settings, Privacy).'


def error_from_response(status: int, text: str, headers: Mapping[str, str]) -> APIError:
    """Return the error that an HTTP status of 400 or more stands for (together-api.md 2.5, 2.6, 7.2)."""
    message, code = _error_body(text)
    message = " ".join(message.split())
    request_id = headers.get("x-request-id") or headers.get("x-together-traceid")
    said = f"Together answered {status}" + (f" ({code})" if code else "") + (f": {message}" if message else "")
    said = said.rstrip(".") + "."
    about = _About(status=status, code=code, request_id=request_id)
    lowered = f"{code} {message}".lower()
    if status == 422 or "nsfw" in lowered or "content_policy" in lowered:
        advice = "Change the prompt: the same one is refused again."
        return ContentPolicyError(said, advice=advice, **about)
    match status:
        case 401:
            advice = "Check TOGETHER_API_KEY, or the api_key of the TogetherCredentials block."
            return AuthenticationError(said, advice=advice, **about)
        case 402:
            return InsufficientBalance(said, advice="Add credit at https://api.together.ai/settings/billing.", **about)
        case 403:
            return _forbidden(said, text, lowered, about)
        case 429 | 503 if not is_permanent(status, code):
            advice = "Try again later; the same request is still free to send."
            return RateLimited(said, advice=advice, retryable=True, retry_after=retry_after(headers), **about)
        case _ if code == "model_not_available":
            advice = "Choose another model, or start a dedicated endpoint for this one."
            return BadRequest(said, advice=advice, **about)
        case 408:
            return ServerError(said, advice="Try again.", retryable=True, **about)
        case _ if status < 500:
            return BadRequest(said, advice="Correct the request; refusals are free.", **about)
        case _:
            return ServerError(said, advice="Try again.", retryable=True, **about)


def _forbidden(said: str, text: str, lowered: str, about: _About) -> PermissionDenied:
    """Return the error of a 403: by an organisation's settings, by the network in front of Together, or by Together."""
    if "third_party_data_sharing" in lowered:
        return DataSharingBlocked(said, advice=_SHARING, **about)
    advice = "Check what the key's organisation may use."
    if "error code: 1010" in text:
        advice = "The network in front of Together rejects this client: check proxies that change the User-Agent."
    return PermissionDenied(said, advice=advice, **about)


def is_permanent(status: int, code: str | None) -> bool:
    """Tell a 503 that will not pass from one that will: ``model_not_available`` means that nobody serves the model."""
    return status == 503 and code == "model_not_available"


def error_code(text: str) -> str | None:
    """Return the ``error.code`` (or type) of an error body, if it has one."""
    return _error_body(text)[1]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks us to wait: ``retry-after-ms``, ``Retry-After``, ``x-ratelimit-reset``.

    Only the last is documented by Together; the official SDK reads only the first two (together-api.md 1.4, 7.1).
    """
    if (milliseconds := as_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if after := headers.get("retry-after"):
        if (seconds := as_number(after)) is not None:
            return seconds
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError):
            pass  # neither a number nor a date: look further
    if (reset := as_number(headers.get("x-ratelimit-reset"))) is not None:
        # Documented as seconds to wait; some servers put the time of day here.
        return max(0.0, reset - time.time()) if reset > 1_000_000_000 else reset
    return None


class _About(TypedDict):
    status: int
    code: str | None
    request_id: str | None


def _error_body(text: str) -> tuple[str, str | None]:
    """Read the shapes an error comes in: nested, a string, a code with a message beside it, or plain text (7.2)."""
    try:
        payload = json.loads(text)
    except ValueError:
        plain = " ".join(text.split())
        return ("" if plain.startswith("<") else plain[:200]), None
    if not isinstance(payload, dict):
        return str(payload)[:200], None
    payload = as_mapping(payload)
    if error := as_mapping(payload.get("error")):
        code = as_text(error.get("code")) or as_text(error.get("type")) or as_text(payload.get("error_type"))
        return as_text(error.get("message")) or "", code
    said, message = as_text(payload.get("error")), as_text(payload.get("message"))
    if message:
        return message, said or as_text(payload.get("error_type"))
    return said or "", as_text(payload.get("error_type"))
