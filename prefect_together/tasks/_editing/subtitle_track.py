"""Captions as a track of a clip, which players show or not; its pictures and sound stay as they are. Knows no library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest
from prefect_together.generations.derived import Spliced
from prefect_together.tasks._editing.burning import at_once
from prefect_together.tasks._editing.captions import Given
from prefect_together.tasks._editing.clip_facts import facts_of
from prefect_together.tasks._editing.pictures import (
    COPIED,
    PictureEncoder,
    Upright,
    copied,
    copy_stream,
    decoded,
    even,
    mux,
    new_film,
)
from prefect_together.tasks._editing.pyav import pyav, refused
from prefect_together.tasks._editing.tracks import sound_track, subtitle_tracks

_TICK = Fraction(1, 1000)
_LONGEST = 65_535  # bytes of one caption
_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""How they look, in the words of the encoder that writes it into the track."""

_CODES = """
af afr am amh ar ara as asm az aze be bel bg bul bn ben bo bod bs bos ca cat cs ces cy cym da dan de deu el ell en eng es spa
et est eu eus fa fas fi fin fo fao fr fra gl glg gu guj he heb hi hin hr hrv ht hat hu hun hy hye id ind is isl it ita ja jpn
jv jav ka kat kk kaz km khm kn kan ko kor la lat lb ltz ln lin lo lao lt lit lv lav mg mlg mi mri mk mkd ml mal mn mon mr mar
ms msa mt mlt my mya ne nep nl nld nn nno no nor nb nob oc oci pa pan pl pol ps pus pt por ro ron ru rus sa san sd snd si sin
sk slk sl slv sn sna so som sq sqi sr srp su sun sv swe sw swa ta tam te tel tg tgk th tha tk tuk tl tgl tr tur tt tat uk ukr
ur urd uz uzb vi vie yi yid yo yor zh zho
"""
_LONG: dict[str, str] = dict(re.findall(r"(\w\w) (\w{3})", _CODES))
"""Languages by their codes of two letters and of three (ISO 639), those that models of speech and text know."""


def language_code(language: str | None) -> str:
    """Return a language as the track says it, by its code of two or three letters, such as ``de``, ``deu`` or ``de-AT``.

    Raises:
        InvalidRequest: It is no such code.
    """
    if language is None:
        return "und"
    code = language.strip().replace("_", "-").partition("-")[0].lower()
    if code in _LONG:
        return _LONG[code]
    if len(code) == 3 and code.isascii() and code.isalpha():
        return code
    raise InvalidRequest(f"{language!r} is the code of no language: give one such as 'en', 'de' or 'zh'.")


def add_track(clip: Path, given: Given, target: Path, language: str) -> Spliced:
    """Write a clip with a track of captions.

    Raises:
        ConfigurationError: PyAV is not installed.
        MediaError: The clip cannot be read.
    """
    av = pyav()
    with refused(f"The subtitles cannot be added to {clip.name}"):
        facts = facts_of(av, clip)
        shown = at_once(given.captions())
        with new_film(av, target) as out:
            if facts.codec in COPIED:
                pictures = copied(av, copy_stream(av, out, facts), facts)
            else:
                encoder = PictureEncoder(out, even(facts.size), facts.rate, steady=facts.steady)
                upright = Upright(av, ("scale", "{}:{}".format(*even(facts.size))))
                pictures = encoder.packets(decoded(av, facts, upright))
            sound, changes = sound_track(av, out, facts)
            earlier = subtitle_tracks(av, out, facts)
            stream = out.add_stream("mov_text")
            stream.codec_context.subtitle_header = _HEADER
            stream.time_base, stream.metadata["language"] = _TICK, language
            mux(out, pictures, *sound, *earlier, _packets(av, stream, shown))
    anew = [] if facts.codec in COPIED else [f"pictures encoded anew, as an MP4 takes no {facts.codec}"]
    return Spliced(reencoded=bool(anew), changes=(*anew, *changes))


def _packets(av: Any, stream: Any, shown: Sequence[tuple[float, float, str]]) -> Iterator[Any]:
    for begin, end, text in shown:
        written = text.encode()[:_LONGEST].decode(errors="ignore").encode()
        packet = av.Packet(len(written).to_bytes(2, "big") + written)
        packet.pts = packet.dts = round(begin / _TICK)
        packet.duration = max(1, round(end / _TICK) - packet.pts)
        packet.time_base, packet.stream = _TICK, stream
        yield packet
