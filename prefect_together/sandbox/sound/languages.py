"""Guess in which language words are, by their letters and by the small words that every text has."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "ru", "DEVANAGARI": "hi", "ARABIC": "ar", "HEBREW": "he",
    "GREEK": "el", "THAI": "th", "CJK": "zh",
}  # fmt: skip
_SMALL = {
    "en": "the and of to is in it that was for with not you this are on his her they at be have from we",
    "de": "der die das und ist nicht ein eine zu den mit auf für sich dem es ich sie wir im auch von ihr sind",
    "fr": "le la les et est un une des du que qui dans pour pas sur avec il elle nous ce au sont vous je",
    "es": "el la los las y es un una que de en por con no se para su del lo más como está son",
    "it": "il la gli e è un una che di in per con non si del della le sono nel dei più come",
    "pt": "o a os as e é um uma que de em por com não se para do da mais no na são como",
    "nl": "de het een en is van dat niet in op te met voor zijn ik we ze er aan",
}
_LETTERS = {
    "en": ("th", "wh", "igh", "ck", "ing", "oo", "sh"),
    "de": ("sch", "cht", "ech", "zw", "ung", "tz", "ei", "ä", "ö", "ü", "ß"),
    "fr": ("eau", "oux", "ç", "é", "è", "ê", "l'", "d'", "qu'", "l’", "d’"),
    "es": ("ción", "ñ", "¿", "¡", "á", "í", "ó"),
    "it": ("zione", "gli", "cch", "zz", "à", "ù"),
    "pt": ("ção", "ões", "ã", "nh", "lh", "ê"),
    "nl": ("ij", "aa", "ui", "uu"),
}
"""Letters that stand together more often in one language than in others; each is half as good as a small word."""
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL.items()}


def language_of(words: Sequence[str]) -> str:
    """Return the likeliest language, as an ISO 639-1 code; English where nothing speaks for another one."""
    scripts = Counter(_script(character) for word in words for character in word if character.isalpha())
    foreign = {language: count for language, count in scripts.items() if language}
    if sum(foreign.values()) * 3 > sum(scripts.values()):
        # Japanese is written with Chinese characters too, and always with some of its own.
        return "ja" if "ja" in foreign else max(foreign, key=lambda language: foreign[language])
    plain = Counter(word.strip(".,;:!?\"'()“”«»¿¡").casefold() for word in words)
    text = " ".join(words).casefold()
    points = {
        language: sum(plain[word] for word in small) + sum(map(text.count, _LETTERS[language])) / 2
        for language, small in _WORDS.items()
    }
    best = max(points, key=lambda language: points[language])
    return best if points[best] >= points["en"] + 1 else "en"


def _script(character: str) -> str:
    return _SCRIPTS.get(unicodedata.name(character, "").partition(" ")[0], "")
