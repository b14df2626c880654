"""Recordings, clips and films as words with times: paid for once, known by their bytes, and shown as what they are."""

from __future__ import annotations

import asyncio
import csv
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from prefect_together import (
    Transcript,
    add_sound,
    atranscribe,
    atranslate,
    generate_video,
    plan,
    requests_from_table,
)
from prefect_together.errors import BadRequest, InvalidRequest, UnknownOutcome
from prefect_together.generations import recordings, sound_tracks
from prefect_together.sandbox import Sandbox

from .asking import clip, run_batch
from .listening import (
    NIGHT,
    PARAKEET,
    TRANSCRIPTIONS,
    URL,
    WHISPER,
    asked,
    charged,
    copied,
    form_of,
    heard,
    in_english,
    spoken,
    translated,
)


def test_the_words_of_a_recording_come_back_with_their_times(together_sandbox: Sandbox) -> None:
    """What was spoken is heard, in order; seconds and cost are those that were charged."""
    line = spoken()
    found = heard(line)
    assert (NIGHT, "en", "transcript") == (found.text, found.language, found.noun)
    assert NIGHT == " ".join(one.word for one in found.words) == " ".join(one.text for one in found.segments)
    assert all(0 <= one.start < one.end <= after.start + 0.001 for one, after in pairwise(found.words))
    assert found.seconds == pytest.approx(line.seconds, abs=0.1)
    (charge,) = charged(together_sandbox)
    assert charge.usd == found.cost
    assert found.cost == found.estimated_cost
    assert (line.sha256,) == tuple(source.sha256 for source in found.made_from())


def test_equal_recordings_are_heard_once(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A kept file and a copy of it elsewhere have the same bytes: the second transcript costs nothing, in other runs too."""
    line = spoken()
    first = heard(line)
    again = heard(copied(line, tmp_path / "other name.wav"))
    assert (False, True) == (first.reused, again.reused)
    assert first.words == again.words
    assert 1 == len(charged(together_sandbox))
    assert not heard(line, reuse="never").reused
    assert 2 == len(charged(together_sandbox))


def test_of_a_film_its_sound_is_heard(together_sandbox: Sandbox) -> None:
    """The film itself is the request; what goes out is its sound alone."""
    film = add_sound(generate_video(clip(seconds=8)), spoken())
    found = heard(film)
    assert found.text == NIGHT
    assert (film.sha256,) == tuple(source.sha256 for source in found.made_from())
    size = int(form_of(together_sandbox)["file"].split()[0])
    assert 0 < size < film.size


def test_every_field_goes_out_as_it_was_asked(together_sandbox: Sandbox) -> None:
    """Always as verbose_json, from which the cost is known, and with the language; what was not asked is not sent."""
    line = spoken()
    heard(asked(line))
    plain = form_of(together_sandbox)
    assert {"model", "language", "response_format", "timestamp_granularities[]", "file"} == plain.keys()
    assert ("auto", "verbose_json") == (plain["language"], plain["response_format"])
    heard(asked(line, language="en", prompt="captain", temperature=0.5, diarize=True, min_speakers=1, max_speakers=3))
    full = form_of(together_sandbox)
    wanted = {"language": "en", "prompt": "captain", "temperature": "0.5", "diarize": "true", "min_speakers": "1"}
    assert {**wanted, "max_speakers": "3"} == {name: full[name] for name in (*wanted, "max_speakers")}


def test_speakers_are_told_apart(together_sandbox: Sandbox) -> None:
    """Who speaks is in the words, in the segments of speakers, and in WebVTT."""
    found = heard(asked(spoken(), diarize=True))
    assert found.speakers
    assert {one.speaker for one in found.words} == set(found.speakers) == {one.speaker for one in found.speaker_segments}
    assert f"<v {found.speakers[0]}>The sea was calm" in found.to_vtt()


def test_part_of_a_recording_has_the_times_of_the_whole(together_sandbox: Sandbox) -> None:
    """What is asked from a time on is heard from there, paid for from there, and its times are those of the recording."""
    line = spoken()
    whole, part = heard(line), heard(asked(line, start=2.1))
    assert part.text.startswith("Nobody on board slept")
    same = whole.words[-len(part.words) :]
    assert [(one.word, pytest.approx(one.start, abs=0.1)) for one in same] == [(one.word, one.start) for one in part.words]
    assert (part.seconds or 0) < (whole.seconds or 0) - 2
    assert (charged(together_sandbox)[1].usd or 1) < (charged(together_sandbox)[0].usd or 0)


def test_a_url_is_passed_on(together_sandbox: Sandbox) -> None:
    """As a field of text; before, nobody knows what it costs, and afterwards it is known by the length that was heard."""
    before = plan([asked(URL)])
    assert (1, Decimal("0.36")) == (before.unknown_prices, before.most)  # four hours, the longest that is taken
    assert "1 of unknown price (at most $0.36 in all)" in str(before)
    found = heard(URL)
    assert URL == form_of(together_sandbox)["file"]
    (charge,) = charged(together_sandbox)
    assert (charge.usd, None) == (found.cost, found.estimated_cost)
    assert heard(URL).reused
    assert 1 == run_batch([asked(URL, prompt="home")], max_cost="0.37").kept
    assert ["refused"] == [
        one.outcome for one in run_batch([asked(URL, prompt="way")], max_cost="0.35", fail_on="never").items
    ]


def test_translations_are_transcripts_in_english(together_sandbox: Sandbox) -> None:
    """The same in every way but its name; one does not stand in for the other."""
    line = spoken()
    found = translated(line)
    assert isinstance(found, Transcript)
    assert ("translation", "translation", "en") == (found.kind, found.noun, found.language)
    assert found.words
    assert heard(line).kind == "transcription"
    assert (1, 1) == (len(charged(together_sandbox, "translation")), len(charged(together_sandbox)))
    assert translated(line).reused


def test_async_twins(together_sandbox: Sandbox) -> None:
    """They take and make the same."""
    line = spoken()

    async def both() -> tuple[Transcript, Transcript]:
        return await atranscribe(asked(line)), await atranslate(in_english(line))

    assert ["transcription", "translation"] == [one.kind for one in asyncio.run(both())]


def test_what_a_model_does_not_do_is_refused_before_it_is_sent(together_sandbox: Sandbox) -> None:
    """Only Whisper translates."""
    line = spoken()
    with pytest.raises(InvalidRequest, match=r"does not take translation=True .* prefer openai/whisper-large-v3"):
        translated(in_english(line, model=PARAKEET))
    assert [] == charged(together_sandbox, "translation")


def test_missing_times_are_empty_and_a_missing_length_is_an_unknown_cost(together_sandbox: Sandbox) -> None:
    """The words were paid for: they are kept, and what is not known is not made up."""
    together_sandbox.fault(TRANSCRIPTIONS, "null_segments")
    found = heard(spoken())
    assert (NIGHT, (), ()) == (found.text, found.segments, found.words)
    assert found.to_srt().startswith("1\n00:00:00,000 --> ")
    together_sandbox.fault(TRANSCRIPTIONS, "no_duration")
    found = heard(spoken("And then it was day."))
    assert (None, None) == (found.seconds, found.cost)
    assert found.estimated_cost
    assert "about" in found.price()


def test_what_was_not_taken_is_sent_again_and_what_may_have_been_is_not(together_sandbox: Sandbox) -> None:
    """A 429 costs nothing and is waited out; an answer that is lost is unknown, and nothing is sent again unasked."""
    line = spoken()
    together_sandbox.fault(TRANSCRIPTIONS, "429", times=2, hint="retry-after", wait=0)
    assert heard(line).text == NIGHT
    assert 1 == len(charged(together_sandbox))
    other = spoken("And then it was day.")
    together_sandbox.fault(TRANSCRIPTIONS, "accept_then_close")
    with pytest.raises(UnknownOutcome):
        heard(other, on_unknown="fail")
    before = together_sandbox.count("/v1/audio/transcriptions")
    with pytest.raises(UnknownOutcome):
        heard(other, on_unknown="fail")
    assert before == together_sandbox.count("/v1/audio/transcriptions")


def test_a_refusal_is_free(together_sandbox: Sandbox) -> None:
    """What Together says is said on, and the file is not kept open for it."""
    together_sandbox.fault(TRANSCRIPTIONS, "413", code="request_too_large")
    with pytest.raises(BadRequest, match="request_too_large") as caught:
        heard(spoken())
    assert "nothing" == caught.value.paid
    assert [] == charged(together_sandbox)


@pytest.mark.parametrize("exact", [3600.0, 0.0], ids=["lossless", "as-above-an-hour"])
def test_long_recordings_are_heard_in_pieces(
    exact: float, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each piece is paid for once; words and times are those of the whole, and speakers of pieces are not mixed up."""
    monkeypatch.setattr(recordings, "_EXACT", exact)
    line = copied(spoken(" ".join([NIGHT] * 4)), tmp_path / "long.wav")
    whole = heard(line)
    monkeypatch.setattr(recordings, "LONGEST", 16.0)
    monkeypatch.setattr(recordings, "_ROOM", 8.0)
    monkeypatch.setattr(sound_tracks, "_AROUND", 3.0)
    together_sandbox.fault(TRANSCRIPTIONS, "400", code="processing_failed")
    request = asked(line, diarize=True)
    count = plan([request])
    with pytest.raises(BadRequest):
        heard(request)
    pieces = len(request.parts())
    assert 4 == pieces
    assert pieces - 1 == len(charged(together_sandbox)) - 1
    found = heard(request)
    assert pieces == len(charged(together_sandbox)) - 1
    assert heard(request).reused
    assert whole.text == found.text
    assert [one.start for one in whole.words] == pytest.approx([one.start for one in found.words], abs=0.15)
    assert whole.seconds == pytest.approx(found.seconds, abs=0.1)
    assert found.cost == sum(charge.usd or Decimal(0) for charge in charged(together_sandbox)[1:])
    assert list(range(len(found.segments))) == [one.id for one in found.segments]
    assert {f"{number}:SPEAKER_00" for number in range(1, 5)} <= set(found.speakers)
    assert "heard in 4 pieces" in found.changes[0]
    assert "several names" in found.changes[1]
    assert (pieces, found.cost) == (count.send, count.cost)


def test_subtitles_are_written(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Into a folder in both formats under the name of the transcript, or as the file that is named."""
    found = heard(spoken())
    files = found.write_subtitles(tmp_path / "subtitles")
    assert {f"{found.name}.srt", f"{found.name}.vtt"} == {file.name for file in files}
    assert found.to_srt() == files[0].read_text(encoding="utf-8")
    (one,) = found.write_subtitles(tmp_path / "fox.vtt", line_length=20)
    assert found.to_vtt(line_length=20) == one.read_text(encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"fox\.txt is neither"):
        found.write_subtitles(tmp_path / "fox.txt")


def test_tables_of_recordings(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A column of paths and URLs becomes transcripts; text, language and length are columns, money is the sandbox's."""
    line = copied(spoken(), tmp_path / "night.wav")
    (tmp_path / "in.csv").write_text(f"file,note\n{line},a\n{URL},b\n{tmp_path / 'gone.wav'},c\n", encoding="utf-8")
    table = requests_from_table(tmp_path / "in.csv", type="transcription", constants={"model": WHISPER})
    planned = plan(table)
    assert (2, 1, 1) == (planned.send, planned.refused, planned.unknown_prices)
    result = run_batch(table, fail_on="never")
    assert ["kept", "kept", "refused"] == [item.outcome for item in result.items]
    result.write_table(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (NIGHT, "en", "a") == (rows[0]["text"], rows[0]["language"], rows[0]["note"])
    assert float(rows[0]["seconds"]) > 5
    assert int(rows[0]["segments"]) >= 1
    assert result.cost == sum(charge.usd or Decimal(0) for charge in charged(together_sandbox))


def test_urls_go_in_batches_at_half_the_price(together_sandbox: Sandbox) -> None:
    """One batch, one charge for each recording, at half the list price; the results are those of requests by themselves."""
    urls = [f"https://example.com/chapter-{number}.mp3" for number in range(3)]
    result = run_batch([asked(url) for url in urls], via="batch")
    assert (3, 1) == (result.kept, len(together_sandbox.batches()))
    assert 3 == len(charged(together_sandbox))
    found: list[Any] = list(result.results)
    assert all(one.text and one.words for one in found)
    assert sum(charge.usd or Decimal(0) for charge in charged(together_sandbox)) == result.cost
    assert all(float(one.cost) == pytest.approx(0.0015 / 60 * one.seconds / 2, abs=1e-6) for one in found)
    assert heard(urls[0]).reused


def test_files_do_not_go_in_batches(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Which is said in one sentence, before anything is uploaded or paid."""
    line = copied(spoken(), tmp_path / "night.wav")
    result = run_batch([asked(line), asked(URL)], via="batch", fail_on="never")
    assert ["refused", "kept"] == [item.outcome for item in result.items]
    assert (
        "TranscriptionRequest cannot go into batches at Together, which take recordings by http(s) URLs only, and this one is "
        'a file: send it with via="requests".'
    ) in str(result.items[0].error)
    assert 1 == len(charged(together_sandbox))


def test_a_plan_knows_what_recordings_cost(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """By the length in their headers, films included; what is kept costs nothing."""
    line = spoken()
    before = plan([asked(line)])
    found = heard(line)
    assert before.cost == found.cost
    assert (0, 1) == (plan([asked(line)]).send, plan([asked(line)]).reused)
