"""Draw a clip from its recipe, lay its sound under it, and write it as MP4 or WEBM; fetches nothing.

The motion is done on the three planes of yuv420p, half the bytes of RGB: 6 s of 1366x768 at 25 fps take about 1.5 s
of CPU.
"""

from __future__ import annotations

import random
import tempfile
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from prefect_together.sandbox import captions, landscapes
from prefect_together.sandbox._media import Image, ImageDraw, ImageOps, av, levels, resized
from prefect_together.sandbox.pictures import OpenInput
from prefect_together.sandbox.recipes import Clip
from prefect_together.sandbox.sound import soundtracks

Planes = tuple[Image.Image, ...]

ENCODERS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    # crf 18 keeps a clip's last frame close enough to be the first one of the next.
    "MP4": ("libx264", "mp4", {"preset": "ultrafast", "crf": "18"}, {"movflags": "+faststart"}),
    "WEBM": ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "24", "b": "0"}, {}),
}
ZOOM = 0.09
"""How much closer a picture comes over its part of the clip."""
SHOWN, SHOWN_SIDE = 4, 96
"""Frames of a second that are shown, and their sides in pixels: enough to know a clip again by any of its frames."""


@dataclass(frozen=True)
class Scene:
    """One picture of the clip and where in it (0-1) it must be seen exactly as it is."""

    planes: Planes
    place: float
    pan: tuple[float, float]


@dataclass(frozen=True)
class Caption:
    """The bar that carries the prompt, as planes with a mask for each, and its corner."""

    planes: Planes
    masks: Planes
    corner: tuple[int, int]


def render(
    recipe: Clip, open_input: OpenInput, show: Callable[[Image.Image], None], sounds: Sequence[array[int]] = ()
) -> bytes:
    """Return the clip's bytes: exact size, frame count and rate; it begins and ends on the keyframes it was given.

    Args:
        recipe: What to draw.
        open_input: Opens the pictures that it is made of.
        show: Called with a few frames of every second, and the last one.
        sounds: The samples of `recipe.sounds`.
    """
    codec, container, options, muxing = ENCODERS[recipe.format]
    scenes, caption = _storyboard(recipe, open_input)
    # A file on disk, because faststart reads what it wrote a second time and cannot do so in memory.
    with tempfile.TemporaryDirectory(prefix="sandbox-clip-") as folder:
        path = Path(folder, f"clip.{container}")
        with av.open(str(path), "w", format=container, options=muxing) as target:
            stream = target.add_stream(codec, rate=Fraction(recipe.fps), options=options)
            stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
            target.metadata["title"] = recipe.prompt[:200]
            audio = _sound(target, recipe, sounds)
            for index, planes in enumerate(_motion(recipe, scenes, caption)):
                frame = _to_frame(planes, recipe)
                if index % max(1, recipe.fps // SHOWN) == 0 or index == recipe.frames - 1:
                    show(cast("Image.Image", frame.to_image(width=SHOWN_SIDE, height=SHOWN_SIDE)))
                frame.pts, frame.time_base = index, Fraction(1, recipe.fps)
                target.mux(stream.encode(frame))
                # Side by side with the pictures, as players read both at once.
                target.mux(list(_until(audio, (index + 1) / recipe.fps)))
            target.mux(stream.encode(None))
            target.mux(list(audio))
        return path.read_bytes()


def _sound(target: Any, recipe: Clip, sounds: Sequence[array[int]]) -> Iterator[Any]:
    """Return the packets of the clip's sound, none for a silent one."""
    if not recipe.sound and not sounds:
        return iter(())
    stream = target.add_stream("aac" if recipe.format == "MP4" else "libopus", rate=soundtracks.RATE)
    stream.layout = "mono"
    seed = f"{recipe.model}|{recipe.seed}|{recipe.prompt}"
    seconds = recipe.frames / recipe.fps
    return soundtracks.packets(stream, soundtracks.soundtrack(seconds, seed=seed, pad=recipe.sound, given=sounds))


def _until(packets: Iterator[Any], seconds: float) -> Iterator[Any]:
    """Yield the packets up to a time, and the first one behind it."""
    for packet in packets:
        yield packet
        if packet.pts is not None and float(packet.pts * packet.time_base) > seconds:
            return


def last_frame(path: Path) -> Image.Image:
    """Return the last picture of a video file as RGB."""
    with av.open(str(path)) as source:
        last = deque(source.decode(video=0), maxlen=1)
        if not last:
            raise ValueError("the video has no frames")
        return cast("Image.Image", last[0].to_image())


def _storyboard(recipe: Clip, open_input: OpenInput) -> tuple[list[Scene], Caption | None]:
    """Return the pictures of the clip in order and the caption."""
    rng = random.Random(f"{recipe.model}|{recipe.seed}|{recipe.prompt}")
    size = (recipe.width, recipe.height)
    stills: list[tuple[Image.Image, float]] = [
        (ImageOps.fit(open_input(name), size, Image.Resampling.BICUBIC), place) for name, place in recipe.keyframes
    ]
    if not stills:
        looks = [open_input(name) for name in recipe.references[:3]]
        stills = [(ImageOps.fit(look, size, Image.Resampling.BICUBIC), 0.0) for look in looks] or [
            (landscapes.draw(*size, prompt=recipe.prompt, rng=rng), 0.0)
        ]
        stills = [(still, index / max(1, len(stills) - 1)) for index, (still, _) in enumerate(stills)]
    scenes = [
        Scene(_to_planes(still), place, (rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.7)))
        for still, place in sorted(stills, key=lambda pair: pair[1])
    ]
    note = f"{recipe.model}  ·  seed {recipe.seed}  ·  {recipe.seconds:g} s at {recipe.fps} fps"
    bar, corner = captions.bar_for(stills[0][0], recipe.prompt or "(no prompt)", note)
    if bar is None:
        return scenes, None
    # Even corner and size, so that the bar falls on whole chroma samples.
    bar, corner = bar.crop((0, 0, bar.width // 2 * 2, bar.height // 2 * 2)), (corner[0] // 2 * 2, corner[1] // 2 * 2)
    mask = Image.new("L", bar.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, bar.width - 1, bar.height - 1), round(bar.height * 0.16), fill=255)
    half = mask.reduce(2)
    return scenes, Caption(_to_planes(bar), (mask, half, half), corner)


def _motion(recipe: Clip, scenes: list[Scene], caption: Caption | None) -> Iterator[Planes]:
    """Yield the planes of every frame: each scene drifts, neighbours cross-fade, the caption comes and goes."""
    last = max(1, recipe.frames - 1)
    for index in range(recipe.frames):
        time = index / last
        after = next((n for n, scene in enumerate(scenes) if scene.place > time), len(scenes))
        before = scenes[max(0, after - 1)]
        planes = _zoomed(before, time)
        if 0 < after < len(scenes):
            coming = scenes[after]
            share = (time - before.place) / (coming.place - before.place)
            blend = _ease(min(1.0, max(0.0, (share - 0.3) / 0.4)))
            if blend >= 1:
                planes = _zoomed(coming, time)
            elif blend > 0:
                both = zip(planes, _zoomed(coming, time), strict=True)
                planes = tuple(Image.blend(old, new, blend) for old, new in both)
        # Keyframes must be seen bare: the caption comes after the first one and is gone before the last frame, so that
        # the last frame of one clip can be the first of the next without a caption burnt in.
        strength = min(1.0, (0.92 - time) / 0.06)
        if recipe.keyframes:
            strength = min(strength, (time - 0.06) / 0.06)
        if caption and strength > 0:
            planes = _captioned(planes, caption, strength, time)
        yield planes


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)


def _zoomed(scene: Scene, time: float) -> Planes:
    """Return the scene at `time`: untouched at its own place, closer the further away from it."""
    inside = 1 / (1 + ZOOM * _ease(min(1.0, abs(time - scene.place))))
    if inside == 1:
        return scene.planes

    def moved(plane: Image.Image) -> Image.Image:
        left, top = (side * (1 - inside) * share for side, share in zip(plane.size, scene.pan, strict=True))
        box = (left, top, left + plane.width * inside, top + plane.height * inside)
        return resized(plane, plane.size, Image.Resampling.BILINEAR, box)

    return tuple(moved(plane) for plane in scene.planes)


def _captioned(planes: Planes, caption: Caption, strength: float, time: float) -> Planes:
    captioned = list[Image.Image]()
    for number, (plane, bar, mask) in enumerate(zip(planes, caption.planes, caption.masks, strict=True)):
        corner = caption.corner if number == 0 else (caption.corner[0] // 2, caption.corner[1] // 2)
        copy = plane.copy()
        shown = bar
        if number == 0:
            # A hairline that fills up shows that the clip is running, and how far.
            shown = bar.copy()
            thick = max(2, bar.height // 36)
            end = round(bar.width * (0.03 + 0.94 * time))
            line = (round(bar.width * 0.03), bar.height - 3 * thick, end, bar.height - 2 * thick)
            ImageDraw.Draw(shown).rectangle(line, fill=205)
        faded = mask if strength >= 1 else levels(mask, [round(level * strength) for level in range(256)])
        copy.paste(shown, corner, faded)
        captioned.append(copy)
    return tuple(captioned)


def _to_planes(picture: Image.Image) -> Planes:
    frame = av.VideoFrame.from_image(picture.convert("RGB")).reformat(format="yuv420p")
    return tuple(
        Image.frombytes("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in frame.planes
    )


def _to_frame(planes: Planes, recipe: Clip) -> Any:
    frame = av.VideoFrame(recipe.width, recipe.height, "yuv420p")
    for target, plane in zip(frame.planes, planes, strict=True):
        # The rows of a frame are padded to `line_size`.
        padded = Image.new("L", (target.line_size, target.height))
        padded.paste(plane, (0, 0))
        target.update(padded.tobytes())
    return frame
