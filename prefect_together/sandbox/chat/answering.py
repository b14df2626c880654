"""Answer a chat request: what the batch endpoint asks for each of its lines, and the chat endpoint for its one.

    answered = await api.read(lambda: answer(api, body, account))
    api.store.accept(charge=answered.charge(account), files={})
    answered.body  # the chat.completion

It refuses as the endpoint does, by raising `error_messages.Refusal` or `api.BadInput`, and charges nothing itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, BadInput
from prefect_together.sandbox.chat import counting, writing
from prefect_together.sandbox.chat.counting import Usage
from prefect_together.sandbox.chat.ideas import gather
from prefect_together.sandbox.chat.reading import Asked, read_body
from prefect_together.sandbox.chat.shapes import Shape, shape_of
from prefect_together.sandbox.chat.sight import Seen, look
from prefect_together.sandbox.chat.writing import Choice
from prefect_together.sandbox.records import Charge, Tokens, whole

UNSEEN = frozenset({"stream", "stream_options", "prompt_cache_key", "user", "service_tier", "store", "metadata"})
"""Fields that do not change what is answered."""
Spoil = Callable[[Choice], Choice]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer, with what it costs."""

    asked: Asked
    choices: tuple[Choice, ...]
    usage: Usage
    usd: Decimal | None
    """US dollars, exactly; None where the price is not known."""
    prompt: str
    """The question, fit to be printed."""
    shape: Shape

    @property
    def body(self) -> dict[str, Any]:
        """The `chat.completion`."""
        return self.shape.completion(self.asked, self.choices, self.usage)

    def charge(self, account: str, *, kind: str = "chat") -> Charge:
        """Return what it costs, as the store takes it.

        Args:
            account: What `api.account` returned for the request.
            kind: What was asked for.
        """
        return Charge(
            id=self.shape.id, kind=kind, model=self.asked.model, usd=self.usd, prompt=self.prompt,
            at=dt.datetime.now(dt.timezone.utc), account=account, tokens=self._tokens(),
        )  # fmt: skip

    def _tokens(self) -> Tokens:
        return Tokens(input=self.usage.prompt, cached=self.usage.cached, output=self.usage.completion)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request that will be answered, as far as it can be read without being accepted."""

    asked: Asked
    seen: tuple[Seen, ...]
    text: str
    """All that goes in but the pictures."""
    sent: int
    """Tokens that go in."""
    identity: str

    @property
    def said(self) -> str:
        """What a fault's `match` is looked for in."""
        return f"{whole(self.asked.question)} {self.asked.model}"


def answer(api: Api, body: checks.Body, account: str) -> Answered:
    """Return the answer to a chat request. It may decode or fetch pictures: call it in a thread.

    Args:
        api: Whose store knows what was drawn, and which beginnings of prompts it has seen.
        body: The JSON object that was sent.
        account: What `api.account` returned for the request: beginnings are known to their own account.

    Raises:
        error_messages.Refusal: Together would not answer it.
        BadInput: A picture cannot be read.
    """
    return finish(api, prepare(api, body), account)


def prepare(api: Api, body: checks.Body) -> Prepared:
    """Check a request and look at its pictures. Arguments and errors as for `answer`."""
    asked = read_body(body, dedicated=api.dedicated)
    try:
        seen = tuple(look(image, api.store) for image in asked.images)
    except ValueError as error:
        raise BadInput(str(error)) from error
    text = counting.prompt_text(asked)
    sent = counting.TEMPLATE + counting.tokens(text) + sum(_tokens(one) for one in seen)
    return Prepared(asked=_fit(asked, sent, body), seen=seen, text=text, sent=sent, identity=_identity(body))


def finish(api: Api, prepared: Prepared, account: str, spoil: Spoil | None = None) -> Answered:
    """Write the answer to a request, and remember its prompt as one that was seen. Errors as for `answer`.

    Args:
        api: As for `answer`.
        prepared: The request.
        account: As for `answer`.
        spoil: Makes something else of each choice before its tokens are counted.
    """
    asked, identity = prepared.asked, prepared.identity
    shows = tuple(one.shows for one in prepared.seen)
    choices = tuple(
        writing.write(asked, gather(asked.question, shows, random.Random(f"{identity} {index}")), spoil=spoil)
        for index in range(asked.n)
    )
    usage = Usage(
        prompt=prepared.sent, cached=api.store.prefixes.known(f"{account} {asked.model}", prepared.text),
        completion=sum(choice.tokens for choice in choices), thoughts=sum(choice.thought_tokens for choice in choices),
    )  # fmt: skip
    # An endpoint of one's own is paid by its time.
    price = None if asked.model in api.dedicated else catalog.token_price(asked.model)
    usd = price and price.cost(input_tokens=usage.prompt, cached_tokens=usage.cached, output_tokens=usage.completion)
    return Answered(
        asked=asked, choices=choices, usage=usage, usd=usd, prompt=whole(asked.question), shape=shape_of(asked, identity)
    )


def _tokens(seen: Seen) -> int:
    return counting.picture_tokens(seen.width, seen.height)


def _fit(asked: Asked, sent: int, body: checks.Body) -> Asked:
    """Refuse what has no room in the model's context, or cut the answer to it where that is asked for."""
    room = asked.known and asked.known.context
    if room is None or sent + asked.budget <= room:
        return asked
    bounded = body.get("max_tokens") is not None or body.get("max_completion_tokens") is not None
    if sent < room and (not bounded or body.get("context_length_exceeded_behavior") == "truncate"):
        return replace(asked, budget=room - sent)
    message = (
        f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {room}. Given: {sent} `inputs` tokens and "
        f"{asked.budget if bounded else 1} `max_new_tokens`"
    )
    raise error_messages.Refusal(400, message, param="max_tokens")


def _identity(body: checks.Body) -> str:
    """Return a hash of all that makes one answer another one."""
    counted = {name: value for name, value in body.items() if name not in UNSEEN}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode("utf-8", "replace")).hexdigest()
