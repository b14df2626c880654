"""What is known about Together's models, dated and sourced; it never asks the server.

`find`, `models` and `sources` look things up, `estimate` and `estimate_at_most` price a request, `token_price` an answer
of text, `batch_discount` says what a provider's batch takes off, `voices_of` lists who speaks, and `preflight` says what
speaks against a request.
A model that is not here is not wrong: it has no findings, and its price is None.
"""

from __future__ import annotations

from prefect_together.catalog.loader import as_of, find, models, sources
from prefect_together.catalog.money import dollars
from prefect_together.catalog.preflight import preflight
from prefect_together.catalog.pricing import estimate, estimate_at_most
from prefect_together.catalog.tokens import TokenPrice, batch_discount, token_price
from prefect_together.catalog.types import Finding, Model, Price, Rate, Reasoning, Source
from prefect_together.catalog.voices import Voice, unknown_voice, voice_meant, voice_parts, voices_of

__all__ = [
    "Finding", "Model", "Price", "Rate", "Reasoning", "Source", "TokenPrice", "Voice", "as_of", "batch_discount",
    "dollars", "estimate", "estimate_at_most", "find", "models", "preflight", "sources", "token_price", "unknown_voice",
    "voice_meant", "voice_parts", "voices_of",
]  # fmt: skip
