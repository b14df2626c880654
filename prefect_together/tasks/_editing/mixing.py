"""Several sounds as one: each at its time, one quieter where another is heard, none beyond full scale."""

from __future__ import annotations

import operator
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

from prefect_together.tasks._editing.samples import blocks, frame_of, samples_of
from prefect_together.tasks._editing.sound_form import SoundForm

_BLOCKS = 100  # a second: how often it is asked whether a sound is heard
_HEARD = 0.01  # of full scale
_EVERY = 8  # of so many samples one is looked at
_BEFORE, _AFTER = 20, 40  # blocks around what is heard in which the other sound is quiet
_RISE = 50  # blocks in which it comes back
_AT_ONCE = 10  # blocks that FFmpeg is given at once
_LIMITER = ("alimiter", "limit=0.95:level=0:latency=1:attack=5:release=50")


@dataclass(frozen=True)
class Laid:
    """A sound that is laid into a film."""

    path: Path
    at: float
    """Seconds of the film at which it begins."""
    volume: float


def laid(av: Any, sounds: Sequence[Laid], form: SoundForm) -> Iterator[bytes]:
    """Yield the samples of several sounds, each at its time, in blocks of a hundredth of a second."""
    waiting = deque(sorted(sounds, key=lambda sound: sound.at))
    voices: list[_Voice] = []
    size, place = form.rate // _BLOCKS, 0
    while waiting or voices:
        while waiting and round(waiting[0].at * form.rate) < place + size:
            sound = waiting.popleft()
            voices.append(_Voice(av, sound, form, max(0, round(sound.at * form.rate) - place)))
        parts = [voice.take(size) for voice in voices]
        voices = [voice for voice in voices if not voice.over]
        yield _sum(parts, form.silence(size))
        place += size


class _Voice:
    """One sound while it is heard."""

    def __init__(self, av: Any, sound: Laid, form: SoundForm, after: int) -> None:
        samples = samples_of(av, sound.path, form)
        if sound.volume != 1:
            samples = _filtered(av, samples, form, ("volume", f"{sound.volume}:precision=float"))
        self._pieces = chain([form.silence(after)], samples)
        self._waiting = bytearray()
        self._form = form
        self.over = False

    def take(self, count: int) -> bytes:
        """Return its next samples; the last ones may be fewer."""
        size = count * self._form.frame
        while len(self._waiting) < size and not self.over:
            piece = next(self._pieces, None)
            self.over = piece is None
            self._waiting += piece or b""
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken


def _sum(parts: Sequence[bytes], silence: bytes) -> bytes:
    """Return several pieces of sound at once; most of the time there is one at most."""
    heard = [part + silence[len(part) :] for part in parts if part]
    if len(heard) < 2:
        return heard[0] if heard else silence
    total = array("f", heard[0])
    for part in heard[1:]:
        total = array("f", map(operator.add, total, array("f", part)))
    return total.tobytes()


def mixed(
    av: Any, leading: Iterable[bytes], following: Iterable[bytes], form: SoundForm, decibels: float
) -> Iterator[bytes]:
    """Yield two sounds of one length as one; the second is quieter where the first one is heard.

    Args:
        av: PyAV.
        leading: What is heard as it is.
        following: What gets quieter.
        form: Of both.
        decibels: By how many.
    """
    size = form.rate // _BLOCKS
    low = 10 ** (-decibels / 20)
    pairs = _with_gains(blocks(leading, size, form), form, low)
    graph, inputs, sink = _mixer(av, form)
    place = 0
    for group, other in zip(_grouped(pairs), blocks(following, size * _AT_ONCE, form), strict=True):
        lead, gains = b"".join(block for block, _ in group), b"".join(gain for _, gain in group)
        for source, samples in zip(inputs, (other, gains, lead), strict=True):
            source.push(frame_of(av, samples, form, place))
        place += len(lead) // form.frame
        yield from _pulled(av, sink, form)
    for source in inputs:
        source.push(None)
    yield from _pulled(av, sink, form)
    del graph  # which its filters do not keep alive


def limited(av: Any, samples: Iterable[bytes], form: SoundForm) -> Iterator[bytes]:
    """Yield samples of which none is beyond full scale; those that are not stay as they are."""
    return _filtered(av, samples, form, _LIMITER)


def faded_end(samples: Iterable[bytes], count: int, form: SoundForm) -> Iterator[bytes]:
    """Yield the first samples, so many, of which the last ones fade, so that the end is no click."""
    fade, given = form.rate // 50, 0
    for block in blocks(samples, fade, form):
        left = count - given
        if left <= 0:
            return
        piece = block[: left * form.frame]
        if left < 2 * fade:
            items = array("f", piece)
            for place in range(len(items)):
                items[place] *= min(1.0, (left - place // form.channels) / fade)
            piece = items.tobytes()
        given += len(piece) // form.frame
        yield piece


def _grouped(pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    while group := list(islice(pairs, _AT_ONCE)):
        yield group


def _with_gains(leading: Iterator[bytes], form: SoundForm, low: float) -> Iterator[tuple[bytes, bytes]]:
    """Yield each block of the leading sound with what the other one is multiplied by meanwhile."""
    ahead: deque[tuple[bytes, bool]] = deque()
    gain, quiet = 1.0, 0  # blocks for which the other one stays quiet
    for block in chain(leading, [b""] * _BEFORE):
        ahead.append((block, _is_heard(block)))
        if ahead[-1][1]:
            quiet = _BEFORE + _AFTER
        if len(ahead) <= _BEFORE:
            continue
        current, _ = ahead.popleft()
        before = gain
        gain = max(low, gain - (1 - low) / _BEFORE) if quiet else min(1.0, gain + (1 - low) / _RISE)
        quiet = max(0, quiet - 1)
        if current:
            yield current, _ramp(before, gain, len(current) // form.frame, form)


def _ramp(first: float, last: float, count: int, form: SoundForm) -> bytes:
    if first == last:
        return (array("f", [first]) * (count * form.channels)).tobytes()
    step = (last - first) / count
    return array("f", (first + step * place for place in range(count) for _ in range(form.channels))).tobytes()


def _is_heard(block: bytes) -> bool:
    if not block:
        return False
    seen = memoryview(block).cast("f")[::_EVERY]
    return max(seen) > _HEARD or min(seen) < -_HEARD


def _mixer(av: Any, form: SoundForm) -> tuple[Any, list[Any], Any]:
    """Return a graph of FFmpeg's filters: the first input times the second, and the third."""
    graph = av.filter.Graph()
    inputs = [_input(graph, form) for _ in range(3)]
    product, total = graph.add("amultiply"), graph.add("amix", "inputs=2:normalize=0:duration=longest")
    inputs[0].link_to(product, 0, 0)
    inputs[1].link_to(product, 0, 1)
    product.link_to(total, 0, 0)
    inputs[2].link_to(total, 0, 1)
    return graph, inputs, _output(graph, total, form)


def _filtered(av: Any, samples: Iterable[bytes], form: SoundForm, step: tuple[str, str]) -> Iterator[bytes]:
    graph = av.filter.Graph()
    source, filter_step = _input(graph, form), graph.add(*step)
    source.link_to(filter_step)
    sink = _output(graph, filter_step, form)
    place = 0
    for piece in samples:
        if piece:
            source.push(frame_of(av, piece, form, place))
            place += len(piece) // form.frame
            yield from _pulled(av, sink, form)
    source.push(None)
    yield from _pulled(av, sink, form)


def _input(graph: Any, form: SoundForm) -> Any:
    return graph.add_abuffer(format=form.format, sample_rate=form.rate, layout=form.layout, time_base=Fraction(1, form.rate))


def _output(graph: Any, last: Any, form: SoundForm) -> Any:
    written = graph.add("aformat", f"sample_fmts={form.format}:channel_layouts={form.layout}")
    sink = graph.add("abuffersink")
    last.link_to(written)
    written.link_to(sink)
    graph.configure()
    return sink


def _pulled(av: Any, sink: Any, form: SoundForm) -> Iterator[bytes]:
    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield bytes(frame.planes[0])[: frame.samples * form.frame]
