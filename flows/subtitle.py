"""A film gets subtitles in its own language and in others: as files, as tracks that players show, and in its pictures.

python flows/subtitle.py --sandbox --film holidays.mp4                          a local Together: nothing is paid
python flows/subtitle.py --film talk.mp4 --languages de --languages fr --plan   what it would send and cost
python flows/subtitle.py --film talk.mp4 --languages ja --burn ja               the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, Field

from prefect_together import (
    ChatModelId,
    ChatRequest,
    DerivedMedia,
    GeneratedText,
    Plan,
    Segment,
    SpendLimit,
    Transcript,
    TranscriptionModelId,
    TranscriptionRequest,
    add_subtitles,
    burn_subtitles,
    catalog,
    check_requests,
    expected,
    generate_batch,
    language_code,
    money,
    named_after,
    publish_gallery,
    run_as_command,
    to_srt,
    to_vtt,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import InvalidRequest, TogetherError

AT_ONCE = 30
"""Lines that are translated in one answer: more lose their way, fewer their context."""
QUESTION = """Translate the lines of a film's subtitles into the language with the code {language!r}. Each line stands under
its number and is said at its own time: translate each by itself, as people speak, and no longer than it is. Keep names as
they are. What was said just before: {before}

{lines}"""


def _is_a_language(code: str) -> str:
    language_code(code)  # what a track would be called
    return code


Language = Annotated[str, AfterValidator(_is_a_language)]


class Subtitled(BaseModel):
    """What came of a film."""

    transcript: Transcript
    answers: list[GeneratedText] = []
    lines: dict[str, list[Segment]] = {}
    """What is said, by language."""
    files: list[Path] = []
    films: list[DerivedMedia] = []
    """The film with tracks of subtitles, and the one into whose pictures they are drawn."""


def at_hand(address: str) -> str:
    """Return the address of a film, or refuse one that is not at hand."""
    if address.lower().startswith(("http://", "https://")):
        raise ValueError("give a film that is at hand, and no URL: subtitles are put into it here")
    if "://" not in address and not Path(address).expanduser().is_file():
        raise ValueError(f"there is no file {address!r}")
    return address


def writable(place: str) -> str:
    """Return a place for files, or refuse one where nothing can be written, before anything is paid for."""
    folder = Path(place).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder if folder.is_dir() else folder.parent):
            return place
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to: {error.strerror}") from None


def _folder(place: str) -> str:
    if Path(place).is_file():
        raise ValueError(f"{place} is a file: give a folder")
    return writable(place)


@flow(name="subtitle", flow_run_name=named_after("film", words="subtitles of {film}", file=True))
def subtitle(
    film: Annotated[str, Field(min_length=1), AfterValidator(at_hand)],
    languages: list[Language] | None = None,
    spoken: str = "auto",
    burn: str | None = None,
    tracks: bool = True,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
    model: TranscriptionModelId = "openai/whisper-large-v3",
    translator: ChatModelId = "zai-org/GLM-5.3-Flash",
    line_length: Annotated[int, Field(ge=10, le=80)] = 42,
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    budget: Annotated[Decimal, Field(gt=0)] = Decimal("1.00"),
    out: Annotated[str, AfterValidator(_folder)] = "subtitles",
    plan: bool = False,  # noqa: FBT001, FBT002 - the same
) -> Subtitled | Plan:
    """Write down what is said in a film, translate it line by line, and put it into files, tracks and pictures.

    The film is known by its bytes and each translation by its lines: another run pays for nothing again.

    Args:
        film: A clip or film: a path, or an address in a bucket.
        languages: Codes of languages to translate into, such as de.
        spoken: The language of the film, as a code; auto has it found out.
        burn: The language that is drawn into the pictures; "spoken" for that of the film. Left out, none is.
        tracks: Whether the film gets a track of subtitles for each language.
        model: Together's id of the model that listens.
        translator: Together's id of the chat model that translates.
        line_length: Characters of a line at most; those of Chinese, Japanese and Korean count twice.
        seed: Makes each translation once for all runs; another seed makes others.
        budget: USD that all runs for this film may spend together; what would exceed it is not sent.
        out: The folder of the SRT and WebVTT files.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    wanted = list(dict.fromkeys(languages or ()))
    if burn is not None and burn not in {"spoken", *wanted}:
        raise InvalidRequest(f"burn is {burn!r}: give 'spoken', or one of languages.")
    listen = TranscriptionRequest(file=film, model=model, language=spoken)
    any_line = [Segment(id=1, start=0, end=1, text="any")]
    check_requests(listen, *(one for language in wanted for one in questions(any_line, language, translator, seed)))
    if plan:
        return _planned(listen, wanted, translator, seed, budget)
    name = PurePosixPath(film.replace("\\", "/")).stem
    limit = SpendLimit(name=f"subtitle {name}", usd=budget)
    listening = generate_batch.with_options(task_run_name="listen")([listen], limit=limit, fail_on="any")
    heard = next(one for one in listening.results if isinstance(one, Transcript))
    done = Subtitled(transcript=heard)
    done.lines["spoken"] = lines_of(heard)
    if heard.language in wanted:  # what is heard has better times than what is translated
        get_run_logger().warning("%s is what is spoken in this film: it is not translated.", heard.language)
        wanted.remove(heard.language)
        burn = "spoken" if burn == heard.language else burn
    asked = {one: questions(done.lines["spoken"], one, translator, seed, [heard]) for one in wanted}
    answered: dict[str, list[GeneratedText]] = {}
    every = [question for language in wanted for question in asked[language]]
    if every:
        answers = generate_batch.with_options(task_run_name="translate")(every, limit=limit, fail_on="any").items
        done.answers = [made for item in answers for made in item.results if isinstance(made, GeneratedText)]
        last = iter([item.results[-1] for item in answers])
        for language in wanted:
            said = [next(last) for _ in asked[language]]
            answered[language] = [one for one in said if isinstance(one, GeneratedText)]
            done.lines[language] = translated(done.lines["spoken"], answered[language])
    done.files = _written(done, name, Path(out), line_length)
    try:
        done.films = _shown(done, answered, film, burn, tracks=tracks)
    except TogetherError as error:  # such as the extra "media" that is not installed: what is paid for is shown
        get_run_logger().warning("There is no film with subtitles: %s", error)
    publish_gallery([heard, done.answers, done.films], key="subtitle", title=f"Subtitles of {name}")
    return done


def lines_of(heard: Transcript) -> list[Segment]:
    """Return what is said, line by line, each with a number of its own."""
    said = [one for one in heard.segments or heard.speaker_segments or heard.timed if isinstance(one, Segment)]
    if not said:
        raise TogetherError(
            "Nothing is said in this film.", paid="yes", advice="Listen whether it is the one that was meant."
        )
    return [line.model_copy(update={"id": number}) for number, line in enumerate(said, 1)]


def questions(
    lines: list[Segment], language: str, translator: str, seed: int, source: Sequence[Transcript] = ()
) -> list[ChatRequest]:
    """Return the questions for lines in another language: some lines each, and what stood before them."""
    asked: list[ChatRequest] = []
    for begin in range(0, len(lines), AT_ONCE):
        part = lines[begin : begin + AT_ONCE]
        before = " ".join(line.text for line in lines[max(0, begin - 3) : begin]) or "nothing"
        said = "\n".join(f"{line.id}: {' '.join(line.text.split())}" for line in part)
        prompt = QUESTION.format(language=language, before=before, lines=said)
        asked.append(numbered(prompt, part, translator, seed, source))
    return asked


def numbered(
    prompt: str, lines: list[Segment], writer: str, seed: int, source: Sequence[Transcript | GeneratedText]
) -> ChatRequest:
    """Return a question about lines whose answer has a text for each, under its number.

    The schema needs every line's number as a key, and allows no other: an answer with another count, or of other lines, is
    asked for once again. What the lines come from is named as its source.
    """
    keys = [str(line.id) for line in lines]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "lines", "schema": schema}}
    return ChatRequest(
        prompt=prompt, model=writer, response_format=wanted, temperature=0, seed=seed, repair=1, based_on=source
    )


def translated(lines: list[Segment], answers: list[GeneratedText]) -> list[Segment]:
    """Return the same lines at the same times, in another language; one that was answered with spaces as it was."""
    said: dict[str, str] = {}
    for answer in answers:
        said |= answer.data
    if blank := [line.id for line in lines if not said[str(line.id)].strip()]:
        get_run_logger().warning("Lines %s were answered with nothing, and stay as they are.", ", ".join(map(str, blank)))
    return [line.model_copy(update={"text": said[str(line.id)].strip() or line.text}) for line in lines]


def _written(done: Subtitled, name: str, folder: Path, line_length: int) -> list[Path]:
    """Write an SRT and a WebVTT file for each language; that of the film itself in its words' own times."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for language, lines in done.lines.items():
        said = done.transcript.timed if language == "spoken" else lines
        named = done.transcript.language or "spoken" if language == "spoken" else language
        for ending, text in (("srt", to_srt(said, line_length=line_length)), ("vtt", to_vtt(said, line_length=line_length))):
            files.append(folder / f"{name}.{named}.{ending}")
            files[-1].write_text(text, encoding="utf-8", newline="\n")
    get_run_logger().info("Subtitles: %s", ", ".join(map(str, files)))
    return files


def _shown(
    done: Subtitled, answered: dict[str, list[GeneratedText]], film: str, burn: str | None, *, tracks: bool
) -> list[DerivedMedia]:
    """Put the subtitles into the film: as tracks, and into its pictures."""
    said = {language: done.transcript.timed if language == "spoken" else lines for language, lines in done.lines.items()}
    said = {language: lines for language, lines in said.items() if lines}
    films: list[DerivedMedia] = []
    if tracks and said:
        whole: Any = film
        for language, lines in said.items():
            code = done.transcript.language if language == "spoken" else language
            whole = add_subtitles(whole, lines, language=code, based_on=answered.get(language, done.transcript))
        films.append(whole)
    if burn in said:
        films.append(burn_subtitles(film, said[burn], based_on=answered.get(burn, done.transcript)))
    return films


def _planned(listen: TranscriptionRequest, wanted: list[str], translator: str, seed: int, budget: Decimal) -> Plan:
    """Return the plan of what is known: how many lines there are to translate is seen when the film was listened to."""
    heard, found = expected(listen), plan_requests([listen])
    if heard is not None:
        lines = lines_of(heard)
        others = [language for language in wanted if language != heard.language]
        return found + plan_requests([one for it in others for one in questions(lines, it, translator, seed, [heard])])
    if not wanted:
        return found
    return found.noting(
        f"Then what is said is translated by {translator}, {AT_ONCE} lines to a question, into {', '.join(wanted)}: how "
        f"many lines there are is known when the film was listened to. All runs stay within {catalog.dollars(budget)}."
    )


def report(done: Subtitled) -> str:
    """Return where everything is, and the money."""
    lines = [f"{len(done.lines['spoken'])} lines in {done.transcript.language}: {done.transcript}"]
    lines += [f"Subtitles: {file}" for file in done.files] + [f"Film: {film.path()}" for film in done.films]
    return "\n".join([*lines, money([done.transcript, *done.answers])])


if __name__ == "__main__":
    raise SystemExit(run_as_command(subtitle, report, needs_key=True))
