"""What may be asked: one frozen model per generation type. Nothing here reads, sends or knows a price."""

from prefect_together.requests.base import Form, MediaInput, MediaReference, Request, is_remote
from prefect_together.requests.images import ImageLora, ImageRequest
from prefect_together.requests.videos import Keyframe, VideoRequest

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
