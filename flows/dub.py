"""A film speaks another language: what is said in it is translated line by line and spoken in its slots, over its own sound.

python flows/dub.py --sandbox --film holidays.mp4 --language es       a local Together: nothing is paid
python flows/dub.py --film talk.mp4 --language fr --plan              what it would send and cost
python flows/dub.py --film talk.mp4 --language fr --budget 2          the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, Field

from prefect_together import (
    ChatModelId,
    ChatRequest,
    DerivedMedia,
    GeneratedAudio,
    GeneratedText,
    Placed,
    Plan,
    Segment,
    SpeechModelId,
    SpeechRequest,
    SpendLimit,
    Transcript,
    TranscriptionModelId,
    TranscriptionRequest,
    add_sound,
    add_subtitles,
    check_requests,
    expected,
    generate_batch,
    money,
    named_after,
    publish_gallery,
    run_as_command,
    voice_for,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import TogetherError

if __package__:  # installed as prefect_together.flows
    from .subtitle import Language, at_hand, lines_of, numbered, questions, translated
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from subtitle import Language, at_hand, lines_of, numbered, questions, translated

SHORTER = """These lines are spoken over a film in the language with the code {language!r}, and take longer than there is
time for. Say each in fewer characters, as many as are named, in the same language and with the same meaning.

{lines}"""
LATE = 0.05  # seconds that nobody hears


class Line(BaseModel):
    """One line of the film, in the language of the dub."""

    line: Segment
    """What is said, and from when to when the film says it."""
    slot: float
    """Seconds until the next line begins."""
    voice: GeneratedAudio | None = None
    at: float = 0.0
    """When it is said over the film."""

    @property
    def too_long(self) -> bool:
        """Whether it takes longer than its slot."""
        return self.voice is not None and (self.voice.seconds or 0.0) > self.slot + LATE

    @property
    def heard(self) -> Segment:
        """What is said, and from when to when the dub says it: subtitles go with the voice, not with the film's own."""
        end = self.at + (self.voice.seconds or 0.0) if self.voice else self.line.end
        return self.line.model_copy(update={"start": self.at, "end": end})


class Dubbed(BaseModel):
    """What came of a film."""

    transcript: Transcript
    answers: list[GeneratedText] = []
    spoken: list[GeneratedAudio] = []
    """All that was spoken, also what was too long."""
    lines: list[Line] = []
    film: DerivedMedia | None = None


@flow(name="dub", flow_run_name=named_after("film", words="{film} in {language}", file=True))
def dub(
    film: Annotated[str, Field(min_length=1), AfterValidator(at_hand)],
    language: Language = "es",
    spoken: str = "auto",
    voice: str | None = None,
    speaker: SpeechModelId = "hexgrad/Kokoro-82M",
    model: TranscriptionModelId = "openai/whisper-large-v3",
    translator: ChatModelId = "zai-org/GLM-5.3-Flash",
    shorten: Annotated[int, Field(ge=0, le=3)] = 1,
    ducking: Annotated[float, Field(ge=0, le=60)] = 18.0,
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    budget: Annotated[Decimal, Field(gt=0)] = Decimal("1.00"),
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> Dubbed | Plan:
    """Write down what is said in a film, translate it, have each line spoken in its slot, and lay that over its sound.

    A line that takes longer than its slot is said in fewer words; where it still does, those after it wait for it. The film
    is known by its bytes, each translation and each spoken line by its words: another run pays for nothing again.

    Args:
        film: A clip or film: a path, or an address in a bucket.
        language: The code of the language to speak, such as es.
        spoken: The language of the film, as a code; auto has it found out.
        voice: Who speaks; left out, the first voice of the speaker for that language.
        speaker: Together's id of the model of speech.
        model: Together's id of the model that listens.
        translator: Together's id of the chat model that translates.
        shorten: How often lines that are too long are said in fewer words.
        ducking: By how many decibels the film's own sound is quieter where the dub is heard.
        seed: Makes each translation once for all runs; another seed makes others.
        budget: USD that all runs for this film and language may spend together; what would exceed it is not sent.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    who = {"model": speaker, "voice": voice or voice_for(speaker, language), "language": language}
    listen = TranscriptionRequest(file=film, model=model, language=spoken)
    line = Segment(id=1, start=0, end=1, text="any")
    check_requests(listen, *questions([line], language, translator, seed), _speech(line, (), who))
    if plan:
        return _planned(listen, language, translator, seed, who)
    limit = SpendLimit(name=f"dub {Path(film).stem} {language}", usd=budget)
    done = Dubbed(transcript=_bought("listen", [listen], limit)[0][-1])
    lines = lines_of(done.transcript)
    said = _asked(done, "translate", questions(lines, language, translator, seed, [done.transcript]), limit)
    done.lines = slots(translated(lines, said), done.transcript.seconds)
    _speak(done, done.lines, said, who, limit)
    for _ in range(shorten):
        if not (long := [line for line in done.lines if line.too_long]):
            break
        said = _asked(done, "shorten", [fewer(long, said, language, translator, seed)], limit)
        texts = translated([line.line for line in long], said)
        again = [Line(line=text, slot=line.slot) for line, text in zip(long, texts, strict=True)]
        _speak(done, again, said, who, limit)
        better = {line.line.id: line for line in again}
        done.lines = [_shorter(line, better.get(line.line.id)) for line in done.lines]
    _place(done.lines)
    laid = [Placed(line.voice, at=line.at) for line in done.lines if line.voice]
    try:
        if laid:
            mixed = add_sound(film, laid, mode="mix", ducking=ducking)
            heard = [line.heard for line in done.lines]
            done.film = add_subtitles(mixed, heard, language=language, based_on=done.answers)
    except TogetherError as error:  # such as the extra "media" that is not installed: what is paid for is shown
        get_run_logger().warning("There is no dubbed film: %s", error)
    publish_gallery(
        [done.transcript, done.answers, done.spoken, done.film], key="dub", title=f"{Path(film).name} in {language}"
    )
    return done


def slots(lines: Sequence[Segment], seconds: float | None) -> list[Line]:
    """Return lines with the time that each has: until the next one begins, or the film ends."""
    ends = [*(after.start for after in lines[1:]), *([max(seconds or 0.0, lines[-1].end)] if lines else [])]
    return [Line(line=line, slot=max(0.2, end - line.start)) for line, end in zip(lines, ends, strict=True)]


def fewer(long: Sequence[Line], answers: Sequence[GeneratedText], language: str, translator: str, seed: int) -> ChatRequest:
    """Return the question for lines of answers in fewer words."""

    def wanted(line: Line) -> int:
        return max(1, int(len(line.line.text) * line.slot / (line.voice.seconds or line.slot) * 0.95)) if line.voice else 1

    said = "\n".join(f"{line.line.id}: {line.line.text} (at most {wanted(line)} characters)" for line in long)
    return numbered(SHORTER.format(language=language, lines=said), [line.line for line in long], translator, seed, answers)


def _shorter(line: Line, other: Line | None) -> Line:
    lengths = [one.voice.seconds or 0.0 for one in (line, other) if one and one.voice]
    return other if other and other.voice and (other.voice.seconds or 0.0) == min(lengths) else line


def _place(lines: Sequence[Line]) -> None:
    """Let each line begin where it does in the film, or when the one before is over."""
    free = 0.0
    for line in lines:
        line.at = round(max(line.line.start, free), 3)
        free = line.at + (line.voice.seconds or 0.0 if line.voice else 0.0)
        if (late := line.at - line.line.start) > LATE:
            get_run_logger().warning("Line %d is %.1f s late: the one before takes longer.", line.line.id, late)


def _speak(
    done: Dubbed, lines: Sequence[Line], answers: Sequence[GeneratedText], who: dict[str, Any], limit: SpendLimit
) -> None:
    """Have lines of answers spoken, all at once."""
    audible = [line for line in lines if _is_said(line.line)]
    spoken = _bought("speak", [_speech(line.line, answers, who) for line in audible], limit)
    for line, (voice,) in zip(audible, spoken, strict=True):
        line.voice = voice
        done.spoken.append(voice)


def _is_said(line: Segment) -> bool:
    """Tell whether there is anything to say: a line of dots or notes alone is a silence."""
    return any(letter.isalnum() for letter in line.text)


def _speech(line: Segment, answers: Sequence[GeneratedText], who: dict[str, Any]) -> SpeechRequest:
    source = [answer for answer in answers if str(line.id) in answer.data]
    return SpeechRequest(input=" ".join(line.text.split()), response_format="wav", based_on=source, **who)


def _asked(done: Dubbed, what: str, requests: Sequence[ChatRequest], limit: SpendLimit) -> list[GeneratedText]:
    """Return the answers to questions; those that were asked for again are among what was paid for."""
    answers = _bought(what, requests, limit)
    done.answers += [one for several in answers for one in several]
    return [several[-1] for several in answers]


def _bought(what: str, requests: Sequence[Any], limit: SpendLimit) -> list[list[Any]]:
    """Return the results of each request; where one fails, so does the flow, and what the others paid for is kept."""
    if not requests:
        return []
    items = generate_batch.with_options(task_run_name=what)(requests, limit=limit, fail_on="any").items
    return [item.results for item in items]


def _planned(listen: TranscriptionRequest, language: str, translator: str, seed: int, who: dict[str, Any]) -> Plan:
    """Return the plan of what is known: each step depends on the one before."""
    found, heard = plan_requests([listen]), expected(listen)
    then = f"spoken by {who['model']}: how long that is, is known when it is written."
    if heard is None:
        return found.noting(f"Then what is said is translated by {translator} and {then}")
    lines = lines_of(heard)
    asked = questions(lines, language, translator, seed, [heard])
    found += plan_requests(asked)
    answers = [answer for one in asked if (answer := expected(one)) and not answer.fault()]
    if len(answers) < len(asked):
        return found.noting(f"Then {len(lines)} lines are {then}")
    found += plan_requests([_speech(line, answers, who) for line in translated(lines, answers) if _is_said(line)])
    return found.noting("Lines that take longer than there is time for are then said in fewer words.")


def report(done: Dubbed) -> str:
    """Return what was said when, where the film is, and the money."""
    lines: list[str] = []
    for line in done.lines:
        over = (line.voice.seconds or 0.0) - line.slot if line.voice else 0.0
        lines.append(f"{line.at:7.2f} s  {line.line.text}" + (f" ({over:.1f} s too long)" if line.too_long else ""))
    lines += [f"Film: {done.film.path()}"] if done.film else []
    return "\n".join([*lines, money([done.transcript, *done.answers, *done.spoken])])


if __name__ == "__main__":
    raise SystemExit(run_as_command(dub, report, needs_key=True))
