"""Speech: what may be asked of ``POST /v1/audio/speech``. What comes back is in ``generated_audio``. No I/O here."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from prefect_together.catalog.model_ids import SpeechModelId
from prefect_together.generations.request import Render, Request, plain

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")
SoundFormat = Literal["wav", "mp3", "raw", "mulaw", "opus", "aac", "flac"]
"""Formats of speech. Which of them a model makes is its own; all make ``wav``, ``mp3`` and ``raw``."""


class SpeechRequest(Request):
    """A text that is to be spoken by a voice of a model.

    Only what is set is sent, and always ``response_format``. Equal requests are made once: the same text in the same voice
    is the same recording for ever. A text that is longer than the setting ``speech_characters`` (500) is spoken sentence by
    sentence, each paid for and kept by itself, and joined into one recording. Fields are those of Together's
    ``POST /v1/audio/speech``.

    Example:
        ```python
        from prefect_together import SpeechRequest

        line = SpeechRequest(input="The sea was calm that night.", model="hexgrad/Kokoro-82M", voice="af_heart")
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "speech"

    model: SpeechModelId
    """Together's model id, e.g. `hexgrad/Kokoro-82M`."""
    input: Annotated[str, Field(min_length=1)]
    """What is said. Each character is paid for."""
    voice: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """Who says it: one of ``list_voices(model)``, such as `af_heart`; Kokoro mixes them, as in `af_heart(2)+af_sky(1)`."""
    response_format: SoundFormat | None = None
    """File format; left out, ``wav``, and ``raw`` where it is streamed. What comes without a header (``raw``, ``mulaw``) is
    kept as WAV, its samples as they came."""
    response_encoding: Literal["pcm_f32le", "pcm_s16le", "pcm_mulaw", "pcm_alaw"] | None = None
    """How the samples of ``raw`` are written; only some models have the choice."""
    sample_rate: Annotated[int, Field(ge=8000, le=192000)] | None = None
    """Samples per second; only some models have the choice."""
    bit_rate: Literal[32000, 64000, 96000, 128000, 192000] | None = None
    """Bits per second of ``mp3``; only some models have the choice."""
    language: str | None = None
    """Of the text, such as `en` or `zh-hk`. Together's default is `en`."""
    alignment: Literal["none", "word"] | None = None
    """``word``: the times of the words come with the sound, in ``words``; it is streamed as ``raw`` then."""
    segment: Literal["sentence", "immediate", "never"] | None = None
    """Where the model may pause to think. Together's default is ``sentence``."""
    speed: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None = None
    """How fast it is said; 1 is usual, and some models have one speed only."""
    extra_params: dict[str, Any] | None = None
    """What models take beside: ``{"pronunciation_dict": ["Nguyen/win", …]}``."""
    stream: bool | None = None
    """Whether the sound comes bit by bit, which changes nothing in it; streams are ``raw``."""

    @field_validator("input")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not any(letter.isalnum() for letter in value):
            raise ValueError("there is no letter or digit in it, so there is nothing to say")
        return value

    @field_validator("language")
    @classmethod
    def _is_a_code(cls, value: str | None) -> str | None:
        if value is not None and not _LANGUAGE.fullmatch(value):
            raise ValueError("give a code in lower case, such as 'en' or 'zh-hk'")
        return value

    @model_validator(mode="after")
    def _streams_what_can_be_streamed(self) -> Self:
        if not self.streams or self.format in {"raw", "mulaw"}:
            return self
        why = "word times come in streams only" if self.alignment == "word" else "stream=True was given"
        raise ValueError(
            f"SpeechRequest.response_format is {self.response_format!r}, but {why}, and streams are 'raw': leave it out, it "
            "is kept as WAV"
        )

    @property
    def streams(self) -> bool:
        """Whether the sound comes bit by bit."""
        return self.alignment == "word" or self.stream is True

    @property
    def format(self) -> SoundFormat:
        """The format that is asked for."""
        return self.response_format or ("raw" if self.streams else "wav")

    @property
    def characters(self) -> int:
        """How many characters are paid for."""
        return len(self.input)

    def title(self) -> str:
        """Return what is said."""
        return " ".join(self.input.split())

    def given(self) -> dict[str, Any]:
        """Return the fields that were set, as plain values; a stream that is implied is one."""
        return {**super().given(), **({"stream": True} if self.streams else {})}

    def fields(self, render: Render) -> dict[str, Any]:  # noqa: ARG002 - there are no files
        """Return the body."""
        body = {"model": self.model, **plain(self, _PLAIN), "response_format": self.format}
        return {**body, "stream": True} if self.streams else body

    @classmethod
    def transport_fields(cls) -> tuple[str, ...]:
        """Name the fields that say how to answer, and do not change the sound."""
        return ("stream",)


_PLAIN = (
    "input",
    "voice",
    "response_encoding",
    "sample_rate",
    "bit_rate",
    "language",
    "alignment",
    "segment",
    "speed",
    "extra_params",
)
