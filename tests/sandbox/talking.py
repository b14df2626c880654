"""Short ways to ask in words and to look at answers; asserts nothing by itself."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx

from .asking import picture, pictures

CHAT = "/v1/chat/completions"
LLAMA, SIGHTED, OSS, DEEPSEEK, GLM = (
    "meta-llama/Llama-3.3-70B-Instruct-Turbo", "Qwen/Qwen3.5-9B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V4.1-Flash",
    "zai-org/GLM-5.3",
)  # fmt: skip
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat_body(text: Any = "Say ok", *, model: str = LLAMA, **fields: Any) -> dict[str, Any]:
    """Return a chat request of one turn, changed as told."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def asked(client: httpx.Client, text: Any = "Say ok", **fields: Any) -> dict[str, Any]:
    """Ask, and return the whole answer."""
    answer = client.post(CHAT, json=chat_body(text, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(client: httpx.Client, text: Any = "Say ok", **fields: Any) -> Any:
    """Ask, and return the text of the first choice."""
    return asked(client, text, **fields)["choices"][0]["message"]["content"]


def chunks(client: httpx.Client, text: Any = "Say ok", **fields: Any) -> list[dict[str, Any]]:
    """Ask for a stream and return its chunks, checking that each is one line and that the end is said."""
    answer = client.post(CHAT, json=chat_body(text, stream=True, **fields))
    assert answer.headers["content-type"] == "text/event-stream"
    *events, end, rest = answer.text.split("\n\n")
    assert ("data: [DONE]", "") == (end, rest)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def schema(name: str = "answer", **properties: Any) -> dict[str, Any]:
    """Return a `response_format` of an object with these properties, all required."""
    wanted = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": name, "schema": wanted, "strict": True}}


def shown(client: httpx.Client, prompt: str, *, side: int | None = None, **fields: Any) -> dict[str, Any]:
    """Draw a picture, save it again as a JPEG with at most `side` pixels a side, and return it as a part of a message."""
    (content,) = pictures(client, prompt=prompt, seed=7, **fields)
    if side is not None:
        small, target = picture(content), io.BytesIO()
        small.thumbnail((side, side))
        small.save(target, "JPEG", quality=75)
        content = target.getvalue()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"}}
