"""Answers about pictures speak of them: what the sandbox drew is known again, whatever became of the file."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import IMAGES, clip, frames, image_body
from .talking import SIGHTED, asked, said, schema, shown

FOX = "a red fox under birches"
JUDGE = schema(
    score={"type": "integer", "minimum": 1, "maximum": 10},
    faults={"type": "array", "items": {"type": "string"}},
    better_prompt={"type": "string"},
)


def answered(
    client: httpx.Client, *parts: dict[str, Any], text: str = "Describe this picture in one sentence", **fields: Any
) -> str:
    """Ask about pictures."""
    content = [{"type": "text", "text": text}, *parts]
    return said(client, content, model=SIGHTED, max_tokens=3000, **fields)


@pytest.mark.parametrize("side", [None, 1120, 560, 200])
@pytest.mark.parametrize("size", [(1344, 768), (512, 768)])
def test_a_drawn_picture_is_known_again(client: httpx.Client, side: int | None, size: tuple[int, int]) -> None:
    """As it is, or scaled down and saved again as a JPEG, among others of other prompts."""
    for other in ("a city at night", "a red fox", "a lighthouse by the sea"):
        shown(client, other, width=size[0], height=size[1])
    part = shown(client, FOX, side=side, width=size[0], height=size[1])
    assert answered(client, part).endswith(f"{FOX}.")


def test_a_hosted_picture_is_known(client: httpx.Client) -> None:
    """By its address, which nobody has to fetch."""
    url = client.post(IMAGES, json=image_body(prompt=FOX)).json()["data"][0]["url"]
    assert FOX in answered(client, {"type": "image_url", "image_url": {"url": url}})


@pytest.mark.slow
def test_frames_of_a_clip_are_known(client: httpx.Client) -> None:
    """Any of them, so that a clip can be spoken of by frames that were cut out of it."""
    content = clip(client, prompt="a boat on a quiet river", width=640, height=360, seconds="2")
    for at in (0, 11, 30, 47):
        target = io.BytesIO()
        frames(content)[at].save(target, "JPEG", quality=80)
        url = f"data:image/jpeg;base64,{base64.b64encode(target.getvalue()).decode()}"
        assert "a boat on a quiet river" in answered(client, {"type": "image_url", "image_url": {"url": url}})


def test_drawn_pictures_are_known_after_a_restart(tmp_path: Path) -> None:
    """A folder of state keeps how they look."""
    key = {"Authorization": "Bearer k"}
    with sandbox.serve(state=tmp_path) as together, httpx.Client(base_url=together.url, headers=key) as client:
        part = shown(client, FOX, side=400, width=640, height=512)
    with sandbox.serve(state=tmp_path) as together, httpx.Client(base_url=together.url, headers=key) as client:
        assert FOX in answered(client, part)
        together.reset()
        assert FOX not in answered(client, part)


def test_a_strange_picture_is_described(client: httpx.Client) -> None:
    """By its shape and colours; one that is far away by the name of its file, as the sandbox stays offline."""
    with sandbox.serve() as other, httpx.Client(base_url=other.url, headers={"Authorization": "Bearer k"}) as elsewhere:
        part = shown(elsewhere, FOX, width=640, height=256)
    assert "a wide scene in " in answered(client, part)
    away = {"type": "image_url", "image_url": {"url": "https://example.com/pictures/old-oak_tree.png?width=3"}}
    assert "old oak tree" in answered(client, away)


def test_a_judge_s_score_rises_with_a_better_prompt(client: httpx.Client) -> None:
    """Round by round it follows from the prompt alone, stays within the schema, and ends at the best."""
    scores, faults, prompt = list[int](), list[int](), FOX
    for _ in range(4):
        part = shown(client, prompt, side=1120, width=1344, height=768)
        found = json.loads(answered(client, part, text="Judge this picture", response_format=JUDGE))
        again = json.loads(answered(client, part, text="Judge this picture once more", response_format=JUDGE, seed=5))
        assert found["score"] == again["score"]
        assert found["better_prompt"].startswith(prompt)
        scores.append(found["score"])
        faults.append(len(found["faults"]))
        prompt = found["better_prompt"]
    assert scores == sorted(scores)
    assert (True, 10) == (scores[0] < scores[1] < scores[2], scores[-1])
    assert faults == sorted(faults, reverse=True)


def test_captions_speak_of_the_picture(client: httpx.Client) -> None:
    """Alt text, tags and the text in the picture are made of its prompt."""
    text = {"type": "string"}
    wanted = schema(alt_text=text, tags={"type": "array", "items": text}, text_in_picture=text)
    found = json.loads(
        answered(client, shown(client, FOX, side=300, width=512, height=512), text="Caption", response_format=wanted)
    )
    assert f"A picture of {FOX}." == found["alt_text"]
    assert ["red", "fox", "birches"] == found["tags"][:3]
    assert FOX == found["text_in_picture"]


def test_several_pictures_are_all_spoken_of(client: httpx.Client) -> None:
    """Each of them, in their order."""
    parts = [shown(client, prompt, width=256, height=256) for prompt in (FOX, "a city at night")]
    assert answered(client, *parts).endswith(f"{FOX}; a city at night.")


@pytest.mark.parametrize(
    ("size", "tokens"), [((256, 256), 1601), ((1344, 512), 3202), ((1344, 1344), 6404), ((2048, 2048), 6404)]
)
def test_pictures_count_by_tiles(client: httpx.Client, size: tuple[int, int], tokens: int) -> None:
    """One, two or four tiles of 1601 tokens, by the documented formula."""
    part = shown(client, FOX, width=size[0], height=size[1])
    counts = [asked(client, content, model=SIGHTED)["usage"]["prompt_tokens"] for content in ([part], [part, part])]
    assert tokens == counts[1] - counts[0]
