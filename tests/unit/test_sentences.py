"""How a long text is parted for those who speak it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_together.generations.sentences import sentence_pieces

LONG = 500


def _plain(text: str) -> str:
    return "".join(text.split())


@given(st.text(st.characters(codec="utf-8"), max_size=400), st.integers(10, 80))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, most: int) -> None:
    """Whatever the text: all of it is there but the space between pieces, and each piece has as much as it may."""
    pieces = sentence_pieces(text, most)
    assert _plain(text) == _plain("".join(pieces))
    assert all(0 < len(piece) <= most for piece in pieces)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The sea was calm that night. A lamp burnt on the pier.", ["The sea was calm that night.", "A lamp burnt on the pier."]),
        ("Dr. Smith paid 3.50 for it, e.g. in coins. He went home then.", None),
        ("“Where have you been all night?” she asked him twice.", ["“Where have you been all night?” she asked him twice."]),
        ("Am 3. Mai fuhr das Schiff nach Norden. Keiner kam wieder zurück.", None),
        ("No. It cannot be so, she said to him.", ["No. It cannot be so, she said to him."]),
        ("海はその夜とても静かで、誰もいなかったのです。桟橋には小さなランプが一つだけ灯っていました。", None),
        ("यह एक लंबा वाक्य है जो समाप्त होता है। और यह दूसरा वाक्य है जो आगे चलता है।", None),
        ("كان البحر هادئا في تلك الليلة، أليس كذلك؟ نعم كان البحر هادئا جدا.", None),
        ("A title of a chapter without a stop\n\nAnd the text of the chapter goes on.", None),
    ],
)  # fmt: skip
def test_sentences_are_whole(text: str, pieces: list[str] | None) -> None:
    """In several languages; what ends with a dot and ends no sentence does not part one."""
    found = list(sentence_pieces(text, LONG))
    assert (len(found) == 2) if pieces is None else pieces == found


def test_a_sentence_that_is_too_long_is_parted_at_clauses_then_at_words() -> None:
    """And in the middle of a word only where there is nothing else."""
    assert ("the sea was calm,", "and a lamp burnt") == sentence_pieces("the sea was calm, and a lamp burnt", 20)
    assert ("the sea was calm and", "a lamp burnt") == sentence_pieces("the sea was calm and a lamp burnt", 20)
    assert ("a" * 20, "a" * 5) == sentence_pieces("a" * 25, 20)


@pytest.mark.parametrize("letter", ["e\u0301", "👨\u200d👩\u200d👧", "नि", "❤\ufe0f"])
def test_a_text_without_spaces_is_parted_between_its_letters(letter: str) -> None:
    """Accents, vowels and the parts of an emoji stay with what they belong to."""
    pieces = sentence_pieces(letter * 100, 19)
    assert all(piece == letter * (len(piece) // len(letter)) for piece in pieces)
    assert letter * 100 == "".join(pieces)


def test_a_changed_sentence_changes_one_piece() -> None:
    """Wherever it stands, and however much longer or shorter it gets."""
    sentences = [f"This is sentence number {number} of a long text." for number in range(40)]
    before = sentence_pieces(" ".join(sentences), LONG)
    for place in (0, 17, 39):
        changed = [*sentences]
        changed[place] = (
            "Quite another sentence stands here now, and it is a good deal longer than the one that was here before."
        )
        after = sentence_pieces(" ".join(changed), LONG)
        assert 1 == len(set(after) - set(before))
        assert 1 == len(set(before) - set(after))


@pytest.mark.parametrize(
    "text",
    [
        "“No!” She left the room. “Yes.” He stayed there.",
        "ما هذا؟ هذا كتاب جديد جدا وجميل.",
        "यह क्या है। यह एक बहुत अच्छी किताब है।",
        "Wait… Now go on with it at once.",
        "(No.) It is what it is, she said.",
        "「はい。」と彼は言った。そしてすぐに帰った。",
        "海は静かだ。誰もいない。",
    ],
)
def test_the_space_between_short_sentences_stays(text: str) -> None:
    """Where the text has one it is said, in whatever script; where it has none, as in Japanese, none is paid for."""
    assert text == " ".join(sentence_pieces(text, LONG))
