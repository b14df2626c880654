"""What a review shows, and what an answer means for each picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from prefect_together.generations.kept_file import KeptFile
from prefect_together.ui.review_form import Contradiction, decided, larger, question, table


@dataclass
class Filled:
    """An answer."""

    drop: list[int] = field(default_factory=list[int])
    redo: list[int] = field(default_factory=list[int])
    notes: str = ""


class Named(KeptFile):
    """A picture with words of its own."""

    words: str

    def title(self) -> str:
        """Return them."""
        return self.words


def files(count: int, width: int = 1344, height: int = 768) -> list[KeptFile]:
    """Return references to so many pictures."""
    when = datetime(2026, 11, 22, tzinfo=timezone.utc)
    return [
        KeptFile(
            uri=f"file:///{number}.png", sha256=f"{number:064}", size=1, media_type="image/png", created_at=when, width=width,
            height=height,
        )
        for number in range(count)
    ]  # fmt: skip


def test_silence_approves() -> None:
    """What is not named goes on."""
    assert ["approve"] * 3 == [decision.verdict for decision in decided(files(3), Filled())]


def test_notes_find_their_pictures() -> None:
    """A note with a number is for that picture, and one without a number is for all that are made again."""
    answer = Filled(drop=[1], redo=[2, 4], notes="more light\n\n4: closer\n2:wider")
    found = [(decision.verdict, decision.note) for decision in decided(files(4), answer)]
    assert [("drop", ""), ("redo", "wider more light"), ("approve", ""), ("redo", "closer more light")] == found


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(Filled(drop=[2, 1], redo=[1, 2]), "pictures 1, 2 cannot be both", id="both"),
        pytest.param(Filled(redo=[1], notes="3: closer"), "a note for picture 3, which Redo does not name", id="not-again"),
        pytest.param(Filled(redo=[1], notes="9: closer"), "a note for picture 9", id="no-such-picture"),
        pytest.param(Filled(notes="closer"), "Redo names no picture", id="for-nothing"),
    ],
)
def test_contradictions_are_said(answer: Filled, why: str) -> None:
    """An answer that says two things is no answer: nothing is paid on a guess."""
    with pytest.raises(Contradiction, match=why):
        decided(files(3), answer)


@pytest.mark.parametrize(
    ("count", "rows", "columns"),
    [pytest.param(1, 1, 1), pytest.param(2, 1, 2), pytest.param(3, 2, 2), pytest.param(8, 4, 2), pytest.param(40, 20, 2)],
)
def test_pictures_stand_in_rows(count: int, rows: int, columns: int) -> None:
    """Two a row, as many cells in each as in its head, and every picture has its number."""
    lines = table(files(count), {}).splitlines()
    assert rows == len(lines) - 2
    assert {columns + 1} == {line.count("|") for line in lines}
    assert all(f"**{number}** " in "\n".join(lines) for number in range(1, count + 1))


def test_prompts_are_whole() -> None:
    """A caption is the whole prompt, in lines that fit under the picture; the table stays one line for each row."""
    words = "a lighthouse on a cliff at dusk, a storm far out | and a boat, " * 4
    shown = table([Named(**one.model_dump(), words=words) for one in files(2)], {})
    assert 3 == len(shown.splitlines())
    captions = shown.splitlines()[2].removeprefix("| ").split(" | ")
    lines = captions[0].partition("<br>")[2].split("<br>")
    assert lines[0].startswith("**1** · a lighthouse")
    assert words.replace("|", "\\|").split() == " ".join(lines).removeprefix("**1** · ").split()
    assert all(len(line) <= 32 for line in lines)


def test_a_larger_view_has_everything() -> None:
    """Each picture with its number, and its prompt below it."""
    (one, two) = files(2)
    shown = larger([one, two], {one.sha256: "data:image/webp;base64,AAAA"})
    assert "### 1\n\n![Picture 1](data:image/webp;base64,AAAA)\n\nimage/png\n\n### 2\n\n_image/png_" in shown


def test_a_tall_picture_stays_small() -> None:
    """No picture is higher than the form has room for, and each keeps its shape."""
    (tall,) = files(1, width=768, height=1344)
    assert ' width="91" ' in table([tall], {tall.sha256: "data:image/webp;base64,AAAA"})


def test_the_question_says_what_follows() -> None:
    """What the pictures that go on will cost is said for each and for all."""
    assert "for about \\$0.56 each, \\$1.68 for all." in question(3, Decimal("0.56"))
    assert "\\$" not in question(3, None)
    assert question(3, None, "http://ui/artifact").endswith("the others go on. [See them larger](http://ui/artifact).")
