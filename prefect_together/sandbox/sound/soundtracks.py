"""The sound of a clip: a soft pad with a breath of air, and what was given to be heard in it; draws nothing.

The pad stays clear of the notes in which words stand and of the pitches at which voices hum, so that a narration laid over
it can be heard.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import add
from typing import IO, Any

from prefect_together.sandbox._media import av

RATE = 48_000
"""Samples in a second."""
CHORDS = ((69, 276), (72, 288), (75, 300))
"""Hz; a root, and the same note two octaves above it."""
PAD, AIR = 0.05, 0.004
"""Amplitudes, of 1."""
FADE = 0.4
"""Seconds in which a clip's sound comes and goes."""
_LOOP = 2
"""Seconds after which the pad repeats itself."""
_PIECE = 1_024


def soundtrack(seconds: float, *, seed: str, pad: bool, given: Sequence[array[int]]) -> array[int]:
    """Return the samples of a clip's sound, 16 bits each, one channel.

    Args:
        seconds: How long the clip is: sound that is longer is cut, and where it is shorter there is the pad or silence.
        seed: What the pad depends on.
        pad: Whether there is one.
        given: Sounds that are heard one after the other from the clip's beginning.
    """
    count = round(seconds * RATE)
    samples = _faded(_looped(_pad(seed), count)) if pad else array("h", bytes(2 * count))
    at = 0
    for sound in given:
        length = min(len(sound), count - at)
        if length <= 0:
            break
        over = samples[at : at + length]
        samples[at : at + length] = array("h", map(_limited, map(add, over, sound[:length])))
        at += length
    return samples


def samples_of(file: IO[bytes]) -> array[int]:
    """Return the sound in a file as samples of one channel, `RATE` in a second.

    Raises:
        ValueError: There is none in it.
    """
    samples = array("h")
    try:
        with av.open(file, "r") as source:
            if not source.streams.audio:
                raise ValueError("there is no sound in it")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in source.decode(audio=0):
                for piece in resampler.resample(frame):
                    samples.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
            for piece in resampler.resample(None):
                samples.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
    except (av.FFmpegError, EOFError) as error:
        raise ValueError("not a sound") from error
    if not samples:
        raise ValueError("there is no sound in it")
    return samples


def packets(stream: Any, samples: array[int]) -> Iterator[Any]:
    """Yield the encoded packets of a sound, in the order of their times."""
    for at in range(0, len(samples), _PIECE):
        piece = samples[at : at + _PIECE]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece))
        frame.sample_rate, frame.pts = RATE, at
        # The plane of a short frame is longer than its samples.
        frame.planes[0].update(piece.tobytes() + bytes(frame.planes[0].buffer_size - 2 * len(piece)))
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _limited(value: int) -> int:
    return max(-32_768, min(32_767, value))


def _looped(loop: array[int], count: int) -> array[int]:
    return (loop * (count // len(loop) + 1))[:count]


def _faded(samples: array[int]) -> array[int]:
    fade = min(round(FADE * RATE), len(samples) // 2)
    for at in range(fade):
        samples[at] = samples[at] * at // fade
        samples[-1 - at] = samples[-1 - at] * at // fade
    return samples


@lru_cache(maxsize=16)
def _pad(seed: str) -> array[int]:
    """Return a loop that a whole number of waves fits into."""
    rng = random.Random(seed)
    low, high = rng.choice(CHORDS)
    swell = rng.randint(1, 2) / _LOOP
    values = array("h")
    for at in range(_LOOP * RATE):
        turn = 2 * math.pi * at / RATE
        loud = 0.8 + 0.2 * math.sin(turn * swell)
        tone = loud * (math.sin(turn * low) + 0.4 * math.sin(turn * high)) / 1.4
        values.append(round(32_767 * (PAD * tone + AIR * (2 * rng.random() - 1))))
    return values
