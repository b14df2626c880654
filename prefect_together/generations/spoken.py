"""What may be asked of recordings, whatever is to be made of them. Measures files, and sends nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from prefect_together.catalog.model_ids import TranscriptionModelId
from prefect_together.generations.input_forms import Recording
from prefect_together.generations.recordings import LONGEST, seconds_of, stretches
from prefect_together.generations.request import Items, MediaInput, Render, Request, is_remote, plain

Granularity = Literal["segment", "word"]
"""What times are told of."""


def clock(seconds: float) -> str:
    """Return a time of a recording, or its length, as people write it."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"


class RecordingRequest(Request):
    """A recording to be listened to; what is to be made of it, its own types say."""

    model: TranscriptionModelId
    """Together's model id, e.g. `openai/whisper-large-v3`."""
    file: MediaInput
    """A recording, clip or film: a path, an http(s) URL, an address in a bucket, or a kept file."""
    prompt: Annotated[str, Field(min_length=1, pattern=r"\S")] | None = None
    """Words that are likely to be heard, such as names, in their spelling; only Whisper heeds it."""
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    """How freely words are picked; left out, 0."""
    timestamp_granularities: Items[Granularity] = ("segment", "word")
    """Whether times are told of segments, of words, or of both."""
    start: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Seconds at which to begin to listen; times are counted from the start of the recording all the same."""
    end: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds at which to stop."""

    @field_validator("timestamp_granularities")
    @classmethod
    def _names_some(cls, value: tuple[Granularity, ...] | None) -> tuple[Granularity, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("give 'segment', 'word' or both")
        return tuple(sorted(value))

    @field_validator("start")
    @classmethod
    def _begins_somewhere(cls, value: float | None) -> float | None:
        return value or None  # from 0 on is all of it, which is not asked for again

    @model_validator(mode="after")
    def _is_a_stretch(self) -> Self:
        name = type(self).__name__
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"{name}.end is {self.end:g}: give more than start, which is {self.start:g}")
        if isinstance(self.file, str) and is_remote(self.file):
            if not self.file.lower().startswith("http"):
                raise ValueError(f"{name}.file is {self.file!r}: give an http(s) URL, a local path or a kept file")
            if self.start is not None or self.end is not None:
                raise ValueError(f"{name} cuts nothing out of a URL, which Together fetches itself: leave out start and end")
        return self

    def title(self) -> str:
        """Return what the recording is called."""
        return self._made_of() or self.model

    def label(self) -> str:
        """Return what tells it from others: what the recording is called, and which part of it is meant."""
        if self.start is None and self.end is None:
            return self.title()
        until = "its end" if self.end is None else clock(self.end)
        return f"{self.title()} · {clock(self.start or 0.0)} to {until}"

    def given(self) -> dict[str, Any]:
        """Return the fields that were set, and how many seconds are listened to; where that is not known, how many at most.

        Raises:
            InvalidRequest: The recording has no sound.
        """
        given = {**super().given(), self.kind: True}
        whole = seconds_of(self.file)
        end = self.end if whole is None else min(self.end or whole, whole)
        if end is None:
            return {**given, "longest": LONGEST}
        return {**given, "seconds": round(max(0.0, end - (self.start or 0.0)), 3)}

    def parts(self) -> list[Self]:
        """Return requests for the pieces of a recording that is longer than Together takes; none where it is not.

        Raises:
            InvalidRequest: It is missing, no recording, or without sound.
        """
        use = next(iter(self.media_inputs()))
        cuts = [{"start": piece.start, "end": piece.end} for piece in stretches(self, use)]
        return [self.model_copy(update={name: value for name, value in cut.items() if value is not None}) for cut in cuts]

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the fields of the form."""
        return {
            "model": self.model,
            **plain(self, ("prompt", "temperature")),
            "response_format": "verbose_json",  # the only answer from which the cost is known
            "timestamp_granularities": list(self.timestamp_granularities or ()),
            "file": render(self.file, Recording(self.start, self.end), "recording"),
        }

    @classmethod
    def transport_fields(cls) -> tuple[str, ...]:
        """Name the fields that say how to answer, and do not change the answer."""
        return ("response_format",)
