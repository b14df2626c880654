"""The form of a sound: how many samples a second, of which channels, written how. What several sounds have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

_ITEMS = {"u8": "B", "s16": "h", "s32": "i", "flt": "f", "dbl": "d"}
"""The formats of samples in FFmpeg's names, and of their items in those of ``array``."""
_SIZES = {"u8": 1, "s16": 2, "s32": 4, "flt": 4, "dbl": 8}
_FULL = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0, "flt": 1.0, "dbl": 1.0}
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_PCM = {"pcm_u8": "u8", "pcm_s16le": "s16", "pcm_s24le": "s32", "pcm_s32le": "s32", "pcm_f32le": "flt", "pcm_f64le": "dbl"}
"""The formats of samples that decoders of PCM give and encoders take."""


class SoundForm(NamedTuple):
    """How many samples a second a sound has, of which channels, and how they are written."""

    rate: int
    layout: str
    channels: int
    format: str = "flt"
    """As FFmpeg calls it: all channels in turn."""

    def __str__(self) -> str:
        return f"{self.rate} Hz {self.layout}"

    @property
    def item(self) -> str:
        """The code of one sample in ``array``."""
        return _ITEMS[self.format]

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * _SIZES[self.format]

    @property
    def full(self) -> float:
        """The largest sample."""
        return _FULL[self.format]

    @property
    def zero(self) -> int:
        """The sample of silence."""
        return 128 if self.format == "u8" else 0

    def silence(self, count: int) -> bytes:
        """Return so many samples of all channels that are silent."""
        return bytes([self.zero]) * (max(0, count) * self.frame)


class Written(NamedTuple):
    """How a sound is written into a file."""

    codec: str
    form: SoundForm

    @property
    def container(self) -> str:
        """The format of the file, in FFmpeg's words."""
        return "flac" if self.codec == "flac" else "wav"

    @property
    def lossless(self) -> bool:
        """Whether its samples are in the file as they are."""
        return self.codec in _PCM or self.codec == "flac"


def codec_of(stream: Any) -> str:
    """Return what a stream is encoded by: decoders have names of their own."""
    return stream.codec_context.codec.canonical_name


def form_of(audio: Any) -> SoundForm:
    """Return the form of a stream of sound."""
    context = audio.codec_context
    count: int = context.layout.nb_channels
    called: str = context.layout.name
    # Most WAVs do not say which channels theirs are: "1 channels".
    layout = _USUAL.get(count, called) if called.endswith("channels") else called
    return SoundForm(context.sample_rate, layout, count)


def written(audio: Any) -> Written:
    """Return how a stream is written."""
    codec, form = codec_of(audio), form_of(audio)
    if codec in _PCM:
        return Written(codec, form._replace(format=_PCM[codec]))
    deep = codec in {"flac", "alac"} and audio.codec_context.format.name.startswith("s32")
    return Written(codec, form._replace(format="s32" if deep else "s16"))


def kept_as(sounds: Iterable[Written]) -> Written:
    """Return how sounds are written without loss: as they are where all are alike, else as FLAC."""
    several = list(sounds)
    first = several[0]
    if all(sound == first for sound in several) and first.lossless:
        return first
    best = common_form(sound.form for sound in several) or first.form
    deep = any(sound.form.format not in {"u8", "s16"} for sound in several)
    return Written("flac", best._replace(format="s32" if deep else "s16"))


def common_form(forms: Iterable[SoundForm]) -> SoundForm | None:
    """Return the best of several forms; None where there is none. Channels that differ have two, or one, in common."""
    several = list(forms)
    if not several:
        return None
    rate = max(form.rate for form in several)
    layouts = {form.layout: form.channels for form in several}
    if len(layouts) == 1:
        return SoundForm(rate, *next(iter(layouts.items())))
    return SoundForm(rate, "stereo", 2) if max(layouts.values()) > 1 else SoundForm(rate, "mono", 1)


def film_form(forms: Iterable[SoundForm]) -> SoundForm | None:
    """Return the form of a film's sound: the best of several, as far as AAC has its rate."""
    best = common_form(forms)
    if best is None:
        return None
    return best._replace(rate=next((rate for rate in _AAC_RATES if rate >= best.rate), _AAC_RATES[-1]))
