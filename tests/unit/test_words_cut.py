"""What is too long for its place is cut between words, with an ellipsis; and what is made of others is told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import pytest

from prefect_together import DerivedMedia, MediaReference
from prefect_together._internal.text import clipped, words_of
from prefect_together.cli import library_commands
from prefect_together.generations.derived import Operation
from prefect_together.ledger.ledger import Attempt
from prefect_together.ledger.queries import LedgerRow


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("a fox in the snow", 17, "a fox in the snow"),
        ("a fox in the snow", 16, "a fox in the…"),
        ("a fox in the snow", 13, "a fox in the…"),
        ("a fox,  in\nthe snow", 8, "a fox…"),
        ("unbelievablylongword", 10, "unbelieva…"),
        ("a unbelievablylongword", 12, "a unbelieva…"),
        ("狐は雪の中で眠っている", 6, "狐は雪の中…"),
        ("", 5, ""),
    ],
)
def test_words_are_whole(text: str, length: int, expected: str) -> None:
    """What is left is never longer than it may be, and ends with a whole word where there are any."""
    assert expected == clipped(text, length)
    assert len(clipped(text, length)) <= length


def test_a_name_that_its_file_cuts_is_cut_between_words() -> None:
    """The name of a file holds 40 characters of a prompt: the last word may be part of one."""
    name = "a-red-fox-asleep-under-an-old-oak-first-7f3a9c12-4be1aa.jpg"
    assert "a red fox asleep under an old oak first" == words_of(f"file:///library/images/{name}")
    name = "a-red-fox-asleep-under-an-old-oak-first-s-7f3a9c12-4be1aa.jpg"
    assert 40 < len(name.partition("-7f3a")[0])
    name = "a-red-fox-asleep-under-an-oak-first-snow-7f3a9c12-4be1aa.jpg"
    assert "a red fox asleep under an oak first…" == words_of(f"file:///library/images/{name}")


_NOW = datetime.now(timezone.utc)


def _made(operation: Operation, digit: str, *names: str) -> DerivedMedia:
    sources = [
        MediaReference(
            uri=f"file:///l/videos/{name}-7f3a9c12-4be1aa.mp4",
            sha256="0" * 64,
            size=1,
            media_type="video/mp4",
            created_at=_NOW,
        )
        for name in names
    ]
    return DerivedMedia(
        uri=f"file:///l/derived/{operation}-{digit * 12}.mp4",
        sha256=digit * 64,
        size=1,
        media_type="video/mp4",
        operation=operation,
        sources=tuple(sources),
        created_at=_NOW,
    )


def test_two_films_are_told_apart() -> None:
    """A film is called after its clips; two of the same prompts by four digits."""
    assert "film of 2 clips: rain, a heron · aaaa" == _made("join", "a", "rain", "a-heron").title()
    assert "film of 3 clips: rain · bbbb" == _made("join", "b", "rain", "rain", "rain").title()
    assert _made("join", "a", "rain").title() != _made("join", "b", "rain").title()
    assert "film of 4 clips: a, b, c, … · cccc" == _made("join", "c", "a", "b", "c", "d").title()
    assert "last frame of a clip: a heron · aaaa" == _made("last_frame", "a", "a-heron").title()
    assert "contact sheet of 2: rain, a heron · aaaa" == _made("contact_sheet", "a", "rain", "a-heron").title()


def test_a_film_of_a_film_is_called_after_its_clips() -> None:
    """Whatever is made of what was made here has the words of what that was made from, and no hash but its own four digits."""
    film = _made("join", "a", "rain", "a-heron")
    assert ("rain", "a heron") == film.names()
    cut = _made("trim", "b", "anything").model_copy(update={"named": film.names()})
    assert "part of a clip: rain, a heron · bbbb" == cut.title()
    assert "rain, a heron" == cut.origin()


@pytest.mark.parametrize(
    ("language", "words"), [("deu", "film with a track of subtitles (deu)"), ("und", None), (None, None)]
)
def test_a_track_says_its_language(language: str | None, words: str | None) -> None:
    """Films with tracks of several languages are told apart; where none is known, none is said."""
    asked = ("subtitles=00", *((f"language={language}",) if language else ()))
    film = _made("add_subtitles", "a", "rain").model_copy(update={"asked": asked})
    assert (words or "film with a track of subtitles") == film.maker


def test_the_columns_of_the_ledger_align(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """However long a model's or a type's name is, what is in one column begins at one place."""

    def row(model: str, kind: str, cost: str) -> LedgerRow:
        claim: dict[str, Any] = {"at": "2026-11-27T12:00:00+00:00", "kind": kind, "model": model, "title": "XX a fox"}
        return LedgerRow(Attempt("0" * 40, "any", 1, frozenset({"claimed"})), {**claim, "estimated_cost": cost}, {})

    rows = [
        row("a/b", "image", "0.03"),
        row("somebody/a-model-with-a-name-of-fifty-one-characters-x", "transcription", "12"),
    ]

    async def listed(*_: object, **__: object) -> AsyncIterator[LedgerRow]:
        for one in rows:
            yield one

    monkeypatch.setattr("prefect_together.ledger.queries.newest_attempts", listed)

    def opened(_: object) -> None:
        """Open nothing."""

    monkeypatch.setattr(library_commands, "opened", opened)
    library_commands.ledger()
    lines = capsys.readouterr().out.splitlines()
    assert 1 == len({line.index("XX a fox") for line in lines[1:3]} | {lines[0].index("what and where")})
    assert 1 == len({lines[1].index("a/b"), lines[2].index("somebody/"), lines[0].index("model")})
