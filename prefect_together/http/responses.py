"""What Together's answers mean: typed, tolerant readings of JSON, and the right error for a refusal. Does no I/O."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict, cast

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


@dataclass(frozen=True)
class ImageItem:
    """One picture of an answer: hosted at a URL, or inline in base64."""

    url: str | None = None
    b64_json: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ImageAnswer:
    """What ``POST /v1/images/generations`` answers. ``type`` may be null or missing, so it is not asked (2.4)."""

    id: str | None
    items: tuple[ImageItem, ...]


@dataclass(frozen=True)
class JobAnswer:
    """What ``POST /v2/videos`` and ``GET /v2/videos/{id}`` answer.

    ``status`` is an open string: the spec has three values, the documentation five, and it may be missing (3.3).
    """

    id: str | None
    status: str
    video_url: str | None = None
    cost: Decimal | None = None
    size: str | None = None
    seconds: float | None = None
    error_message: str | None = None
    error_code: str | None = None

    @property
    def done(self) -> bool:
        """Whether the clip is there. ``completed`` may come a moment before its URL."""
        return self.status == "completed" and self.video_url is not None

    @property
    def over(self) -> bool:
        """Whether there will be no clip."""
        return self.status in {"failed", "cancelled", "canceled"}


class NotUnderstood(ValueError):
    """An answer with a good status whose content is not what the API promises."""


def read_images(payload: Any) -> ImageAnswer:
    """Read an image answer.

    Raises:
        NotUnderstood: There is no picture in it.
    """
    answer = _mapping(payload)
    items = tuple(
        ImageItem(url=_text(item.get("url")), b64_json=_text(item.get("b64_json")) or _text(item.get("base64")))
        for item in map(_mapping, _list(answer.get("data")))
    )
    items = tuple(item for item in items if item.url or item.b64_json)
    if not items:
        raise NotUnderstood("the answer holds no picture")
    return ImageAnswer(_text(answer.get("id")), items)


def read_job(payload: Any) -> JobAnswer:
    """Read a video job.

    Raises:
        NotUnderstood: It is not a JSON object.
    """
    if not isinstance(payload, dict):
        raise NotUnderstood("the answer is not a JSON object")
    payload = _mapping(payload)
    outputs, error = _mapping(payload.get("outputs")), payload.get("error")
    older = _mapping(payload.get("info")).get("errors")  # the shape before `error` (3.3)
    error = error or (_list(older) or [older])[0]
    details = _mapping(error) or {"message": error}
    return JobAnswer(
        id=_text(payload.get("id")),
        status=(_text(payload.get("status")) or "").lower(),
        video_url=_text(outputs.get("video_url")),
        cost=_money(outputs.get("cost")),
        size=_text(payload.get("size")),
        seconds=_positive(payload.get("seconds")),
        error_message=_text(details.get("message")),
        error_code=_text(details.get("code")) or _text(details.get("type")),
    )


def read_new_job(payload: Any) -> JobAnswer:
    """Read the answer to a video job that was just submitted.

    Raises:
        NotUnderstood: It has no id, without which the job cannot be asked for.
    """
    job = read_job(payload)
    if not job.id:
        raise NotUnderstood("the answer has no job id")
    return job


def refusal(status: int, text: str, headers: Mapping[str, str]) -> APIError:
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
        case 429 | 503 if not permanent(status, code):
            advice = "Try again later; the same request is still free to send."
            return RateLimited(said, advice=advice, retryable=True, retry_after=wait_hint(headers), **about)
        case _ if code == "model_not_available":
            advice = "Choose another model, or start a dedicated endpoint for this one."
            return BadRequest(said, advice=advice, **about)
        case 408:
            return ServerError(said, advice="Try again.", retryable=True, **about)
        case _ if status < 500:
            return BadRequest(said, advice="Correct the request; refusals are free.", **about)
        case _:
            return ServerError(said, advice="Try again.", retryable=True, **about)


def _forbidden(said: str, text: str, lowered: str, about: _About) -> APIError:
    if "third_party_data_sharing" in lowered:
        return DataSharingBlocked(said, advice=_SHARING, **about)
    if "error code: 1010" in text:
        advice = "The network in front of Together rejects this client: check proxies that change the User-Agent."
        return PermissionDenied(said, advice=advice, **about)
    return PermissionDenied(said, advice="Check what the key's organisation may use.", **about)


def permanent(status: int, code: str | None) -> bool:
    """Tell a 503 that will not pass from one that will: ``model_not_available`` means that nobody serves the model."""
    return status == 503 and code == "model_not_available"


def error_code(text: str) -> str | None:
    """Return the ``error.code`` (or type) of an error body, if it has one."""
    return _error_body(text)[1]


def wait_hint(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks us to wait: ``retry-after-ms``, ``Retry-After``, ``x-ratelimit-reset``.

    Only the last is documented by Together; the official SDK reads only the first two (together-api.md 1.4, 7.1).
    """
    if (milliseconds := _positive(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if after := headers.get("retry-after"):
        if (seconds := _positive(after)) is not None:
            return seconds
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError):
            pass  # neither a number nor a date: look further
    if (reset := _positive(headers.get("x-ratelimit-reset"))) is not None:
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
    payload = _mapping(payload)
    if error := _mapping(payload.get("error")):
        code = _text(error.get("code")) or _text(error.get("type")) or _text(payload.get("error_type"))
        return _text(error.get("message")) or "", code
    said, message = _text(payload.get("error")), _text(payload.get("message"))
    if message:
        return message, said or _text(payload.get("error_type"))
    return said or "", _text(payload.get("error_type"))


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _positive(value: Any) -> float | None:
    """Read a number that may come as a number or as text."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _money(value: Any) -> Decimal | None:
    """Read a cost: the spec says integer, reality is fractional, and it may be missing (3.3). Missing is unknown, not 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
