"""Videos: what may be asked of ``POST /v2/videos``, what its jobs answer, and what comes back. No I/O here."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from prefect_together._internal.readers import as_list, as_mapping, as_money, as_number, as_text
from prefect_together.catalog.model_ids import AspectRatio, VideoModelId
from prefect_together.generations.formats import VIDEOS, Shape
from prefect_together.generations.kept_file import StoredFile
from prefect_together.generations.keyframes import Keyframe, KeyframeInput, keyframe_body
from prefect_together.generations.request import Items, MediaInput, Render, Request, Seed, plain
from prefect_together.generations.results import GeneratedMedia, GenerationJob, ResultFacts
from prefect_together.generations.spec import (
    FILE_COLUMNS,
    GenerationSpec,
    Job,
    JobProtocol,
    JobStatus,
    Keeping,
    Links,
    Payload,
    ResponseFormatError,
)


def _seconds(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("give a number of seconds")  # noqa: TRY004 - pydantic wants it
    text = str(value).strip() if isinstance(value, (int, float, str)) else ""
    text = text.removesuffix(".0")  # as frames and what they write have whole numbers
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("give a whole number of seconds, 1 or more")
    return str(int(text))


Seconds = Annotated[str | int, BeforeValidator(_seconds)]
"""Whole seconds; the API wants a string (together-api.md 3.1)."""


class VideoRequest(Request):
    """One clip from a prompt, from keyframes, or from other clips.

    Example:
        ```python
        from prefect_together import VideoRequest

        clip = VideoRequest(prompt="slow push in", model="minimax/hailuo-02", frame_images=["still.jpg"], seconds=6)
        ```

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str] = "video"

    model: VideoModelId
    """Together's model id, e.g. `minimax/hailuo-02`."""
    prompt: Annotated[str, Field(min_length=1, max_length=32000, pattern=r"\S")] | None = None
    """What happens in the clip. Optional where keyframes say it (Kling)."""
    width: Annotated[int, Field(ge=1)] | None = None
    """Pixels; the pair must be one that the model knows."""
    height: Annotated[int, Field(ge=1)] | None = None
    """Pixels; the pair must be one that the model knows."""
    resolution: str | None = None
    """E.g. `720P` (Wan) or `720p` (Seedance): instead of width and height."""
    ratio: AspectRatio | None = None
    """E.g. `16:9`, beside `resolution`."""
    seconds: Seconds | None = None
    """Length of the clip in whole seconds."""
    fps: Annotated[int, Field(ge=1)] | None = None
    """Frames per second."""
    steps: Annotated[int, Field(ge=1, le=50)] | None = None
    """Diffusion steps, 1 to 50."""
    seed: Seed | None = None
    """0 to 2147483647. A request with a seed is made once and reused by every later run."""
    guidance_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How literally the prompt is taken; 6-10 for most models."""
    output_format: Literal["MP4", "WEBM"] | None = None
    """File format. Together's default is MP4."""
    output_quality: Annotated[int, Field(ge=0)] | None = None
    """Compression: lower is better and larger. Together's default is 20."""
    negative_prompt: str | None = None
    """What to keep out of the clip."""
    generate_audio: bool | None = None
    """Whether the clip gets sound, for models that make it."""
    frame_images: Items[KeyframeInput] = None
    """Keyframes: pictures that the clip passes through. Kling needs them."""
    frame_videos: Items[MediaInput] = None
    """Clips to continue."""
    reference_images: Items[MediaInput] = None
    """Pictures that say how things look."""
    reference_videos: Items[MediaInput] = None
    """Clips that say how things look and move."""
    source_video: MediaInput | None = None
    """A clip to edit."""
    audio_inputs: Items[MediaInput] = None
    """Sound that drives the clip, such as a ``GeneratedAudio``: WAV or MP3, 3-30 s."""
    reference_audios: Items[MediaInput] = None
    """Sounds that the clip's own sound is to be like, such as a voice; Seedance takes them."""
    media_layout: Literal["media", "top_level"] = "media"
    """Where media stand in the body: under `media`, or at the top level as older models want it."""

    @model_validator(mode="after")
    def _says_something(self) -> VideoRequest:
        if self.prompt is None and not any(getattr(self, name) for name in _MEDIA):
            raise ValueError("VideoRequest needs a prompt or media (frame_images, source_video, …), and has neither")
        under_media = [name for name in _MEDIA if name not in _TOP_LEVEL and getattr(self, name)]
        if self.media_layout == "top_level" and under_media:
            named = under_media[0]
            raise ValueError(f"VideoRequest.{named} only exists under 'media', so media_layout='top_level' cannot carry it")
        return self

    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body, media under ``media`` unless ``media_layout`` says otherwise."""
        body: dict[str, Any] = {"model": self.model, **plain(self, _PLAIN)}
        media = self._media(render)
        if self.media_layout == "top_level":
            return {**body, **media}
        return {**body, "media": media} if media else body

    def identity(self, render: Render) -> dict[str, Any]:
        """Return what makes this request this request; where its media stand in the body does not."""
        under_media = self.model_copy(update={"media_layout": "media"})
        return super(VideoRequest, under_media).identity(render)

    def _media(self, render: Render) -> dict[str, Any]:
        media: dict[str, Any] = {}
        if self.frame_images:
            media["frame_images"] = [keyframe_body(keyframe, render) for keyframe in self.keyframes]
        if self.frame_videos:
            media["frame_videos"] = [{"video": render(video, "data_url", "video")} for video in self.frame_videos]
        if self.reference_images:
            media["reference_images"] = [render(image, "data_url", "image") for image in self.reference_images]
        if self.reference_videos:
            media["reference_videos"] = [{"video": render(video, "data_url", "video")} for video in self.reference_videos]
        if self.source_video is not None:
            media["source_video"] = render(self.source_video, "data_url", "video")
        if self.audio_inputs:
            media["audio_inputs"] = [render(sound, "data_url", "audio") for sound in self.audio_inputs]
        if self.reference_audios:
            media["reference_audios"] = [render(sound, "data_url", "audio") for sound in self.reference_audios]
        return media

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """``frame_images``, each as a ``Keyframe``."""
        return tuple(frame for frame in self.frame_images or () if isinstance(frame, Keyframe))

    def alike(self) -> tuple[MediaInput, ...]:
        """Return the keyframes' pictures."""
        return tuple(keyframe.input_image for keyframe in self.keyframes)


_TOP_LEVEL = ("frame_images", "reference_images")
_MEDIA = (*_TOP_LEVEL, "frame_videos", "reference_videos", "source_video", "audio_inputs", "reference_audios")
_PLAIN = (
    "prompt",
    "width",
    "height",
    "resolution",
    "ratio",
    "seconds",
    "fps",
    "steps",
    "seed",
    "guidance_scale",
    "output_format",
    "output_quality",
    "negative_prompt",
    "generate_audio",
)


class GeneratedVideo(GeneratedMedia):
    """A clip that was made, kept, and can be opened; may be given to any request that takes a clip."""

    kind: ClassVar[str] = "video"

    request: VideoRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    seconds: float | None = None
    """Length of the clip in seconds, read from the file."""
    fps: float | None = None
    """Frames per second, read from the file where PyAV is installed."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def shape(self) -> Shape:
        """What it measures."""
        return Shape(self.width, self.height, self.seconds, self.fps)

    def span_attributes(self) -> dict[str, Any]:
        """Return what only this type says of its results in a trace span."""
        return {"prefect_together.clip_seconds": self.seconds} if self.seconds else {}


class VideoJob(GenerationJob):
    """A clip that Together has accepted and is rendering. It is paid for: ``wait_for_video`` fetches it."""

    request: VideoRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""


def _parse(answer: Any) -> Payload:
    """Read an answer of ``POST /v2/videos``."""
    job = _parse_status(answer)
    if not job.id:
        raise ResponseFormatError("the answer has no job id")
    return Job(job.id)


def _parse_status(answer: Any) -> JobStatus:
    """Read an answer of ``POST /v2/videos`` or ``GET /v2/videos/{id}`` (together-api.md 3.3)."""
    if not isinstance(answer, dict):
        raise ResponseFormatError("the answer is not a JSON object")
    found = as_mapping(answer)
    outputs, error = as_mapping(found.get("outputs")), found.get("error")
    older = as_mapping(found.get("info")).get("errors")  # the shape before `error`
    error = error or (as_list(older) or [older])[0]
    details = as_mapping(error) or {"message": error}
    url = as_text(outputs.get("video_url"))
    return JobStatus(
        id=as_text(found.get("id")),
        status=(as_text(found.get("status")) or "").lower(),
        made=Links((url,)) if url else None,
        cost=as_money(outputs.get("cost")),
        error_message=as_text(details.get("message")),
        error_code=as_text(details.get("code")) or as_text(details.get("type")),
        reported={"seconds": as_number(found.get("seconds"))},
    )


def _build(request: VideoRequest, stored: StoredFile, facts: ResultFacts) -> GeneratedVideo:
    # Measured where the file can be measured, else as the job reported it.
    seconds = stored.shape.seconds or facts.reported.get("seconds")
    return GeneratedVideo(**facts.file_fields(request, stored), seconds=seconds, fps=stored.shape.fps)


def _pace(request: VideoRequest) -> str:
    """Name the clips that take alike long: of one length and size."""
    found = request.given()
    size = found.get("resolution") or f"{found.get('width', '')}x{found.get('height', '')}"
    return f"{found.get('seconds', '')} s {size}"


SPEC = GenerationSpec(
    kind="video",
    request=VideoRequest,
    result=GeneratedVideo,
    path="/v2/videos",
    parse=_parse,
    build=_build,
    keeping=Keeping(
        media_types=VIDEOS,
        # Nobody has seen hosted links of clips live longer than a day (together-api.md 2.4).
        links_live=timedelta(hours=24),
        links_fresh=timedelta(hours=6),
    ),
    columns=FILE_COLUMNS,
    noun="clip",
    plural="clips",
    folder="videos",
    job=JobProtocol(path="/v2/videos/{id}", parse=_parse_status, job=VideoJob, pace=_pace),
)
