"""Sounds put behind each other without a click, sample by sample. Opens no files, and decodes nothing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

_EDGE = 0.005  # seconds in which a sound fades that would begin or end with a click
_STEP = 0.01  # of full scale: smaller steps are not heard
_STEEPER = 4  # times as large as the steps beside it: a wave that goes on is no click


class SampleItems(Protocol):
    """How the samples of sounds that are joined are written, the same for all: the channels of each in turn."""

    @property
    def rate(self) -> int:
        """Samples per second of each channel."""
        ...

    @property
    def channels(self) -> int:
        """How many there are."""
        ...

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        ...

    @property
    def item(self) -> str:
        """The code of one sample in ``array``."""
        ...

    @property
    def full(self) -> float:
        """The largest sample."""
        ...

    @property
    def zero(self) -> int:
        """The sample of silence."""
        ...

    def silence(self, count: int) -> bytes:
        """Return so many samples of all channels that are silent."""
        ...


class Joints:
    """The samples of several sounds, of which those at an edge fade that would be heard as a click.

    Args:
        sounds: What yields the samples of each, a second or so at a time.
        form: How they are written.
        pause: Seconds of silence between two of them.
    """

    def __init__(self, sounds: Sequence[Callable[[], Iterator[bytes]]], form: SampleItems, pause: float) -> None:
        self._sounds, self._form = sounds, form
        self._pause = round(pause * form.rate)
        self._edge = max(1, round(_EDGE * form.rate))
        self.faded: list[str] = []

    def samples(self) -> Iterator[bytes]:
        """Yield all of them; afterwards ``faded`` says which edges are not as they were."""
        end = b""  # the last samples of the sound before, which are not given yet
        for number, sound in enumerate(self._sounds, 1):
            pieces = sound()
            first = next(pieces, b"")
            if number > 1:
                silence = self._form.silence(min(self._pause, self._edge))
                yield self._ended(number - 1, end, silence or first)
                yield from self._silence()
                first = self._begun(number, first, silence or end)
            end = b""
            for piece in _chained(first, pieces):
                whole = end + piece
                cut = max(0, len(whole) - self._edge * self._form.frame)
                yield whole[:cut]
                end = whole[cut:]
        yield end

    def _silence(self) -> Iterator[bytes]:
        left = self._pause
        while left:
            count = min(left, self._form.rate)
            left -= count
            yield self._form.silence(count)

    def _ended(self, number: int, end: bytes, after: bytes) -> bytes:
        if not self._clicks(end, after):
            return end
        self.faded.append(f"sound {number}: its last {_EDGE * 1000:.0f} ms fade, as it ends with a click")
        return self._fade(end, falling=True)

    def _begun(self, number: int, first: bytes, before: bytes) -> bytes:
        if not self._clicks(before, first):
            return first
        self.faded.append(f"sound {number}: its first {_EDGE * 1000:.0f} ms rise, as it begins with a click")
        edge = self._edge * self._form.frame
        return self._fade(first[:edge], falling=False) + first[edge:]

    def _clicks(self, before: bytes, after: bytes) -> bool:
        """Tell whether the step between two pieces of sound is heard: one that waves beside it do not take."""
        return any(self._channel_clicks(before, after, channel) for channel in range(self._form.channels))

    def _channel_clicks(self, before: bytes, after: bytes, channel: int) -> bool:
        edge, step = self._edge * self._form.frame, self._form.channels
        ending = array(self._form.item, before[-edge:])[channel::step]
        beginning = array(self._form.item, after[:edge])[channel::step]
        if not ending or not beginning:
            return False
        jump = abs(ending[-1] - beginning[0]) / self._form.full
        usual = max((abs(two - one) for run in (ending, beginning) for one, two in pairwise(run)), default=0)
        return jump > _STEP and jump > _STEEPER * usual / self._form.full

    def _fade(self, samples: bytes, *, falling: bool) -> bytes:
        form, items = self._form, array(self._form.item, samples)
        count = max(1, len(items) // form.channels)
        parts = ((place // form.channels + 0.5) / count for place in range(len(items)))
        faded = (
            form.zero + (item - form.zero) * (1 - part if falling else part) for item, part in zip(items, parts, strict=True)
        )
        return array(form.item, faded if form.item in "fd" else map(round, faded)).tobytes()


def _chained(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
