"""What may be asked: one frozen model per generation type. Nothing here reads, sends or knows a price."""

from prefect_together.generations.image import ImageLora, ImageRequest
from prefect_together.generations.request import Form, MediaInput, MediaReference, Request, is_remote
from prefect_together.generations.video import Keyframe, VideoRequest

__all__ = [
    "Form",
    "ImageLora",
    "ImageRequest",
    "Keyframe",
    "MediaInput",
    "MediaReference",
    "Request",
    "VideoRequest",
    "is_remote",
]
