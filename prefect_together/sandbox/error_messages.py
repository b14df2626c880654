"""Refusals in Together's own words and shapes; decides nothing about when to refuse.

Bodies follow the OpenAPI schema `ErrorData` and the bodies that developers have published; where only the meaning of a
status is documented, the wording here is ours and says so.
"""

from __future__ import annotations

import secrets
from typing import Any

MODEL_PAGE = "https://api.together.ai/models"
INVALID = "invalid_request_error"
NO_CREDIT = "Credit limit exceeded"


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(status, message, type, param, code)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body: `{"id", "error": {"message", "type", "param", "code"}}`."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"id": request_id, "error": error}


def request_id() -> str:
    """Return an id of the form seen in answers, such as `p2pw6Tb-4YNCb4-a4126c823edcaa1d`; some are of another backend."""
    if secrets.randbelow(8) == 0:
        return f"{secrets.token_hex(4)}-aws_ue1"
    letters = secrets.token_urlsafe(12).replace("-", "a").replace("_", "b")
    return f"{letters[:7]}-{letters[7:13]}-{secrets.token_hex(8)}"


def bad_key() -> Refusal:
    """401; the status is documented, the wording is ours."""
    message = "Invalid API key provided. You can find your API key at https://api.together.ai/settings/api-keys."
    return Refusal(401, message, code="invalid_api_key")


def no_balance() -> Refusal:
    """402, in one of the two texts that were seen; the other is `insufficient balance`."""
    return Refusal(402, NO_CREDIT, type="insufficient_balance")


def no_sharing() -> Refusal:
    """403 on partner-hosted models, seen with this code."""
    message = (
        "This model is hosted by a third party. Third-party data sharing must be enabled for your organization "
        "by an admin (Organization Settings, Privacy) before it can be used."
    )
    return Refusal(403, message, code="third_party_data_sharing_blocked")


def unknown_model(model: str) -> Refusal:
    """404 for an id that nobody knows, in the words that Together uses."""
    message = f"Unable to access model {model}. Please visit {MODEL_PAGE} to view the list of supported models."
    return Refusal(404, message, code="model_not_available")


def no_model(model: str) -> Refusal:
    """400 for a model that is not served here, only on an endpoint of one's own, in the words that Together uses."""
    message = (
        f"Unable to access non-serverless model {model}. Please visit {MODEL_PAGE}/{model} to create and start a new "
        "dedicated endpoint for the model."
    )
    return Refusal(400, message, code="model_not_available")


def nsfw() -> Refusal:
    """422 of the safety checker, in the words that a developer published."""
    return Refusal(422, "image may contain NSFW content")


def unknown_parameter(name: str) -> Refusal:
    """400 for a field that the model or the endpoint does not know, as FLUX.2-pro answers."""
    return Refusal(400, f"Invalid parameter detected. The parameter \"'{name}'\" is not recognized or supported.")


def unsupported_use(name: str) -> Refusal:
    """400 for a picture in the wrong field, as flash-image-2.5 answers to `image_url`."""
    return Refusal(400, unsupported_text(name))


def unsupported_text(name: str) -> str:
    """Return the sentence that also the error of a failed job carries."""
    return f"Unsupported use of '{name}' parameter. This parameter is not supported for the selected model."


def missing(name: str) -> Refusal:
    """400 for a required field; the wording is ours."""
    return Refusal(400, f"Missing required parameter: '{name}'.", param=name)


def out_of_range(name: str, low: int, high: int) -> Refusal:
    """400 for a number, in the words seen for `steps`."""
    return Refusal(400, f"{name} must be between {low} and {high}", param=name)


def wrong_type(name: str, expected: str) -> Refusal:
    """400 for a value of the wrong kind; the wording is ours."""
    return Refusal(400, f"Invalid value for '{name}' parameter. Expected {expected}.", param=name)


def bad_seed() -> Refusal:
    """400 for a seed outside 31 bits, in Together's words."""
    message = "Invalid value for 'seed' parameter. Seed must be an integer value between 0 and 2147483647. Default: Random."
    return Refusal(400, message)


def off_the_menu(sizes: tuple[str, ...]) -> Refusal:
    """400 for a size that a model with a fixed menu does not offer, in Together's words."""
    menu = ", ".join(f"'{size}'" for size in sizes)
    return Refusal(
        400, f"Unsupported use of width/height parameters. This size is not supported. Supported values are: {menu}."
    )


def bad_area(smallest: int, largest: int) -> Refusal:
    """400 for an area outside a model's window, as Wan 2.6 Image answers; areas in pixels."""
    message = (
        "Invalid dimensions. The total area (width \u00d7 height) must be within the range of "
        f"{smallest} to {largest} pixels."
    )
    return Refusal(400, message)
