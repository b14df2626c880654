"""What a hosted picture or clip is made of: small values that can be written down and drawn again; draws nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image, ready to be drawn: equal recipes give equal bytes on one machine."""

    model: str
    prompt: str
    seed: int
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    format: str = "jpeg"
    """`jpeg` or `png`."""
    references: tuple[str, ...] = ()
    """Names of inputs (see `inputs`): the first one is built on."""

    @property
    def media_type(self) -> str:
        """The type that the file host announces."""
        return f"image/{self.format}"

    @property
    def suffix(self) -> str:
        """The end of the file's name, with its dot."""
        return ".png" if self.format == "png" else ".jpg"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One video, ready to be drawn."""

    model: str
    prompt: str
    seed: int
    width: int
    """Pixels, even."""
    height: int
    """Pixels, even."""
    seconds: float
    fps: int
    format: str = "MP4"
    """`MP4` or `WEBM`."""
    keyframes: tuple[tuple[str, float], ...] = ()
    """Names of inputs and where each belongs: 0.0 is the first frame, 1.0 the last."""
    references: tuple[str, ...] = ()
    """Names of inputs that the clip should look like."""
    sound: bool = False
    """Whether it has sound of its own."""
    sounds: tuple[str, ...] = ()
    """Names of inputs that are heard in it, one after the other."""

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return max(1, round(self.seconds * self.fps))

    @property
    def media_type(self) -> str:
        """The type that the file host announces."""
        return f"video/{self.format.lower()}"

    @property
    def suffix(self) -> str:
        """The end of the file's name, with its dot."""
        return f".{self.format.lower()}"


Recipe = Picture | Clip


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain JSON values."""
    return {"kind": "clip" if isinstance(recipe, Clip) else "picture", **asdict(recipe)}


def from_json(data: Mapping[str, Any]) -> Recipe:
    """Return the recipe that `to_json` wrote."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    fields["references"] = tuple(fields["references"])
    if data["kind"] == "picture":
        return Picture(**fields)
    fields["keyframes"] = tuple((name, place) for name, place in fields["keyframes"])
    fields["sounds"] = tuple(fields.get("sounds", ()))
    return Clip(**fields)
