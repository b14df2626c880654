"""A prompt becomes a picture, and the picture becomes a video: paid once, kept, and shown in the Prefect UI.

python flows/image_to_video.py --sandbox                      a local Together: nothing is paid
python flows/image_to_video.py --plan                         what it would send and cost
python flows/image_to_video.py --idea "a lighthouse at dawn"  the real one: set TOGETHER_API_KEY
"""

from __future__ import annotations

from prefect import flow

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
    named_after,
    publish_gallery,
    run_as_command,
    summary,
)
from prefect_together import plan as plan_requests


@flow(name="image-to-video", flow_run_name=named_after("idea"))
def image_to_video(
    idea: str = "a red fox asleep under an old oak, first snow falling",
    motion: str = "slow push in, snow drifting past",
    model: ImageModelId = "black-forest-labs/FLUX.2-pro",
    video_model: VideoModelId = "minimax/hailuo-02",
    width: int = 1344,
    height: int = 768,
    seconds: int = 6,
    seed: int | None = 7,
    plan: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow is an option of its command and of its form
) -> tuple[GeneratedImage, GeneratedVideo] | Plan:
    """Make a picture of an idea, and set it in motion.

    Args:
        idea: What the picture shows.
        motion: What happens in the clip.
        model: Together's id of the image model.
        video_model: Together's id of the video model.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        seconds: Length of the clip in seconds.
        seed: With a seed both are made once and reused by every later run; without one, each run makes new ones.
        plan: Say what would be sent and what it would cost, and send nothing.
    """
    picture = ImageRequest(prompt=idea, model=model, width=width, height=height, seed=seed)

    def moving(frame: MediaReference) -> VideoRequest:
        return VideoRequest(prompt=motion, model=video_model, frame_images=[frame], seconds=seconds, seed=seed)

    check_requests(picture, moving(stand_in := expected(picture)))
    if plan:
        return plan_requests([picture, moving(stand_in)])
    still = generate_image(picture)
    clip = generate_video(moving(still))
    publish_gallery([still, clip], key="image-to-video", title=idea)
    return still, clip


if __name__ == "__main__":
    raise SystemExit(run_as_command(image_to_video, summary, needs_key=True))
