"""The shapes in which Together's backends answer, key by key as they were captured; decides nothing about what is said."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.chat import counting
from prefect_together.sandbox.chat.counting import Usage
from prefect_together.sandbox.chat.reading import Asked, text_of
from prefect_together.sandbox.chat.writing import Choice

DONE = b"data: [DONE]\n\n"
"""The last event of every stream."""
END = 128_009
"""Token that ends a turn of Llama."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One answer's envelope, in the shape of the backend that serves the model."""

    id: str
    created: int
    backend: str
    """`native`, `openai` or `deepseek`."""
    trace: str
    """The key under which thoughts are."""
    identity: str

    def completion(self, asked: Asked, choices: tuple[Choice, ...], usage: Usage) -> dict[str, Any]:
        """Return the `chat.completion`."""
        head: dict[str, Any] = {
            "id": self.id, "object": "chat.completion", "created": self.created, "model": asked.model,
        }  # fmt: skip
        if self.backend != "deepseek":
            texts = [{"text": text_of(message), "logprobs": None} for message in asked.messages] if asked.echo else []
            head["prompt"] = texts
        head["choices"] = [self._choice(asked, choice, index) for index, choice in enumerate(choices)]
        head["usage"] = self.usage(usage)
        if self.backend != "native":
            head["system_fingerprint"] = "default"
        return head

    def _choice(self, asked: Asked, choice: Choice, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": choice.text}
        calls = [{"index": 0, **self.call(choice)}] if choice.call else []
        if calls or self.backend != "deepseek":
            message["tool_calls"] = calls
        if choice.thoughts:
            message[self.trace] = choice.thoughts
        written: dict[str, Any] = {"finish_reason": choice.finish}
        if self.backend != "deepseek":
            written["seed"] = choice.seed if self.backend == "native" else None
        written["index"] = index
        if self.backend == "native" or asked.logprobs is not None:
            written["logprobs"] = None if asked.logprobs is None else self._logprobs(choice, asked.logprobs)
        return {**written, "message": message}

    def usage(self, usage: Usage) -> dict[str, Any]:
        """Return the counts: cached and thought tokens flat or nested, as the backend has them."""
        counts: dict[str, Any] = {
            "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
        }  # fmt: skip
        if self.backend == "native":
            return {**counts, "cached_tokens": usage.cached}
        nested = {"prompt_tokens_details": {"cached_tokens": usage.cached}}
        return {**counts, **nested, "completion_tokens_details": {"reasoning_tokens": usage.thoughts}}

    def call(self, choice: Choice) -> dict[str, Any]:
        """Return the call of a function, as an answer carries it."""
        name, arguments = choice.call or ("", "{}")
        return {"id": self.call_id, "type": "function", "function": {"arguments": arguments, "name": name}}

    @property
    def call_id(self) -> str:
        """The id of a call, the same for the same request."""
        return f"call_{int(self.identity, 16) % 36**24:024x}"[:29]

    def _logprobs(self, choice: Choice, count: int) -> dict[str, Any]:
        """Return them in one of the two shapes that exist."""
        pieces = counting.pieces(choice.text or "")
        probs = [-round(0.01 + (len(piece) * 7 + at * 13) % 50 / 100, 4) for at, piece in enumerate(pieces)]
        others = [{f"alternative-{rank}": -3.0 - rank for rank in range(1, count)} for _ in pieces]
        if self.backend == "native":
            tops = [{piece: prob, **more} if count else {} for piece, prob, more in zip(pieces, probs, others, strict=True)]
            ids = [token_id(piece) for piece in pieces]
            return {"tokens": pieces, "token_logprobs": probs, "token_ids": ids, "top_logprobs": tops}
        return {
            "content": [_logprob(piece, prob, count, more) for piece, prob, more in zip(pieces, probs, others, strict=True)]
        }


def _logprob(piece: str, prob: float, count: int, others: dict[str, float]) -> dict[str, Any]:
    def one(token: str, value: float) -> dict[str, Any]:
        return {"token": token, "bytes": list(token.encode()), "logprob": value}

    tops = [one(piece, prob), *(one(token, value) for token, value in others.items())] if count else []
    return {**one(piece, prob), "top_logprobs": tops}


def token_id(piece: str) -> int:
    """Return the number of a token, the same for the same piece of text."""
    return sum((at + 1) * code for at, code in enumerate(piece.encode("utf-8", "replace"))) % END


def shape_of(asked: Asked, identity: str) -> Shape:
    """Return a new envelope in the shape of the backend that serves the model."""
    deepseek = asked.model.startswith("deepseek-ai/")
    backend = "deepseek" if deepseek else "openai" if asked.model.startswith("openai/") else "native"
    facts = asked.known.reasoning if asked.known else None
    return Shape(
        id=f"{secrets.token_hex(4)}-aws_ue1" if deepseek else error_messages.request_id(),
        created=int(time.time()), backend=backend,
        trace=(facts and facts.trace) or ("reasoning_content" if deepseek else "reasoning"), identity=identity,
    )  # fmt: skip


def events(shape: Shape, asked: Asked, choices: tuple[Choice, ...], usage: Usage | None) -> Iterator[bytes]:
    """Yield the events of a stream, the last one included.

    Args:
        shape: The envelope.
        asked: The request.
        choices: What is answered.
        usage: None where it is left out.
    """
    last = len(choices) - 1
    counts = None if usage is None else shape.usage(usage)
    for index, choice in enumerate(choices):
        ending = counts if index == last and shape.backend != "openai" else None
        for chunk in _chunks(shape, index, choice, ending):
            yield event({**_head(shape), "choices": [chunk["choice"]], "model": asked.model, **chunk["usage"]})
    if counts is not None and shape.backend == "openai":
        yield event({**_head(shape), "choices": [], "model": asked.model, "usage": counts})
    yield DONE


def event(value: Any) -> bytes:
    """Return one event of a stream."""
    return f"data: {json.dumps(value, separators=(',', ':'), ensure_ascii=False)}\n\n".encode("utf-8", "replace")


def _head(shape: Shape) -> dict[str, Any]:
    return {"id": shape.id, "object": "chat.completion.chunk", "created": shape.created}


def _chunks(shape: Shape, index: int, choice: Choice, counts: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the choice of each chunk, and the usage that stands beside it."""

    def chunk(text: str, *, finish: str | None = None, usage: Any = None, **delta: Any) -> dict[str, Any]:
        native = shape.backend == "native"
        said = {**({"token_id": token_id(text) if text else END} if native else {}), "role": "assistant", "content": text}
        seed = choice.seed if finish and native else None
        fields = {"index": index, "text": text, "logprobs": None, "finish_reason": finish, "seed": seed}
        return {"choice": {**fields, "delta": {**said, **delta}}, "usage": {"usage": usage}}

    for piece in counting.pieces(choice.thoughts):
        yield chunk("", **{shape.trace: piece})
    if choice.call:
        yield chunk("")
        yield from _call_chunks(shape, index, choice)
    for piece in counting.pieces(choice.text or ""):
        yield chunk(piece)
    yield chunk("", finish=choice.finish, usage=counts)


def _call_chunks(shape: Shape, index: int, choice: Choice) -> Iterator[dict[str, Any]]:
    """Yield the two chunks of a call: its name, then its arguments without id, type and name, and no usage in either."""
    name, arguments = choice.call or ("", "")
    fields = {"index": index, "role": "assistant", "text": "", "logprobs": None, "finish_reason": None, "seed": None}
    named = {"index": 0, "id": shape.call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    yield {"choice": {**fields, "delta": {"role": "assistant", "content": "", "tool_calls": [named]}}, "usage": {}}
    argued = {"index": 0, "function": {"arguments": arguments}}
    fields = {key: value for key, value in fields.items() if key != "role"} | {"finish_reason": "tool_calls"}
    yield {"choice": {**fields, "delta": {"role": "assistant", "content": "", "tool_calls": [argued]}}, "usage": {}}
