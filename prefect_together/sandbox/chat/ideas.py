"""What an answer speaks of: the words of the question and of the pictures, and how good those are; writes no answer."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_PLAIN = """
a about above after all also an and any are as at be been but by can could do does each every find for from give had has
have here how i if in into is it its just like made make makes me my need no not of on one only or other our out over please
show so some such tell than that the their them then there these they this those to two under up us very was we what when
where which while who will with would write you your picture image photo describe short caption sentence sentences words
answer question reply judge score rate wish topic prompt prompts name list he her him his she
"""
PLAIN = frozenset(_PLAIN.split())
"""Words that say nothing about what something is like."""
LIGHTS = (
    "golden evening light", "soft morning mist", "dramatic rim lighting", "cool moonlight", "warm lantern glow",
    "hazy afternoon sunshine", "stormy overcast skies", "crisp winter daylight",
)  # fmt: skip
LOOKS = (
    "intricate foreground textures", "layered atmospheric depth", "rich complementary colours", "delicate brushed details",
    "cinematic wide framing", "shallow background blur", "balanced central composition", "vivid reflective surfaces",
    "weathered natural materials", "expressive flowing lines",
)  # fmt: skip
NAMES = ("Ada Lindqvist", "Mateo Rossi", "Aiko Tanaka", "Noor Haddad", "Lena Fischer", "Tom Okafor")
OPENINGS = (
    ("The picture shows", "This is a picture of", "Here one sees", "In the frame there is"),
    ("The pictures show", "These are pictures of", "Here one sees"),
)
BEGINNINGS = (
    "{} is at the heart of this.", "{} has more to it than one expects.", "it begins with {}.",
    "few things hold the eye like {}.", "{} comes first here.",
)  # fmt: skip
OF_PICTURES = (
    "What stands out is {look} in {light}.",
    "It begins quietly, and {what} soon takes all the attention.",
    "The mood is calm, held together by {look}.",
    "Seen closely, {what} tells a small story of its own.",
    "A careful eye finds more of it with every look.",
    "In {light} even the smallest part of it seems to speak.",
)
SENTENCES = (
    "There is more than one side to {what}, and each explains a part of the whole.",
    "It helps to begin with an example and to go on step by step.",
    "Much that is said about {what} is true, and some of it only half.",
    "Those who look closely soon find the point at which it becomes interesting.",
    "Seen from further away, the details of {what} fall into place.",
    "What remains is a simple thought that is easy to keep in mind.",
    "Nobody needs to know all about {what} to take something from it.",
)
ANGLES = (
    "a first look", "what most people miss", "a story in three parts", "the quiet side", "an honest beginning",
    "small wonders", "one day with it", "where it comes from", "notes for beginners", "the last word",
)  # fmt: skip
LEAST, FOR_EACH = 0.3, 0.06
"""The share of the best score that any picture gets, and what each descriptive word of its prompt adds."""
KEPT_WORDS = 14
INSTRUCTION = re.compile(
    r"^(?:please |now |kindly )*(?:write|describe|give|make|list|name|suggest|propose|explain|summari[sz]e|judge|rate|score|"
    r"turn|expand|invent|create|generate|compose|tell|say|caption|translate|answer|find|show)\b",
    re.IGNORECASE,
)
ABOUT = (
    re.compile(r":\s+|\b(?:about|describing)\s+", re.IGNORECASE),
    re.compile(r"\b(?:of|for|on|into|from)\s+", re.IGNORECASE),
)
"""What stands before the subject of an instruction; where the first is not found, the second."""
ASKING = re.compile(
    r"^(?:what|who|which|where|when|why|how|is|are|was|were|does|do|did|can)\b(?:\s+(?:is|are|was|were|does|do|did|makes?|much|many))*\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Ideas:
    """The material of one answer."""

    question: str
    subject: str
    """What the question is about, in a few of its own words."""
    seen: tuple[str, ...]
    """What each picture shows: the prompt from which it was drawn."""
    rng: random.Random
    first: int
    """Which sentence comes first."""

    @property
    def about(self) -> str:
        """What there is to speak of: the first picture, else the subject."""
        return self.seen[0] if self.seen else self.subject

    def quality(self) -> float:
        """Return how good the pictures are, 0-1: it rises with each distinct descriptive word of their prompts."""
        if not self.seen:
            return 0.4 + 0.6 * self.rng.random()
        shares = [min(1.0, LEAST + FOR_EACH * len(descriptive(prompt))) for prompt in self.seen]
        return sum(shares) / len(shares)

    def better(self, index: int = 0) -> str:
        """Return the prompt with further descriptive words; another index gives another one."""
        prompt = self.about.strip().rstrip(".")
        known = descriptive(prompt)
        fresh = [phrase for phrase in (*LIGHTS, *LOOKS) if not descriptive(phrase) & known]
        if not fresh:
            return prompt
        first = (index * 3 + len(known)) % len(fresh)
        return ", ".join([prompt, *dict.fromkeys(fresh[(first + step * 5) % len(fresh)] for step in range(2))])

    def tags(self, count: int) -> list[str]:
        """Return words that say what it is about."""
        words = [word for word in words_of(self.about) if word not in PLAIN and len(word) > 2]
        more = ["landscape", "colour", "light", "scene", "mood", "nature", "story", "detail"]
        return list(dict.fromkeys([*words, *more]))[:count]

    def opening(self) -> str:
        """Return the first sentence: what is to be seen, or what it is about."""
        if len(self.seen) > 1:
            return f"{self.rng.choice(OPENINGS[1])} {'; '.join(dict.fromkeys(self.seen))}."
        if self.seen:
            return f"{self.rng.choice(OPENINGS[0])} {self.about.rstrip('.')}."
        return _capital(self.rng.choice(BEGINNINGS).format(self.about))

    def sentence(self, index: int = 0) -> str:
        """Return a sentence that goes on about it; another index gives another one."""
        look, light = self.rng.choice(LOOKS), self.rng.choice(LIGHTS)
        known = OF_PICTURES if self.seen else SENTENCES
        text = known[(index + self.first) % len(known)]
        return text.format(what=self.about.rstrip("."), look=look, light=light)

    def item(self, index: int) -> str:
        """Return one entry of a list about it; another index gives another one."""
        again = f" ({index // len(ANGLES) + 1})" if index >= len(ANGLES) else ""
        return _capital(f"{self.about.rstrip('.')}: {ANGLES[index % len(ANGLES)]}{again}")


def gather(question: str, seen: tuple[str, ...], rng: random.Random) -> Ideas:
    """Return what there is to speak of.

    Args:
        question: The last turn of the user, whole.
        seen: What each picture shows.
        rng: From which everything that is left open is drawn.
    """
    plain = _without_json(question)
    return Ideas(
        question=plain, subject=_subject(plain), seen=seen, rng=rng, first=rng.randrange(len(SENTENCES) * len(OF_PICTURES))
    )


def descriptive(prompt: str) -> frozenset[str]:
    """Return the distinct words of a prompt that say what something is like."""
    return frozenset(word for word in words_of(prompt) if word not in PLAIN and len(word) > 2)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def _without_json(text: str) -> str:
    """Drop a schema or other JSON from a question, and what is said about that."""
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        text = f"{text[:start]} {text[end + 1 :]}"
    kept = [
        part for part in re.split(r"(?<=[.!?:])\s+|\n+", text) if not re.search(r"\bjson\b|\bschema\b", part, re.IGNORECASE)
    ]
    return " ".join(" ".join(kept).split())


def _subject(question: str) -> str:
    """Return what a question is about: what follows its instruction, shortened to a few words."""
    first = re.split(r"(?<=[.!?])\s+", question)[0] if question else ""
    if INSTRUCTION.match(first):
        first = next(
            (parts[1] for one in ABOUT if len(parts := one.split(first, maxsplit=1)) > 1 and parts[1].strip()),
            INSTRUCTION.sub("", first),
        )
    elif ":" in first and (rest := first.partition(":")[2].strip()):
        first = rest
    elif first.endswith("?"):
        first = ASKING.sub("", first)
    words = first.strip(" .!?\"'").split()
    return " ".join(words[:KEPT_WORDS]) or "what was asked"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
