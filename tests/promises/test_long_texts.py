"""Long texts are spoken by the sentence: each paid for and kept by itself, all joined into one recording."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from prefect_together import SpendLimit, expected, generate_speech, plan, requests_from_table
from prefect_together.errors import BadRequest
from prefect_together.sandbox import Sandbox

from .asking import run_batch
from .speaking import CHARACTER, LONG, SENTENCES, SPEAK, line, spent, spoken


def test_a_long_text_is_paid_for_by_the_sentence(together_sandbox: Sandbox) -> None:
    """Each piece is paid for and kept by itself; joined it is the whole text, once, for the same price."""
    made = spoken(line(LONG, alignment="word"))
    assert [len(SENTENCES)] * 2 == [len(together_sandbox.charges()), len(made.pieces)]
    assert sum(map(len, SENTENCES)) * CHARACTER == made.cost == spent(together_sandbox)
    assert LONG == " ".join(word.word for word in made.words)
    starts = [word.start for word in made.words]
    assert starts == sorted(starts)
    pieces = [generate_speech(line(sentence, alignment="word")) for sentence in SENTENCES]
    assert all(piece.reused for piece in pieces)
    assert made.seconds == pytest.approx(sum(piece.seconds or 0 for piece in pieces), abs=0.02)
    assert len(SENTENCES) == len(together_sandbox.charges())
    again = spoken(line(LONG, alignment="word"))
    assert (True, made.uri, made.words) == (again.reused, again.uri, again.words)
    assert made.verify()


def test_a_changed_sentence_pays_for_one_piece(together_sandbox: Sandbox) -> None:
    """Wherever it stands."""
    before = spoken(line(LONG))
    changed = spoken(line(LONG.replace("number 4,", "number four, which was changed,")))
    assert len(SENTENCES) + 1 == len(together_sandbox.charges())
    assert 1 == len({piece.sha256 for piece in changed.pieces} - {piece.sha256 for piece in before.pieces})
    assert before.sha256 != changed.sha256


def test_a_long_text_as_mp3_is_encoded_once(together_sandbox: Sandbox) -> None:
    """Of pieces that are lossless, so that nothing is encoded twice and no piece begins with an encoder's silence."""
    pytest.importorskip("av", reason="needs PyAV, of the extra media")
    made = spoken(line(LONG, response_format="mp3"))
    whole = spoken(line(LONG))
    assert ("audio/mpeg", "audio/wav") == (made.media_type, whole.media_type)
    assert made.seconds == pytest.approx(whole.seconds or 0, abs=0.15)
    assert len(SENTENCES) == len(together_sandbox.charges())


def test_a_piece_that_fails_is_asked_for_again_alone(together_sandbox: Sandbox) -> None:
    """All others are kept, which the error says, and the next run pays for one; its sum has that one alone."""
    together_sandbox.fault(SPEAK, "400", match="number 5,")
    with pytest.raises(BadRequest, match="7 of its 8 parts are kept, and are not paid for again") as raised:
        spoken(line(LONG))
    assert "Nothing was paid" not in str(raised.value)
    assert len(SENTENCES) - 1 == len(together_sandbox.charges())
    whole = spoken(line(LONG))
    assert LONG == whole.text
    assert len(SENTENCES) == len(together_sandbox.charges())
    assert spent(together_sandbox) - len(SENTENCES[4]) * CHARACTER == whole.paid_before


def test_a_sentence_that_a_text_has_twice_is_paid_for_once(together_sandbox: Sandbox) -> None:
    """It is heard twice, charged once, and counted once."""
    made = spoken(line(f"{LONG} {SENTENCES[0]}"))
    assert (len(SENTENCES), len(SENTENCES) + 1) == (len(together_sandbox.charges()), len(made.pieces))
    assert spent(together_sandbox) == made.cost
    assert made.paid_before is None


def test_what_says_nothing_is_not_sent(together_sandbox: Sandbox) -> None:
    """Stars and dots between chapters are no pieces, and are not paid for."""
    made = spoken(line(f"{LONG}\n\n* * *\n\n{SENTENCES[0]}\n\n…"))
    assert (len(SENTENCES), len(SENTENCES) + 1) == (len(together_sandbox.charges()), len(made.pieces))


@pytest.mark.parametrize("between", ["\n\n* * *\n\n", "\n\n—\n\n", "\n\n" + "." * 600 + "\n\n"])
def test_what_stands_between_scenes_is_not_spoken(together_sandbox: Sandbox, between: str) -> None:
    """Nothing is to be said there, so nothing is sent: a model that refuses it would keep the text from ever being whole."""
    text = between.join([" ".join(SENTENCES[:4]), " ".join(SENTENCES[4:])])
    made = spoken(line(text))
    assert (text, len(SENTENCES)) == (made.text, len(made.pieces))
    assert [*SENTENCES] == sorted(_asked(together_sandbox))
    assert sum(map(len, SENTENCES)) * CHARACTER == made.cost == spent(together_sandbox)


def _asked(together: Sandbox) -> list[str]:
    return [cast("dict[str, str]", request.body)["input"] for request in together.requests() if "speech" in request.path]


def test_how_long_is_long_is_a_setting(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text within it is one request."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_SPEECH_CHARACTERS", "5000")
    assert () == spoken(line(LONG)).pieces
    assert 1 == len(together_sandbox.charges())


def test_a_plan_says_what_a_long_text_costs(together_sandbox: Sandbox) -> None:
    """Its pieces are what would be sent; those that are kept already are not."""
    generate_speech(line(SENTENCES[0]))
    found = plan([line(LONG)])
    assert (len(SENTENCES) - 1, 1) == (found.send, found.reused)
    assert sum(map(len, SENTENCES[1:])) * CHARACTER == found.cost
    made = spoken(line(LONG))
    assert (0, len(SENTENCES)) == ((after := plan([line(LONG)])).send, after.reused)
    assert made.uri == expected(line(LONG)).uri


def test_a_limit_holds_within_a_text(together_sandbox: Sandbox) -> None:
    """Each piece reserves what it costs: the one that would pass the limit is not sent."""
    limit = SpendLimit(name="narration", usd=Decimal("0.0015"))
    (item,) = run_batch([line(LONG)], limit=limit, fail_on="never").items
    assert "the limit 'narration' is $0.0015" in str(item.error)
    assert spent(together_sandbox) <= Decimal("0.0015")
    assert together_sandbox.charges()


def test_batches_speak_a_table(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A row each, long ones too; bad rows stop no other, and the table says what each recording is."""
    rows = [{"id": 1, "text": "A short line."}, {"id": 2, "text": LONG}, {"id": 3, "text": " "}]
    table = requests_from_table(
        rows,
        type="speech",
        columns={"input": "text"},
        constants={"model": "hexgrad/Kokoro-82M", "voice": "af_heart"},
    )
    made = run_batch(table, name="lines", fail_on="never")
    assert ["kept", "kept", "refused"] == [item.outcome for item in made.items]
    assert 1 + len(SENTENCES) == len(together_sandbox.charges())
    made.write_table(out := tmp_path / "out.csv")
    written = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    short, long, bad = written
    assert ("1", "audio/wav", "13") == (short["id"], short["media_type"], short["characters"])
    assert float(long["seconds"]) > float(short["seconds"]) > 0
    assert Decimal(long["cost"]) == sum(map(len, SENTENCES)) * CHARACTER
    assert "column 'text': SpeechRequest needs 'input'" in bad["error"]
