"""How a model that writes picks its words: the fields that chat and completions have in common. No I/O here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from prefect_together.generations.request import Items, Request, Seed, plain


class SampledRequest(Request):
    """A request for text, word by word."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 to 2. With 0, or with a seed, equal requests are made once."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of all likely tokens, those that make up this share."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Of all likely tokens, this many."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Tokens at least this likely, beside the likeliest."""
    repetition_penalty: Annotated[float, Field(ge=0)] | None = None
    """Above 1: against saying the same again."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """-2 to 2: against words that were there."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """-2 to 2: against words that were there often."""
    stop: Items[str] = None
    """Where to stop writing."""
    seed: Seed | None = None
    """0 to 2147483647. A request with a seed is made once and reused by every later run."""
    n: Annotated[int, Field(ge=1, le=128)] = 1
    """How many texts for one request."""
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """How likely each token was, beside as many others."""
    echo: bool | None = None
    """Whether the prompt comes back as well."""
    logit_bias: dict[str, float] | None = None
    """What is added to a token's likelihood, by its id; most models take none."""

    @property
    def seeded(self) -> bool:
        """Whether the same request gets the same text again, as far as Together keeps to it."""
        return self.seed is not None or self.temperature == 0

    def sampling(self) -> dict[str, Any]:
        """Return what of it stands in the body: the fields that were set."""
        stop, several = list(self.stop) if self.stop else None, self.n if self.n > 1 else None
        found = {**plain(self, _PLAIN), "stop": stop, "n": several}
        return {name: value for name, value in found.items() if value is not None}


_PLAIN = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "logprobs",
    "echo",
    "logit_bias",
)
