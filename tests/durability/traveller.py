"""A process that has never opened a library, and uses what another one made there; a script that knows nothing of tests.

python traveller.py FOLDER HOW      reads what was made from FOLDER, and prints what came of it as one line of JSON
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from prefect_together import BatchResult, DerivedMedia, GeneratedImage, VideoRequest, generate_video, last_frame

FOLDER = Path(sys.argv[1])


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pickled() -> Any:
    """Open what was pickled, from plain code."""
    still, frame, batch = pickle.loads((FOLDER / "made.pickle").read_bytes())
    with still.open() as file:
        opened = _sha256(file.read())
    return [opened, _sha256(frame.read_bytes()), *(_sha256(file.read_bytes()) for file in batch.media)]


def as_json() -> Any:
    """Open what was JSON, on the thread of an event loop, in a flow."""
    made = json.loads((FOLDER / "made.json").read_text(encoding="utf-8"))
    frame, batch = DerivedMedia.model_validate(made["frame"]), BatchResult.model_validate(made["batch"])

    @flow
    async def looks() -> list[str]:
        still = GeneratedImage.model_validate(made["still"])
        return [_sha256(still.read_bytes()), *(_sha256(file.path().read_bytes()) for file in (frame, *batch.media))]

    return asyncio.run(looks())


def as_input() -> Any:
    """Ask for a clip whose first frame is a picture of the other library, and take a frame of a clip of the other one."""
    made = json.loads((FOLDER / "made.json").read_text(encoding="utf-8"))
    still = GeneratedImage.model_validate(made["still"]).model_copy(update={"source_url": None})
    asked: dict[str, Any] = {"model": "sandbox/tiny", "width": 64, "height": 48, "seconds": 1, "fps": 15, "seed": 8}
    clip = generate_video(VideoRequest(prompt="a fox runs", frame_images=[still], **asked), library=FOLDER / "own")
    return [clip.verify(), last_frame(clip, library=FOLDER / "own").verify(), clip.block]


print(json.dumps({"pickled": pickled, "as_json": as_json, "as_input": as_input}[sys.argv[2]]()))
