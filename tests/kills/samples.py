"""A request of every generation type, and what it is to be known by: ``test_contract`` holds each type to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .asking import INLINE, PICTURE, TINY


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One request of a type, and what it is to be known by for ever."""

    fields: Mapping[str, Any]
    """A request that the sandbox makes quickly, and whose result may be taken by everybody."""
    fingerprint: str
    """What Together's ledger knows it by: a change here orphans what was paid for."""
    answer: Any
    """A good answer to its POST."""
    malformed: tuple[Any, ...] = ()
    """Answers that look like good ones, beside ``MALFORMED``."""
    changes: tuple[Mapping[str, Any], ...] = ()
    """Fields that make it another request, beside ``CHANGES``."""
    wrong: tuple[Mapping[str, Any], ...] = ()
    """Fields that no request of the type may have, beside ``WRONG``."""
    unsendable: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields that name a local file which is not there; empty for a type that takes no files."""


def seeded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's request with a seed, so that everybody may have its result."""
    return {**{name: value for name, value in fields.items() if name != "kind"}, "seed": 7}


SAMPLES: dict[str, dict[str, Sample]] = {
    "image": {
        "links": Sample(
            fields=seeded(PICTURE),
            fingerprint="69c69d393265226ffac663064964cd266757c99a",
            answer={"data": [{"url": "https://example.com/a.png"}]},
            malformed=({"data": [{"url": 7}]}, {"data": [{"b64_json": ""}]}, {"data": {"url": "https://example.com/a.png"}}),
            changes=({"width": 512}, {"n": 2}, {"reference_images": ["https://example.com/a.png"]}),
            wrong=({"n": 5}, {"prompt": " "}, {"output_format": "gif"}),
            unsendable={"image_url": "gone.png"},
        ),
        "inline": Sample(
            fields=seeded(INLINE),
            fingerprint="69c69d393265226ffac663064964cd266757c99a",
            answer={"data": [{"b64_json": "AAAA"}]},
        ),
    },
    "video": {
        "job": Sample(
            fields=seeded(TINY),
            fingerprint="a99938c6a3ef6735cf6b8e675f1db452eb934904",
            answer={"id": "01JX", "status": "queued"},
            malformed=(
                {"id": ""},
                {"id": 7},
                {"status": "completed", "outputs": {"video_url": "https://example.com/a.mp4"}},
            ),
            changes=({"seconds": 2}, {"frame_images": ["https://example.com/a.png"]}),
            wrong=({"seconds": 0}, {"media_layout": "elsewhere"}),
            unsendable={"frame_images": ["gone.png"]},
        ),
    },
}
"""A request of each type; of each form in which its answer may come, where there are several."""

NO_OBJECT: tuple[Any, ...] = (None, True, 7, "", "text", [], [{}])
HOLLOW: tuple[dict[str, Any], ...] = ({}, {"data": None}, {"data": []}, {"data": [{}]}, {"id": None}, {"id": {}})
MALFORMED = (*NO_OBJECT, *HOLLOW)
CHANGES: tuple[Mapping[str, Any], ...] = ({"model": "another/model"}, {"take": 0}, {"take": 1}, {"extra": {"newer": 1}})
WRONG: tuple[Mapping[str, Any], ...] = ({"model": " "}, {"take": -1}, {"no_such_field": 1}, {"extra": {"model": "x"}})


def sample_of(kind: str, form: str) -> Sample:
    """Return the sample of a type, or fail the test where nobody has written one."""
    if kind not in SAMPLES:
        pytest.fail(f"The generation type {kind!r} has no sample: add one to SAMPLES in {Path(__file__).name}.")
    return SAMPLES[kind][form]
