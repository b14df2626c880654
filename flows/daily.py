"""Every day one idea of a list becomes a picture and a clip, and the gallery page is written anew. Once per day, no more.

python flows/daily.py --sandbox            today's picture and clip
python flows/daily.py --plan               what today would cost
python flows/daily.py                      the real one: set TOGETHER_API_KEY
python flows/serve.py                      stays, and runs it every morning (`prefect server start` beside it)
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field

from prefect_together import (
    GeneratedImage,
    GeneratedVideo,
    ImageModelId,
    ImageRequest,
    MediaReference,
    Plan,
    VideoModelId,
    VideoRequest,
    check_requests,
    expected,
    generate_image,
    generate_video,
    publish_gallery,
    run_as_command,
    summary,
    write_gallery,
)
from prefect_together import plan as plan_requests

IDEAS = [
    "a kingfisher above a frozen brook",
    "an empty tram at night, rain on the windows",
    "a market stall with oranges in low sun",
    "fog between the birches, one red leaf",
    "a steam ship in the ice",
    "laundry on a roof, swallows",
    "a desk by the window, first snow",
]


@flow(name="daily", flow_run_name="daily-picture")
def daily(
    ideas: Annotated[list[str], Field(min_length=1)] = IDEAS,
    day: dt.date | None = None,
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    video_model: VideoModelId = "minimax/hailuo-02",
    motion: str = "slow drift, light changing",
    seconds: Annotated[int, Field(ge=1, le=15)] = 6,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> list[GeneratedImage | GeneratedVideo] | Plan:
    """Make today's picture and clip; a second run on the same day finds both and pays nothing.

    Args:
        ideas: One of them is taken each day, in turn.
        day: Another day than today, as YYYY-MM-DD.
        model: Together's id of the image model.
        video_model: Together's id of the video model.
        motion: What happens in the clip.
        seconds: Length of the clip.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    today = day or dt.datetime.now(dt.timezone.utc).date()
    number = today.toordinal()
    idea = ideas[number % len(ideas)]
    get_run_logger().info("The idea of %s: %s", today.isoformat(), idea)
    # The day is the seed: equal requests of one day are one generation, whoever runs them and however often.
    picture = ImageRequest(prompt=idea, model=model, width=1344, height=768, seed=number)

    def moving(frame: MediaReference) -> VideoRequest:
        return VideoRequest(prompt=motion, model=video_model, frame_images=[frame], seconds=seconds, seed=number)

    check_requests(picture, moving(stand_in := expected(picture)))
    if plan:
        return plan_requests([picture, moving(stand_in)])
    still = generate_image(picture)
    clip = generate_video(moving(still))
    publish_gallery([still, clip], key="daily", title=f"{today.isoformat()}: {idea}")
    write_gallery()
    return [still, clip]


if __name__ == "__main__":
    raise SystemExit(run_as_command(daily, summary, needs_key=True))
