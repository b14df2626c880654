"""A film that speaks, from a brief: scenes by a model that writes, their narration, stills that a person approves, clips.

python flows/narrated_film.py --sandbox --review false       a local Together: nothing is paid
python flows/narrated_film.py --plan                         what it would send and cost
python flows/narrated_film.py --brief "how bees find home"   the real one, waiting for approval in the Prefect UI
python flows/narrated_film.py --scenes scenes.json           scenes of your own: a changed scene remakes that scene
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from prefect_together import (
    ChatModelId,
    ChatRequest,
    DerivedMedia,
    GeneratedAudio,
    GeneratedImage,
    GeneratedText,
    GeneratedVideo,
    ImageModelId,
    ImageRequest,
    MediaReference,
    Placed,
    Plan,
    Segment,
    SpeechModelId,
    SpeechRequest,
    VideoModelId,
    VideoRequest,
    Word,
    add_sound,
    add_subtitles,
    approved_images,
    burn_subtitles,
    catalog,
    check_requests,
    expected,
    generate_image,
    generate_speech,
    generate_text,
    generate_video,
    join_videos,
    money,
    named_after,
    publish_gallery,
    run_as_command,
    summary,
    voice_for,
)
from prefect_together import plan as plan_requests
from prefect_together.errors import InvalidRequest, TogetherError

CHARACTERS_A_SECOND = 15
"""How fast narration is spoken, about: what a plan counts with before it is measured."""
LENGTHS = (5, 10)
"""Seconds of clips, for a model of which the catalogue does not know them."""
QUESTION = """Write a short film of {count} scenes about {brief}.

For each scene: what its picture shows, in plain words: what is seen, from where, in which light and in which style, the
same style in all; what moves in it; and what the narrator says, in {language}, at most {characters} characters, so that it
is said in {seconds} seconds. Together the narration tells one story."""


class Scene(BaseModel):
    """One scene of the film."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    prompt: Annotated[str, Field(min_length=1)]
    """What the picture shows."""
    narration: Annotated[str, Field(min_length=1)]
    """What the narrator says."""
    motion: Annotated[str, Field(pattern=r"\S")] = "slow push in"
    """What moves."""
    seconds: Annotated[int, Field(ge=1, le=60)] | None = None
    """How long it is at least; the narration is always heard to its end."""


Scenes = TypeAdapter(list[Scene])
Part: TypeAlias = tuple[Scene, GeneratedAudio, GeneratedImage]
Planned: TypeAlias = tuple[Scene, SpeechRequest, ImageRequest]


@flow(name="narrated-film", flow_run_name=named_after("brief"))
def narrated_film(
    brief: Annotated[str, Field(min_length=1, pattern=r"\S")] = "how a lighthouse keeper spends a stormy night",
    count: Annotated[int, Field(ge=1, le=20)] = 3,
    scenes: list[Scene] | None = None,
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z0-9]{2,8})?$")] = "en",
    voice: str | None = None,
    speaker: SpeechModelId = "hexgrad/Kokoro-82M",
    writer: ChatModelId = "zai-org/GLM-5.3-Flash",
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    video_model: VideoModelId = "minimax/hailuo-02",
    width: Annotated[int, Field(ge=64, le=4096)] = 1344,
    height: Annotated[int, Field(ge=64, le=4096)] = 768,
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 7,
    subtitles: Literal["burn", "track", "none"] = "burn",
    review: bool = True,  # noqa: FBT001, FBT002 - a box to tick in the form
    review_minutes: Annotated[int, Field(ge=1)] = 60,
    on_timeout: Literal["fail", "keep", "drop"] = "fail",
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedText | GeneratedImage | GeneratedAudio | GeneratedVideo | DerivedMedia] | Plan:
    """Turn a brief into a film with narration and subtitles, asking before the expensive part.

    Speech is made first, so that each clip is as long as what is said over it. A changed scene remakes that scene alone.

    Args:
        brief: What the film is about.
        count: How many scenes are written.
        scenes: In order: prompt, narration, motion, seconds; as an option, a YAML or JSON file. Left out, they are written.
        language: The language of the narration, such as en; the voice has to speak it.
        voice: Who narrates; left out, the first voice of the speaker for that language.
        speaker: Together's id of the model of speech.
        writer: Together's id of the chat model that writes the scenes.
        model: Together's id of the image model.
        video_model: Together's id of the video model.
        width: Width of the stills in pixels.
        height: Height of the stills in pixels.
        seed: Makes scenes, stills and clips once for all runs; another seed makes others.
        subtitles: burn: in the pictures. track: beside them, to be switched on. none: no subtitles.
        review: Whether a person approves the stills in the Prefect UI before clips are paid for.
        review_minutes: How long to wait for that.
        on_timeout: What happens when nobody answers: fail, keep all, or drop all.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    known = catalog.find(video_model)
    most = max(lengths := (known.seconds if known else ()) or LENGTHS)
    asked = _question(brief, count, language, writer, seed, most)
    voice = voice or voice_for(speaker, language)
    still = ImageRequest(prompt="any", model=model, width=width, height=height)
    clip = VideoRequest(prompt="any", model=video_model, frame_images=["https://example.com/any.jpg"], seconds=min(lengths))
    line = _line(Scene(prompt="any", narration="any"), speaker, voice, language, None)
    check_requests(*([] if scenes else [asked]), line, still, clip)
    answer = None
    if scenes is None:
        answer = expected(asked) if plan else generate_text(asked)
        if answer is None:
            return _unwritten(plan_requests([asked]), count, speaker, model, video_model, most)
        scenes = Scenes.validate_python(answer.data["scenes"])
    elif not scenes:
        raise InvalidRequest("scenes: there is none: give at least one scene.")
    if long := [f"scenes[{n}].seconds is {one.seconds}" for n, one in enumerate(scenes, 1) if (one.seconds or 0) > most]:
        raise InvalidRequest(f"{long[0]}, and {video_model} makes at most {most} s: part it, or give another video_model.")
    lines = [_line(scene, speaker, voice, language, answer) for scene in scenes]
    look: dict[str, Any] = {"model": model, "width": width, "height": height, "seed": seed, "based_on": answer}
    stills = [ImageRequest(prompt=scene.prompt, **look) for scene in scenes]
    if plan:
        found = plan_requests([asked]) if answer else plan_requests([])
        return _planned(found, list(zip(scenes, lines, stills, strict=True)), video_model, lengths, seed, review=review)
    if answer:
        create_markdown_artifact(_as_file(scenes), key="scenes", description=f"Scenes: {brief}")
    voices = [future.result() for future in generate_speech.map(lines)]
    pictures = [future.result() for future in generate_image.map(stills)]
    price = catalog.estimate(video_model, {"seconds": str(most)})
    left: Sequence[GeneratedImage | None] = pictures
    if review:
        left = approved_images(pictures, price=price, timeout=review_minutes * 60, on_timeout=on_timeout)
    parts = [(scene, said, still) for scene, said, still in zip(scenes, voices, left, strict=True) if still]
    pictures = [still for _, _, still in parts]
    requests = [_clip(scene, still, _seconds(scene, said, lengths), video_model, seed) for scene, said, still in parts]
    clips = [future.result() for future in generate_video.map(requests)]
    film = _film([said for _, said, _ in parts], clips, subtitles, language) if clips else []
    made: list[Any] = [*film[-1:], *([answer] if answer else []), *pictures, *voices, *clips, *film[:-1]]
    _show_costs(parts, clips, money(one for one in made if not isinstance(one, DerivedMedia)))
    publish_gallery(made, key="narrated-film", title=brief)
    return made


def _question(brief: str, count: int, language: str, writer: str, seed: int, longest: int) -> ChatRequest:
    """Return the question for the scenes: the same one in every run."""
    characters = (longest - 1) * CHARACTERS_A_SECOND
    narration: Any = Annotated[str, Field(min_length=1, max_length=characters)]
    seconds: Any = Annotated[int | None, Field(ge=1, le=longest)]
    scene: Any = create_model("Scene", __base__=Scene, narration=(narration, ...), seconds=(seconds, None))
    listed: Any = Annotated[list[scene], Field(min_length=count, max_length=count)]
    said = {"count": count, "brief": brief.strip().rstrip("."), "language": language}
    return ChatRequest(
        prompt=QUESTION.format(**said, characters=characters, seconds=longest - 1),
        model=writer,
        response_format=create_model("Film", scenes=(listed, ...)),
        seed=seed,
    )


def _line(scene: Scene, speaker: str, voice: str, language: str, answer: GeneratedText | None) -> SpeechRequest:
    """Ask for a scene's narration, with the times of its words where the model gives them."""
    known = catalog.find(speaker)
    aligned = "word" if known and known.takes.get("alignment") else None
    said: dict[str, Any] = {"voice": voice, "language": language, "alignment": aligned, "based_on": answer}
    return SpeechRequest(input=scene.narration, model=speaker, **said)


def _seconds(scene: Scene, said: GeneratedAudio | None, lengths: Sequence[int]) -> int:
    """Return the shortest length that a clip can have and that its narration fits into; the longest, where none is."""
    spoken = said.seconds if said else len(scene.narration) / CHARACTERS_A_SECOND
    wanted = max(scene.seconds or 0, math.ceil(spoken or 0))
    return min((length for length in lengths if length >= wanted), default=max(lengths))


def _clip(scene: Scene, still: MediaReference, seconds: int, model: str, seed: int) -> VideoRequest:
    return VideoRequest(prompt=scene.motion, model=model, frame_images=[still], seconds=seconds, seed=seed)


def _film(
    voices: Sequence[GeneratedAudio], clips: Sequence[GeneratedVideo], subtitles: str, language: str
) -> list[DerivedMedia]:
    """Return what becomes of the clips, the last one last: joined, with narration, with subtitles."""
    made: list[DerivedMedia] = []
    try:
        made.append(join_videos(clips))
        placed, begin, free = list[Placed](), 0.0, 0.0
        for clip, said in zip(clips, voices, strict=True):
            placed.append(Placed(said, at=max(begin, free)))  # what does not fit into its clip goes on over the next one
            begin, free = begin + (clip.seconds or 0.0), placed[-1].at + (said.seconds or 0.0)
        made.append(add_sound(made[-1], placed))
        shown = [word for place in placed for word in _words(cast("GeneratedAudio", place.sound), place.at)]
        if subtitles == "burn":
            made.append(burn_subtitles(made[-1], shown))
        elif subtitles == "track":
            made.append(add_subtitles(made[-1], shown, language=language))
    except TogetherError as error:  # such as the extra "media" that is not installed: what is paid for is shown all the same
        get_run_logger().warning("The film is not finished: %s", error)
    return made


def _words(said: GeneratedAudio, at: float) -> list[Word | Segment]:
    """Return what is said with its times in the film: by words, or all at once where the model gives no times."""
    if said.words:
        return [word.model_copy(update={"start": word.start + at, "end": word.end + at}) for word in said.words]
    return [Segment(id=0, start=at, end=at + (said.seconds or 0.0), text=said.text)]


# Before anything is paid.


def _unwritten(found: Plan, count: int, speaker: str, model: str, video_model: str, longest: int) -> Plan:
    """Return the plan of a film whose scenes are still to be written, with what they would cost at most."""
    prices = {
        "narrations": catalog.estimate(speaker, {"input": "x" * (longest - 1) * CHARACTERS_A_SECOND}),
        "stills": catalog.estimate(model, {"width": 1344, "height": 768}),
        f"clips of {longest} s": catalog.estimate(video_model, {"seconds": str(longest)}),
    }
    costs = [f"{count} {what} at {catalog.dollars(usd) if usd else 'an unknown price'} each" for what, usd in prices.items()]
    return found.noting(f"Then, once the scenes are written: at most about {', '.join(costs)}.")


def _planned(found: Plan, parts: Sequence[Planned], model: str, lengths: Sequence[int], seed: int, *, review: bool) -> Plan:
    clips: list[VideoRequest] = []
    guessed = 0
    for scene, line, still in parts:
        said = expected(line)
        known = said if isinstance(said, GeneratedAudio) else None
        guessed += known is None
        clips.append(_clip(scene, expected(still), _seconds(scene, known, lengths), model, seed))
    films = plan_requests(clips)
    found += plan_requests([asked for _, line, still in parts for asked in (line, still)]) + (
        films.if_approved() if review else films
    )
    if not guessed:
        return found
    return found.noting(
        f"The length of {guessed} clips follows from narration that is still to be spoken, here counted with "
        f"{CHARACTERS_A_SECOND} characters a second."
    )


def _as_file(scenes: Sequence[Scene]) -> str:
    """Return the scenes as a file that ``--scenes`` takes: change one, and that one is made again."""
    return f"```json\n{Scenes.dump_json(list(scenes), indent=1).decode()}\n```"


def _show_costs(parts: Sequence[Part], clips: Sequence[GeneratedVideo], paid: str) -> None:
    """Show what each scene cost: whatever fails here fails no film."""
    rows = [
        {
            "scene": number,
            "spoken": f"{said.seconds or 0:.1f} s, {said.price()}",
            "still": still.price(),
            "clip": f"{clip.seconds or 0:.1f} s, {clip.price()}",
            "narration": scene.narration,  # last: tables break no lines, and what is long hides the rest
        }
        for number, ((scene, said, still), clip) in enumerate(zip(parts, clips, strict=True), 1)
    ]
    try:
        create_table_artifact(rows, key="narrated-film-costs", description=paid)
    except Exception as error:  # the server may be gone: the film is there
        get_run_logger().warning("The table of costs is not shown: %s", error)


if __name__ == "__main__":
    raise SystemExit(run_as_command(narrated_film, summary, needs_key=True))
