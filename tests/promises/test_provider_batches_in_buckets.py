"""Batches at Together from a library in a bucket, by the tasks that people call: sent, waited for, reused, and within a limit."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from prefect_together import GeneratedText, MediaLibrary, ProviderBatch, SpendLimit, generate_text, requests_from_table
from prefect_together.sandbox import Sandbox

from .batching import PATH, by_batch, charged, question, questions, submitted, waited

pytestmark = pytest.mark.slow


def test_submitted_and_waited_for(together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """The value that another process gets names the bucket; rows, answers and the table that comes out are in it."""
    sent = submitted(questions(3), library=bucket)
    assert sent.library == bucket.storage().url
    result = waited(ProviderBatch.model_validate_json(sent.model_dump_json()), library=bucket)
    assert (3, 3) == (result.kept, len(together_sandbox.charges()))
    table = result.write_table(f"{bucket.storage().url}/tables/foxes.parquet")
    back = requests_from_table(table, columns={"prompt": "text"}, constants={"model": "m"}, by_name=False)
    texts = [cast("GeneratedText", item.results[0]).text for item in result.items]
    assert texts == [row.columns["text"] for row in back]


def test_what_was_answered_is_reused(together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """By a question of its own, and by the named batch that is run again with one row more."""
    assert 3 == by_batch(questions(3), name="foxes", library=bucket).kept
    assert generate_text(question(1), library=bucket).reused
    again = by_batch(questions(4), name="foxes", library=bucket)
    assert (1, 3) == (again.kept, again.reused)
    assert [1] * 4 == list(charged(together_sandbox).values())
    assert 0 == together_sandbox.count(PATH)


def test_a_limit_in_the_bucket_holds(together_sandbox: Sandbox, bucket: MediaLibrary) -> None:
    """What two batches spend together stays below it, and is settled by what the lines did cost."""
    limit = SpendLimit(name="foxes", usd=Decimal(1))
    first = by_batch(questions(3), library=bucket, limit=limit)
    spent = sum((charge.usd or Decimal(0) for charge in together_sandbox.charges()), Decimal(0))
    assert (3, spent) == (first.kept, first.cost)
    small = SpendLimit(name="foxes", usd=spent)
    refused = by_batch([question(7)], library=bucket, limit=small, fail_on="never")
    assert (1, 3) == (refused.refused, len(together_sandbox.charges()))
