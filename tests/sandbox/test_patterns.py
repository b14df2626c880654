"""A text by a regular expression: one that it matches, of all the kinds of characters that it takes."""

from __future__ import annotations

import random
import re
import string

import pytest

from prefect_together.sandbox.chat.patterns import example


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z])\S{8,12}", id="a-password"),
        pytest.param(r"(?=\w*\d)\w{6}", id="a-word-with-a-digit"),
        pytest.param(r"(?=.*\s).{4,}", id="words"),
        pytest.param(r"[^\S ]", id="a-space-that-is-none"),
        pytest.param(r"[^\W\d_]+", id="letters"),
        pytest.param(r"[^\x00-\x7f]", id="beyond-ascii"),
        pytest.param(r"[^\]\\^-]+", id="without-what-a-set-is-written-with"),
        pytest.param(r"[\s\S]{3}", id="anything"),
        pytest.param(r"^(a)?(?(1)b|c)$", id="depends-on-a-group"),
        pytest.param(r"[#\d]{2}", id="a-mark-or-a-digit"),
    ],
)
def test_it_matches(pattern: str) -> None:
    """Whatever the draw."""
    texts = [example(pattern, random.Random(seed)) for seed in range(20)]
    assert all(re.fullmatch(pattern, text) for text in texts), texts
    assert all(texts)


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        (r"\S", [string.ascii_lowercase, string.ascii_uppercase, string.digits, ".,-!?_"]),
        (r"\w", [string.ascii_lowercase, string.ascii_uppercase, string.digits, "_"]),
        (r"\D", [string.ascii_letters, " ", ".,-!?_"]),
        (r".", [string.ascii_lowercase, string.ascii_uppercase, string.digits, " ", ".,-!?_"]),
        (r"[^a]", [string.ascii_lowercase, string.ascii_uppercase, string.digits, " "]),
    ],
)
def test_all_kinds_of_characters_come(pattern: str, kinds: list[str]) -> None:
    """A class that takes letters, digits and marks gives all of them in time, not one kind alone."""
    seen = {example(pattern, random.Random(seed)) for seed in range(400)}
    assert [True] * len(kinds) == [any(one in kind for one in seen) for kind in kinds]
    assert len(seen) > len(kinds) * 5


def test_a_repetition_is_no_repetition_of_one_character() -> None:
    """Each character is drawn anew."""
    assert len(set(example(r"\S{40}", random.Random(1)))) > 10
