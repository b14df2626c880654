"""Where release 0.1 had its results, under which name Prefect has stored them: read as what they are called today."""

from prefect_together.generations.derived import DerivedMedia
from prefect_together.generations.image import GeneratedImage
from prefect_together.generations.video import GeneratedVideo, VideoJob

__all__ = ["DerivedMedia", "GeneratedImage", "GeneratedVideo", "VideoJob"]
