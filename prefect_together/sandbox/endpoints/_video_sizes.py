"""The size of a clip: as asked, from resolution and ratio, or the model's own; knows no durations."""

from __future__ import annotations

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages

# https://docs.together.ai/docs/wan2.7-quickstart; other resolutions are worked out below.
WAN = {
    ("720", "16:9"): (1280, 720), ("720", "9:16"): (720, 1280), ("720", "1:1"): (960, 960),
    ("720", "4:3"): (1104, 832), ("720", "3:4"): (832, 1104),
    ("1080", "16:9"): (1920, 1080), ("1080", "9:16"): (1080, 1920), ("1080", "1:1"): (1440, 1440),
    ("1080", "4:3"): (1648, 1248), ("1080", "3:4"): (1248, 1648),
}  # fmt: skip
LINES = {"2k": 1440, "4k": 2160}
LINES_ANYBODY_MAKES = range(64, 4321)
DEFAULT = (1366, 768)
TINY, TINY_SIZE = "sandbox/tiny", (320, 180)
"""A model of the sandbox's own, for flows that are tried: a clip of its size takes a tenth of the CPU."""


def size_of(body: checks.Body, model: catalog.Model | None) -> tuple[int, int]:
    """Return width and height in pixels, both even because yuv420p halves them."""
    width, height = (checks.integer(body, name, 16, checks.MAX_SIDE) for name in ("width", "height"))
    if width is not None or height is not None:
        size = (width or DEFAULT[0], height or DEFAULT[1])
        if model is not None and model.sizes and f"{size[0]}x{size[1]}" not in model.sizes:
            raise error_messages.off_the_menu(model.sizes)
        if size[0] % 2 or size[1] % 2:
            raise error_messages.wrong_type("width/height", "even numbers")
        return size
    resolution = body.get("resolution")
    ratio = body.get("ratio")
    if resolution is None and ratio is None:
        resolution = None if model is None else model.default_resolution or next(iter(model.resolutions), None)
    if resolution is None and ratio is None:
        if body.get("model") == TINY:
            return TINY_SIZE
        return checks.pixels(model.sizes[0]) if model is not None and model.sizes else DEFAULT
    if resolution is None and model is not None:
        resolution = model.default_resolution
    return by_ratio(resolution or "720p", ratio or "16:9")


def by_ratio(resolution: object, ratio: object) -> tuple[int, int]:
    """Return the size for words such as `720P` and `16:9`; the shorter side has the resolution's pixels."""
    word = str(resolution).lower().removesuffix("p")
    across, _, down = str(ratio).partition(":")
    lines = LINES.get(word, int(word) if word.isdecimal() else 0)
    if lines not in LINES_ANYBODY_MAKES:
        raise error_messages.wrong_type("resolution", "a resolution such as '720p'")
    if not (across.isdecimal() and down.isdecimal() and int(across) and int(down)):
        raise error_messages.wrong_type("ratio", "a ratio such as '16:9'")
    if (word, str(ratio)) in WAN:
        return WAN[word, str(ratio)]
    long = round(lines * max(int(across), int(down)) / min(int(across), int(down)) / 2) * 2
    if long > checks.MAX_SIDE:
        raise error_messages.wrong_type("ratio", "a ratio that a screen could have")
    return (long, lines) if int(across) >= int(down) else (lines, long)
