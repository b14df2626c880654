"""The texts and bounds of single properties of an answer, by their names and descriptions."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from prefect_together.sandbox.chat.ideas import NAMES, Ideas, words_of

MOST_ITEMS = 20
SOON = 2
"""Where a number stands, in words, that says how many things are wanted."""
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12}
COLOURS = ("amber", "teal", "indigo", "rose", "olive", "slate")
MOODS = ("calm", "hopeful", "wistful", "playful", "tense")
CAMERA = ("slow push in", "gentle pan to the left", "rising crane shot", "steady close-up", "slow pull back")
QUESTIONS = (
    "What makes {} worth a second look?", "What is so important about {}?", "What was there before {}?",
    "What do people get wrong about {}?", "Which part of {} is the hardest to explain?", "Who should know more about {}?",
    "What would change without {}?",
)  # fmt: skip
FAULTY = (
    "The light is flat and could lead the eye more", "The foreground lacks detail", "The composition is a little crowded",
    "The colours do not separate the subject from what is behind it", "The mood is not clear yet",
)  # fmt: skip
SCALE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:to|-|–|\.\.|and)\s*(\d+(?:\.\d+)?)|out of (\d+)")


def bounds(schema: Mapping[str, Any], *, default: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the most that a number may be: as the schema or its description says."""
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None and (said := SCALE.search(str(schema.get("description") or ""))):
        low, high = (0.0, float(said[3])) if said[3] else (float(said[1]), float(said[2]))
    width = default[1] - default[0]
    if low is None:
        low = default[0] if high is None or high > default[0] else high - width
    if high is None:
        high = default[1] if low < default[1] else low + width
    return low, max(low, high)


def number_in(question: str, name: str = "") -> int | None:
    """Return how many things a question asks for, if it says so.

    Args:
        question: Such as `Write four prompts about foxes`.
        name: Of these things; without one, or where it names others, only what follows the first words counts.
    """
    words = words_of(question)
    for at, word in enumerate(words):
        count = NUMBERS.get(word) or (int(word) if word.isdecimal() and len(word) < 3 else 0)
        following = {singular(other) for other in words[at + 1 : at + 4]}
        if 1 <= count <= MOST_ITEMS and (at <= SOON or singular(name.lower()) in following):
            return count
    return None


def singular(name: str) -> str:
    """Return what one item of a list of this name is called."""
    for ending, short in (("ies", "y"), ("xes", "x"), ("s", "")):
        if name.endswith(ending) and not name.endswith("ss"):
            return name[: -len(ending)] + short
    return name


def phrase(name: str, schema: Mapping[str, Any], ideas: Ideas, index: int) -> str:
    """Return a text for a property.

    Args:
        name: The property's name.
        schema: Its schema, of which `format` counts.
        ideas: What it speaks of.
        index: Which item of a list it is for.
    """
    if made := FORMATS.get(str(schema.get("format") or "")):
        return made(ideas.rng)
    if name.isdecimal() and (line := re.search(rf"(?<!\S){name}: (.+?)(?=\s\d+: |$)", ideas.question)):
        return _shortened(line[1])  # a line that was given under its number, such as one to translate: all texts are English
    lowered = name.lower()
    for words, write in PROPERTIES:
        if any(word in lowered for word in words):
            return write(ideas, index)
    spoken = " ".join(words_of(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " "))) or "answer"
    return f"{spoken} of {ideas.about}" + (f" ({index + 1})" if index else "")


def _shortened(line: str) -> str:
    """Return a line in as many characters as it names in brackets, if it does: without its last words."""
    if not (said := re.fullmatch(r"(.+) \(at most (\d+) characters\)", line)):
        return line
    return said[1][: int(said[2]) + 1].rpartition(" ")[0] or said[1][: int(said[2])]


def _about(ideas: Ideas, index: int) -> str:
    return ideas.about if not index else f"{ideas.about}, view {index + 1}"


def _title(ideas: Ideas, index: int) -> str:
    words = [word.capitalize() for word in ideas.tags(12)]
    return " ".join(words[index % len(words) :][:3])


def _caption(ideas: Ideas, index: int) -> str:
    if index < len(ideas.seen):
        return f"A picture of {ideas.seen[index].rstrip('.')}."
    return ideas.sentence(index)


def _place(ideas: Ideas, index: int) -> str:
    """Return the proper name in the question: its words with a capital, not counting the first."""
    found = re.findall(r"(?<=\s)[A-Z][\w-]+(?: [A-Z][\w-]+)*", ideas.question)
    return found[index % len(found)] if found else "Paris"


def _printed(ideas: Ideas, index: int) -> str:
    # What the sandbox draws carries its prompt in print.
    return ideas.seen[min(index, len(ideas.seen) - 1)] if ideas.seen else ideas.sentence(index)


def _language(ideas: Ideas, index: int) -> str:  # noqa: ARG001 - all texts are English
    return "en"


PROPERTIES: tuple[tuple[tuple[str, ...], Callable[[Ideas, int], str]], ...] = (
    (("prompt",), lambda ideas, index: ideas.better(index)),
    (("fault", "issue", "problem", "flaw", "defect", "weakness"), lambda _, index: FAULTY[index % len(FAULTY)]),
    (("alt", "caption", "description", "summary"), _caption),
    (("tag", "keyword", "label", "topic"), lambda ideas, index: ideas.tags(MOST_ITEMS)[index % len(ideas.tags(MOST_ITEMS))]),
    (("title", "headline"), _title),
    (("city", "place", "location", "country", "town"), _place),
    (("colour", "color"), lambda ideas, index: COLOURS[(index + len(ideas.about)) % len(COLOURS)]),
    (("language", "locale"), _language),
    (("author", "person", "first_name", "full_name"), lambda ideas, _: ideas.rng.choice(NAMES)),
    (("subject", "object", "name"), _about),
    (("text", "print", "ocr"), _printed),
    (("question",), lambda ideas, index: QUESTIONS[index % len(QUESTIONS)].format(_about(ideas, index // len(QUESTIONS)))),
    (("mood", "tone", "emotion"), lambda ideas, index: MOODS[(index + ideas.first) % len(MOODS)]),
    (("motion", "camera", "movement", "shot"), lambda _, index: CAMERA[index % len(CAMERA)]),
    (("reason", "explanation", "rationale", "feedback", "critique", "comment", "answer", "story", "narration", "sentence",
      "body", "paragraph", "script", "line", "thought", "analysis"), lambda ideas, index: ideas.sentence(index)),
)  # fmt: skip
"""The first that fits a name writes its text."""


def _day(rng: random.Random) -> str:
    return f"20{rng.randint(24, 26)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _time(rng: random.Random) -> str:
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"


FORMATS: dict[str, Callable[[random.Random], str]] = {
    "date": _day,
    "time": lambda rng: f"{_time(rng)}Z",
    "date-time": lambda rng: f"{_day(rng)}T{_time(rng)}Z",
    "duration": lambda rng: f"PT{rng.randint(1, 59)}M",
    "email": lambda rng: f"{rng.choice(NAMES).split()[0].lower()}@example.com",
    "uri": lambda rng: f"https://example.com/{rng.randint(1, 999)}",
    "hostname": lambda _: "example.com",
    "ipv4": lambda rng: f"192.0.2.{rng.randint(1, 254)}",
    "ipv6": lambda rng: f"2001:db8::{rng.randint(1, 254):x}",
    "uuid": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
}
