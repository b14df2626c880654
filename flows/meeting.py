"""A recording becomes a page: who speaks, a summary, chapters, quotes and tasks, each with the time at which it is said.

python flows/meeting.py --sandbox --recording meeting.m4a             a local Together: nothing is paid
python flows/meeting.py --recording https://example.com/talk.mp3 --plan   what it would send and cost
python flows/meeting.py --recording meeting.m4a --out meeting.md      the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from html import escape
from itertools import groupby
from pathlib import Path, PurePosixPath
from types import GenericAlias
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from prefect import flow, get_run_logger
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from prefect_together import (
    ChatModelId,
    ChatRequest,
    GeneratedText,
    Plan,
    Segment,
    SpendLimit,
    Transcript,
    TranscriptionModelId,
    TranscriptionRequest,
    catalog,
    check_requests,
    expected,
    generate_batch,
    money,
    named_after,
    publish_gallery,
    run_as_command,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import TogetherError

if __package__:  # installed as prefect_together.flows
    from .subtitle import writable
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from subtitle import writable

QUESTION = """This is what was said in a recording, each line with its number, its time and who says it. Write in {language}:
a title, a summary of at most 150 words, the chapters with the number of the line at which each begins, the three to eight
sentences that are most worth quoting, word for word, with the numbers of their lines, and what somebody said that they would
do. Say nothing that was not said.

{lines}"""


class Chapter(BaseModel):
    """A chapter of what is said."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    title: str
    line: int
    """The number of the line at which it begins."""


class Quote(BaseModel):
    """A sentence that is worth quoting."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    text: str
    """Word for word."""
    line: int
    """The number of the line in which it is said."""


class Minutes(BaseModel):
    """What a recording comes to."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    title: str
    summary: str
    chapters: list[Chapter]
    quotes: list[Quote]
    tasks: list[str]
    """What somebody said that they would do, and who; empty where nobody did."""


class Meeting(BaseModel):
    """A recording, and what it comes to."""

    transcript: Transcript
    answers: list[GeneratedText]
    minutes: Minutes
    page: Path


def _recording(address: str) -> str:
    if "://" not in address and not Path(address).expanduser().is_file():
        raise ValueError(f"there is no file {address!r}")
    return address


def _page(path: str) -> str:
    if Path(path).suffix.lower() not in {".html", ".md"}:
        raise ValueError("give a file that ends in .html or .md")
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder: give a file in it")
    return writable(path)


@flow(name="meeting", flow_run_name=named_after("recording", file=True))
def meeting(
    recording: Annotated[str, Field(min_length=1), AfterValidator(_recording)],
    out: Annotated[str, AfterValidator(_page)] | None = None,
    language: str = "English",
    spoken: str = "auto",
    names: str = "",
    least: Annotated[int, Field(ge=1, le=100)] | None = None,
    most: Annotated[int, Field(ge=1, le=100)] | None = None,
    model: TranscriptionModelId = "openai/whisper-large-v3",
    writer: ChatModelId = "zai-org/GLM-5.3-Flash",
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    budget: Annotated[Decimal, Field(gt=0)] = Decimal("1.00"),
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> Meeting | Plan:
    """Write down what is said in a recording and by whom, and make a page of it.

    The recording is known by its bytes, and what is written about it by its words: another run pays for nothing again.

    Args:
        recording: A recording, clip or film: a path, an http(s) URL, or an address in a bucket.
        out: The page to write, ending in .html or .md; left out, named after the recording.
        language: In which language to write.
        spoken: The language of the recording, as a code; auto has it found out.
        names: Who speaks, in the order in which they begin, with commas between; others are called SPEAKER_00 and so on.
        least: How many people speak at least.
        most: How many people speak at most.
        model: Together's id of the model that listens.
        writer: Together's id of the chat model that writes.
        seed: Makes the page's words once for all runs; another seed makes others.
        budget: USD that all runs for this recording may spend together; what would exceed it is not sent.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    counted = {"min_speakers": least, "max_speakers": most}
    told: dict[str, Any] = {name: value for name, value in counted.items() if value is not None}
    listen = TranscriptionRequest(file=recording, model=model, language=spoken, diarize=True, **told)
    check_requests(listen, ChatRequest(prompt="any", model=writer, response_format=Minutes))
    called = [name.strip() for name in names.split(",") if name.strip()]
    if plan:
        found, heard = plan_requests([listen]), expected(listen)
        if heard is not None:
            return found + plan_requests([_question(heard, called, writer, language, seed)])
        note = f"Then {writer} reads what was said, once: about $0.01 for an hour."
        return found.noting(f"{note} All runs together stay within {catalog.dollars(budget)}.")
    limit = SpendLimit(name=f"meeting {Path(recording).name}", usd=budget)
    listening = generate_batch.with_options(task_run_name="listen")([listen], limit=limit, fail_on="any")
    heard = next(one for one in listening.results if isinstance(one, Transcript))
    question = _question(heard, called, writer, language, seed)
    reading = generate_batch.with_options(task_run_name="read")([question], limit=limit, fail_on="any")
    answers = [one for one in reading.results if isinstance(one, GeneratedText)]
    minutes = answers[-1].parse(Minutes)
    page = Path(out or f"{PurePosixPath(urlsplit(recording).path).stem or 'meeting'}.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    lines = lines_of(heard, called)
    html = page.suffix.lower() == ".html"
    text = as_html(minutes, lines, _sound(recording, page)) if html else as_markdown(minutes, lines)
    page.write_text(text, encoding="utf-8", newline="\n")
    get_run_logger().info("The page: %s", page)
    publish_gallery([heard, answers], key="meeting", title=minutes.title)
    return Meeting(transcript=heard, answers=answers, minutes=minutes, page=page)


def lines_of(heard: Transcript, names: list[str]) -> list[Segment]:
    """Return what is said, line by line, each with a number of its own, and the speakers by their names."""
    called = dict(zip(heard.speakers, names, strict=False))
    said = [one for one in heard.segments or heard.speaker_segments or heard.timed if isinstance(one, Segment)]
    return [
        line.model_copy(update={"id": number, "speaker": called.get(str(line.speaker), line.speaker)})
        for number, line in enumerate(said, 1)
    ]


def _question(heard: Transcript, names: list[str], writer: str, language: str, seed: int) -> ChatRequest:
    lines = lines_of(heard, names)
    if not lines:
        what = "Nothing is said in this recording, so there is nothing to write about it."
        raise TogetherError(what, paid="yes", advice="Listen whether it is the one that was meant.")
    said = "\n".join(f"{line.id} [{_clock(line.start)}] {line.speaker or ''}: {line.text}" for line in lines)
    prompt = QUESTION.format(language=language, lines=said)
    wanted = _wanted(len(lines))
    return ChatRequest(prompt=prompt, model=writer, response_format=wanted, temperature=0, seed=seed, based_on=heard)


def _wanted(count: int) -> Any:
    """Return the schema of an answer that names only lines which there are: one that names another is asked for again."""
    line: Any = (Annotated[int, Field(ge=1, le=count)], ...)
    chapter: Any = create_model("Chapter", __base__=Chapter, line=line)
    quote: Any = create_model("Quote", __base__=Quote, line=line)
    chapters: Any = (GenericAlias(list, chapter), ...)
    quotes: Any = (GenericAlias(list, quote), ...)
    return create_model("Minutes", __base__=Minutes, chapters=chapters, quotes=quotes)


def as_markdown(minutes: Minutes, lines: list[Segment]) -> str:
    """Return the page as Markdown."""
    at = {line.id: line for line in lines}
    chapters = "\n".join(f"* {_clock(at[one.line].start)} {one.title}" for one in minutes.chapters)
    quotes = "\n\n".join(
        f"> {one.text}\n>\n> {_clock(at[one.line].start)} {at[one.line].speaker or ''}" for one in minutes.quotes
    )
    tasks = "\n".join(f"* {task}" for task in minutes.tasks)
    parts = [f"# {minutes.title}", minutes.summary]
    for title, text in (("Chapters", chapters), ("Quotes", quotes), ("Tasks", tasks)):
        parts += [f"## {title}", text] if text else []
    parts += ["## What was said", *(f"{_clock(line.start)} **{line.speaker or ''}** {line.text}" for line in lines)]
    return "\n\n".join(parts) + "\n"


STYLE = """:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
audio{width:100%;position:sticky;top:.5rem}blockquote{margin:1rem 0;padding-left:1rem;border-left:.25rem solid}
a{color:inherit}time{font-variant-numeric:tabular-nums;opacity:.75}ol{list-style:none;padding:0}
ol li{display:grid;grid-template-columns:4.5rem 1fr;scroll-margin-top:5rem}li:target{outline:.15rem solid}
h3{font-size:1rem;margin:1.25rem 0 .25rem}"""
SCRIPT = """document.onclick=e=>{const a=e.target.closest("a[href^='#line-']"),p=document.querySelector("audio")
if(a&&p){p.currentTime=document.querySelector(a.hash).dataset.at;p.play()}}"""


def as_html(minutes: Minutes, lines: list[Segment], sound: str | None = None) -> str:
    """Return the page as HTML, whose times lead to what was said then.

    Args:
        minutes: What is written.
        lines: What was said.
        sound: The address of the recording, which is played from a time that is clicked.
    """
    at = {line.id: line for line in lines}

    def link(number: int) -> str:
        return f'<a href="#line-{number}"><time>{_clock(at[number].start)}</time></a>'

    chapters = "".join(f"<li>{link(one.line)} {escape(one.title)}</li>" for one in minutes.chapters)
    quotes = "".join(
        f"<blockquote><p>{escape(one.text)}</p>{link(one.line)} {escape(at[one.line].speaker or '')}</blockquote>"
        for one in minutes.quotes
    )
    tasks = "".join(f"<li>{escape(task)}</li>" for task in minutes.tasks)
    said = ""
    for speaker, turn in groupby(lines, key=lambda line: line.speaker or ""):
        spoken = "".join(
            f'<li id="line-{line.id}" data-at="{line.start:g}">{link(int(line.id))} <span>{escape(line.text)}</span></li>'
            for line in turn
        )
        said += (f"<h3>{escape(speaker)}</h3>" if speaker else "") + f"<ol>{spoken}</ol>"
    title = escape(minutes.title)
    player = f'<audio controls preload="none" src="{escape(sound)}"></audio>' if sound else ""
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{player}"
        f"<p>{escape(minutes.summary)}</p>"
        + (f"<h2>Chapters</h2><ul>{chapters}</ul>" if chapters else "")
        + (f"<h2>Quotes</h2>{quotes}" if quotes else "")
        + (f"<h2>Tasks</h2><ul>{tasks}</ul>" if tasks else "")
        + f"<h2>What was said</h2>{said}<script>{SCRIPT}</script></body></html>\n"
    )


def _sound(recording: str, page: Path) -> str | None:
    """Return where a browser finds the recording from its page, or None where it would not."""
    if "://" in recording:
        return recording if urlsplit(recording).scheme in {"http", "https"} else None
    return quote(os.path.relpath(Path(recording).expanduser().resolve(), page.resolve().parent).replace(os.sep, "/"))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def report(done: Meeting) -> str:
    """Return the summary, where the page is, and the money."""
    who = ", ".join(done.transcript.speakers) or "one"
    lines = [done.minutes.title, done.minutes.summary, f"Speakers: {who}", f"Page: {done.page}"]
    return "\n".join([*lines, money([done.transcript, *done.answers])])


if __name__ == "__main__":
    raise SystemExit(run_as_command(meeting, report, needs_key=True))
