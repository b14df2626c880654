"""`POST /v2/videos` and `GET /v2/videos/{id}`: check what is asked for, charge it, and answer with a job and its state.

Together has two moments of failure: a 4xx at once, or a job that is accepted and `failed` seconds later with a code
such as `unsupportedParameter`, `InvalidParameter` or `invalidDuration`. What only the model's provider can know fails
late.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from prefect_together import catalog
from prefect_together.sandbox import checks, error_messages
from prefect_together.sandbox.api import Api, Endpoint, account, file_token, json_body, success
from prefect_together.sandbox.endpoints._video_sizes import size_of
from prefect_together.sandbox.endpoints._video_sound import addresses, makes_sound
from prefect_together.sandbox.fault_injection import apply_fault
from prefect_together.sandbox.faults import Fault, Place
from prefect_together.sandbox.recipes import Clip
from prefect_together.sandbox.records import Job, whole

CREATE = "POST /v2/videos"
POLL = "GET /v2/videos"

# OpenAPI `CreateVideoBody`, plus `settings` of the Seedance quickstart.
FIELDS = frozenset({
    "model", "prompt", "width", "height", "resolution", "ratio", "seconds", "fps", "steps", "seed",
    "guidance_scale", "output_format", "output_quality", "negative_prompt", "generate_audio", "settings",
    "media", "frame_images", "reference_images",
})  # fmt: skip
# OpenAPI `VideoMedia`, plus `reference_audios` of the Seedance 2.5 quickstart.
MEDIA = frozenset({
    "frame_images", "frame_videos", "reference_images", "reference_videos", "source_video", "audio_inputs",
    "reference_audios",
})  # fmt: skip
MAX_SECONDS = 60
DEFAULT_SECONDS = 5


@dataclass(frozen=True)
class VideoBody:
    """What was asked for, checked; `failure` is the error of a job that will fail."""

    clip: Clip | None
    size: str | None
    seconds: str
    failure: Mapping[str, str] | None


class LateFailure(Exception):
    """Something that the provider refuses after the job was accepted."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code)
        self.error = {"message": message, "code": code}


async def create(api: Api, request: HttpRequest) -> Response:
    """Answer `POST /v2/videos`: with a job that is queued."""
    owner = account(request)
    body = await json_body(request)
    asked = await api.read(lambda: read_body(body, api.name_input, api.name_sound))
    job_id = _uuid7()
    prompt = whole(str(body.get("prompt") or ""))
    files = {} if asked.clip is None else {file_token(): asked.clip}
    # A job that is known to fail is not charged: what Together does is not documented.
    charge = api.charge(job_id, kind="video", body=body, prompt=prompt, account=owner) if files else None
    jobs: list[Job] = []

    async def accept(fault: Fault | None) -> None:
        fate, value = _fate(fault)
        job = Job(
            id=job_id, object="video", model=str(body["model"]), prompt=prompt, account=owner, created=time.time(),
            render_seconds=api.render_seconds, details={"size": asked.size, "seconds": asked.seconds},
            token=next(iter(files), None), usd=None if charge is None or charge.usd is None else str(charge.usd),
            failure=asked.failure, fate=fate, fate_value=value,
        )  # fmt: skip
        jobs.append(job)
        api.store.accept(charge=charge, job=job, files=files)

    async def answer() -> Response:
        # Taken at the moment of creation: whatever its pace, a job is born waiting.
        view = jobs[0].view(jobs[0].created - 1, api.files_url)
        return success(view if jobs[0].fate == "no_status" else {**view, "status": "queued"})

    return await apply_fault(api.switchboard.take(CREATE, f"{prompt} {body['model']}"), accept, answer)


async def poll(api: Api, request: HttpRequest) -> Response:
    """Answer `GET /v2/videos/{id}`: with the job, for the account that made it."""
    owner = account(request)
    job = api.store.jobs.get(request.path_params["id"])
    if job is None or job.account != owner:
        raise error_messages.Refusal(404, "Video ID not found.", code="not_found")
    fault = api.switchboard.take(POLL, f"{job.prompt} {job.model}")
    if fault is not None and fault.name == "not_found":
        raise error_messages.Refusal(404, "Video ID not found.", code="not_found")

    async def answer() -> Response:
        fate, value = _fate(fault)
        return success(job.view(time.time(), api.files_url, fate=fate, value=value))

    return await apply_fault(fault, None, answer)


def _fate(fault: Fault | None) -> tuple[str | None, float | str | None]:
    """Return the fault's name if it changes how a job looks, and what it reports as the cost."""
    return (fault.name, fault.options.get("value")) if fault is not None and fault.changes_job else (None, None)


def _uuid7() -> str:
    """Return an id like Together's job ids: a UUID that begins with the time."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def read_body(body: checks.Body, name_input: Callable[[str], str], name_sound: Callable[[str], str]) -> VideoBody:
    """Check the body and return what to draw or why the job will fail, or raise the refusal of what is wrong at once.

    Args:
        body: The JSON object that was sent.
        name_input: Turns an address or base64 text into an input's name.
        name_sound: Does so for a sound.
    """
    model = checks.known_model(body, "video")
    checks.known_fields(body, FIELDS)
    media = _media(body)
    seed = checks.seed(body)
    prompt = checks.prompt(body, model)
    seconds = _seconds(body, model)
    fps = checks.integer(body, "fps", 15, 60) or (model.fps[0] if model and model.fps else 24)
    checks.integer(body, "steps", 10, 50)
    checks.integer(body, "output_quality", 0, 51)
    checks.numbers(body, ("guidance_scale",))
    checks.booleans(body, ("generate_audio",))
    file_format = checks.one_of(body, "output_format", ("MP4", "WEBM"), "MP4")
    width, height = size_of(body, model)
    frames = _frames(media, seconds * fps)
    references = checks.strings(media, "reference_images")
    sounds = addresses(media)
    if model is not None:
        for field in model.requires:
            if not (body.get(field) or media.get(field)):
                raise error_messages.missing(field)
    try:
        _provider_checks(body, media, model, seconds)
        films = [*_addresses(media, "source_video"), *_addresses(media, "frame_videos")]
        keyframes = [(_input(name_input, image), place) for image, place in frames]
        # A clip that continues or edits another begins on that one's last frame.
        keyframes = keyframes or [(_input(name_input, film), 0.0) for film in films[:1]]
        clip = Clip(
            model=str(body["model"]), prompt=prompt, seed=seed, width=width, height=height, seconds=seconds, fps=fps,
            format=file_format, keyframes=tuple(keyframes),
            references=tuple(_input(name_input, reference) for reference in references),
            sound=makes_sound(body, media), sounds=tuple(_input(name_sound, sound, "audio") for sound in sounds),
        )  # fmt: skip
    except LateFailure as failure:
        return VideoBody(None, None, f"{seconds:g}", failure.error)
    return VideoBody(clip, f"{width}x{height}", f"{seconds:g}", None)


def _media(body: checks.Body) -> dict[str, Any]:
    """Return the media inputs, the deprecated top-level fields among them."""
    given: Any = body.get("media")
    if given is not None and not isinstance(given, dict):
        raise error_messages.wrong_type("media", "an object")
    media = cast("dict[str, Any]", given or {})
    for name in media:
        if name not in MEDIA:
            raise error_messages.unknown_parameter(f"media.{name}")
    legacy = {name: body[name] for name in ("frame_images", "reference_images") if body.get(name) is not None}
    return {**legacy, **media}


def _seconds(body: checks.Body, model: catalog.Model | None) -> int:
    """Return the duration; Together documents a string, and one of its examples sends a number."""
    value: Any = body.get("seconds")
    if value is None:
        if model is None:
            return DEFAULT_SECONDS
        return model.default_seconds or (
            model.seconds[0] if model.seconds and DEFAULT_SECONDS not in model.seconds else DEFAULT_SECONDS
        )
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise error_messages.wrong_type("seconds", "a whole number of seconds, written as a string")
    if not 1 <= value <= MAX_SECONDS:
        raise error_messages.out_of_range("seconds", 1, MAX_SECONDS)
    return value


def _frames(media: Mapping[str, Any], frames: float) -> list[tuple[str, float]]:
    """Return keyframes and their places (0 first, 1 last), by the OpenAPI text's heuristics where none is given."""
    given: Any = media.get("frame_images")
    if given is None:
        return []
    wrong = error_messages.wrong_type("frame_images", "an array of {input_image, frame}")
    if not isinstance(given, list):
        raise wrong
    items = cast("list[Any]", given)
    placed = list[tuple[str, float]]()
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise wrong
        entry = cast("dict[str, Any]", item)
        image, frame = entry.get("input_image"), entry.get("frame")
        if not isinstance(image, str) or not image or set(entry) - {"input_image", "frame"}:
            raise wrong
        if frame is None:
            place = index / max(1, len(items) - 1)
        elif frame in ("first", "last"):
            place = float(frame == "last")
        elif isinstance(frame, int | float) and not isinstance(frame, bool):
            place = min(1.0, max(0.0, frame / max(1.0, frames - 1)))
        else:
            raise wrong
        placed.append((image, place))
    return placed


def _addresses(media: Mapping[str, Any], name: str) -> list[str]:
    """Return the addresses in a field that takes a string, `{"video": string}`, or a list of either."""
    value: Any = media.get(name)
    items = cast("list[Any]", value if isinstance(value, list) else [] if value is None else [value])
    found = list[str]()
    for item in items:
        address: Any = cast("dict[str, Any]", item).get("video") if isinstance(item, dict) else item
        if not isinstance(address, str):
            raise error_messages.wrong_type(name, 'a string or {"video": string}')
        found.append(address)
    return found


def _provider_checks(body: checks.Body, media: Mapping[str, Any], model: catalog.Model | None, seconds: int) -> None:
    """Fail late where only the model's provider knows."""
    if model is None:
        return
    for field in (*body, *media):
        if model.takes.get(field) is False and field != "media":
            raise LateFailure(error_messages.unsupported_text(_camel(field)), "unsupportedParameter")
    if model.seconds and body.get("seconds") is not None and seconds not in model.seconds:
        allowed = ", ".join(str(number) for number in model.seconds)
        raise LateFailure(f"Invalid value for 'duration' parameter. Supported values are: {allowed}.", "invalidDuration")
    for field, allowed in (("resolution", model.resolutions), ("ratio", model.ratios)):
        if allowed and body.get(field) is not None and body[field] not in allowed:
            menu = ", ".join(f"'{word}'" for word in allowed)
            raise LateFailure(f"Invalid value for '{field}' parameter. Supported values are: {menu}.", "InvalidParameter")
    frames = _frames(media, seconds * 24)
    if model.keyframes is not None and any(place > 0 for _, place in frames) and "last" not in model.keyframes:
        raise LateFailure(error_messages.unsupported_text("frameImages"), "unsupportedParameter")
    if model.max_keyframes is not None and len(frames) > model.max_keyframes:
        raise LateFailure(f"At most {model.max_keyframes} frame images are supported.", "InvalidParameter")


def _camel(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _input(name_input: Callable[[str], str], text: str, what: str = "image") -> str:
    try:
        return name_input(text)
    except ValueError as error:
        raise LateFailure(f"The input {what} could not be read: {error}.", f"invalidInput{what.capitalize()}") from error


ENDPOINTS = (
    Endpoint(route=CREATE, handle=create, faults=Place.CALL | Place.JOB),
    Endpoint(route=POLL, below="/{id}", handle=poll, faults=Place.CALL | Place.JOB | Place.POLL),
)
