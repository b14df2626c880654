"""Questions for a sandbox, what it was asked, and what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeVar, cast

import pytest
from pydantic import BaseModel, Field

from prefect_together import ChatRequest, generate_text
from prefect_together.errors import TogetherError
from prefect_together.sandbox import Sandbox

CHAT = "POST /v1/chat/completions"
PATH = "/v1/chat/completions"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
SEES = "Qwen/Qwen3.5-9B"
_Error = TypeVar("_Error", bound=TogetherError)


class Scene(BaseModel):
    """What a scene is made of."""

    prompt: str
    seconds: int = Field(ge=1, le=10)
    tags: list[str]
    mood: Literal["calm", "wild"]


def question(prompt: str = "Name a fox.", **fields: Any) -> ChatRequest:
    """Ask for a short answer of a model whose price is known."""
    asked: dict[str, Any] = {"model": LLAMA, "prompt": prompt, "max_tokens": 200, **fields}
    return ChatRequest(**asked)


def bodies(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return what was asked, in order."""
    return [cast("dict[str, Any]", request.body) for request in sandbox.requests() if request.path == PATH]


def failing(kind: type[_Error], request: ChatRequest) -> _Error:
    """Return the error of a question that has one."""
    with pytest.raises(kind) as raised:
        generate_text(request)
    return raised.value


def charged(sandbox: Sandbox) -> Decimal:
    """Return what all that was accepted would have cost."""
    return sum((charge.usd or Decimal(0) for charge in sandbox.charges()), Decimal(0))
