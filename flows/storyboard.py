"""A storyboard becomes a film: stills first, which a person approves, then clips from those stills, then one file.

python flows/storyboard.py --sandbox --review false          a local Together: nothing is paid
python flows/storyboard.py --plan                            what it would send and cost: with no still approved, and all
python flows/storyboard.py --shots flows/storyboard.yaml     the real one, waiting for approval in the Prefect UI
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from prefect import flow, get_run_logger
from pydantic import BaseModel, ConfigDict, Field

from prefect_together import (
    DerivedMedia,
    GeneratedImage,
    GeneratedVideo,
    ImageModelId,
    ImageRequest,
    KeptFile,
    Keyframe,
    MediaLibrary,
    MediaReference,
    Plan,
    VideoModelId,
    VideoRequest,
    approved_images,
    catalog,
    check_requests,
    contact_sheet,
    expected,
    generate_image,
    generate_video,
    join_videos,
    last_frame,
    named_after,
    publish_gallery,
    run_as_command,
    summary,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import InvalidRequest, TogetherError

VIDEO_MODELS = {"cut": "minimax/hailuo-02", "chain": "ByteDance/Seedance-2.5"}


class Shot(BaseModel):
    """One shot of the film."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    prompt: Annotated[str, Field(min_length=1)]
    """What the picture shows."""
    motion: str = "slow push in"
    """What happens in the clip."""
    seconds: Annotated[int, Field(ge=1, le=15)] = 6
    """Length of the clip, 1 to 15 seconds; which lengths there are depends on the model."""


SHOTS = [
    Shot(prompt="a lighthouse on a cliff at dusk, storm far out", motion="slow push in, waves breaking"),
    Shot(prompt="the keeper climbs the spiral stairs with a lamp", motion="the lamp swings, shadows turn"),
    Shot(prompt="the beam sweeps over a small boat in high waves", motion="the boat rises and falls"),
]


@flow(name="storyboard", flow_run_name=named_after("title"))
def storyboard(
    title: str = "The lighthouse",
    shots: list[Shot] = SHOTS,
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    video_model: VideoModelId | None = None,
    width: Annotated[int, Field(ge=64, le=4096)] = 1344,
    height: Annotated[int, Field(ge=64, le=4096)] = 768,
    seed: int | None = 7,
    continuity: Literal["cut", "chain"] = "cut",
    review: bool = True,  # noqa: FBT001, FBT002 - a box to tick in the form
    review_minutes: Annotated[int, Field(ge=1)] = 60,
    on_timeout: Literal["fail", "keep", "drop"] = "fail",
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedImage | GeneratedVideo | DerivedMedia] | Plan:
    """Turn a storyboard into a film, asking before the expensive part.

    Args:
        title: What the film is called.
        shots: The shots, in order: prompt, motion, seconds. As an option: a YAML or JSON file.
        model: Together's id of the image model.
        video_model: Together's id of the video model; by default minimax/hailuo-02, and ByteDance/Seedance-2.5 for a chain,
            whose clips have a first and a last frame.
        width: Width of the stills in pixels.
        height: Height of the stills in pixels.
        seed: With a seed everything is made once and reused by every later run.
        continuity: cut: each clip begins on its own still, all at once. chain: each clip begins on the last frame of the
            one before and ends on its own still, one after the other.
        review: Whether a person approves the stills in the Prefect UI before clips are paid for.
        review_minutes: How long to wait for that.
        on_timeout: What happens when nobody answers: fail, keep all, or drop all.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    library = MediaLibrary()
    ask = [ImageRequest(prompt=shot.prompt, model=model, width=width, height=height, seed=seed) for shot in shots]
    chain = continuity == "chain"
    video_model = video_model or VIDEO_MODELS[continuity]
    known = catalog.find(video_model)
    if chain and known and known.max_keyframes == 1:
        raise InvalidRequest(f'video_model: {known.id} takes one keyframe and a chain needs two: use continuity="cut".')
    firsts = [(shot, expected(still, library=library)) for shot, still in zip(shots, ask, strict=True)]
    clips_of = [_clip(shot, it, it if chain and nth else None, video_model, seed) for nth, (shot, it) in enumerate(firsts)]
    check_requests(*ask, *clips_of)  # before the stills are paid for
    if plan:
        pictures = plan_requests(ask, library=library)
        films = plan_requests(_planned(shots, ask, video_model, seed, library, chain=chain), library=library)
        return pictures + (films.if_approved() if review else films)
    stills = _stills(ask, library)
    pairs = list(zip(shots, stills, strict=True))
    price = catalog.estimate(video_model, {"model": video_model, "seconds": str(shots[0].seconds)}) if shots else None
    if review:
        left = approved_images(stills, price=price, timeout=review_minutes * 60, on_timeout=on_timeout, library=library)
        pairs = [(shot, still) for shot, still in zip(shots, left, strict=True) if still]
    clips = _clips(pairs, video_model, seed, library, chain=chain)
    made: list[GeneratedImage | GeneratedVideo | DerivedMedia] = [*(still for _, still in pairs), *clips]
    made += _film([still for _, still in pairs], clips, library)
    publish_gallery(made, key="storyboard", title=title)
    return made


def _stills(requests: list[ImageRequest], library: MediaLibrary) -> list[GeneratedImage]:
    """Make all stills at once."""
    return [future.result() for future in generate_image.map(requests, library=library)]


def _clips(
    pairs: list[tuple[Shot, GeneratedImage]], model: str, seed: int | None, library: MediaLibrary, *, chain: bool
) -> list[GeneratedVideo]:
    """Make the clips: all at once, or each one from where the last one ended."""
    if not chain:
        requests = [_clip(shot, still, None, model, seed) for shot, still in pairs]
        return [future.result() for future in generate_video.map(requests, library=library)]
    clips: list[GeneratedVideo] = []
    for shot, still in pairs:
        start = last_frame(clips[-1], library=library) if clips else None
        clips.append(generate_video(_clip(shot, still, start, model, seed), library=library))
    return clips


def _clip(shot: Shot, still: MediaReference, start: MediaReference | None, model: str, seed: int | None) -> VideoRequest:
    """Ask for the clip of a still: one that begins on it, or one that leads from where another clip ended to it."""
    frames: list[MediaReference | Keyframe] = [still]
    if start is not None:
        frames = [Keyframe(input_image=start, frame="first"), Keyframe(input_image=still, frame="last")]
    return VideoRequest(prompt=shot.motion, model=model, frame_images=frames, seconds=shot.seconds, seed=seed)


def _planned(
    shots: list[Shot], stills: list[ImageRequest], model: str, seed: int | None, library: MediaLibrary, *, chain: bool
) -> list[VideoRequest]:
    """Return the clips to ask for, with what is kept already and stand-ins for what is still to be made."""
    clips: list[VideoRequest] = []
    start: MediaReference | None = None
    for shot, still in zip(shots, stills, strict=True):
        clips.append(_clip(shot, expected(still, library=library), start, model, seed))
        if chain:
            clip = expected(clips[-1], library=library)
            # What stands for a clip that is still to be made stands for its last frame as well.
            planned = clip.model_copy(update={"media_type": "image/png"})
            start = last_frame(clip, library=library) if isinstance(clip, GeneratedVideo) else planned
    return clips


def _film(stills: list[GeneratedImage], clips: list[GeneratedVideo], library: MediaLibrary) -> list[DerivedMedia]:
    """Join the clips and lay out the stills, each where that is possible: what is paid for is shown in any case."""
    if not clips:
        return []
    made = [_tried("film", join_videos, clips, library), _tried("contact sheet", contact_sheet, stills, library)]
    return [file for file in made if file is not None]


def _tried(
    what: str, make: Callable[..., DerivedMedia], files: Sequence[KeptFile], library: MediaLibrary
) -> DerivedMedia | None:
    try:
        return make(files, library=library)
    except TogetherError as error:  # such as the extra "media" that is not installed
        get_run_logger().warning("There is no %s: %s", what, error)
        return None


if __name__ == "__main__":
    raise SystemExit(run_as_command(storyboard, summary, needs_key=True))
