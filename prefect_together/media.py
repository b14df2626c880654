"""Where release 0.1 had its results, under which name Prefect has stored them: read as what they are called today."""

from prefect_together.generations.results import DerivedMedia, GeneratedImage, GeneratedVideo, VideoJob

__all__ = ["DerivedMedia", "GeneratedImage", "GeneratedVideo", "VideoJob"]
