"""PyAV as the editing here uses it: imported when it is needed, and its errors in words of ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from prefect_together.errors import ConfigurationError, MediaError, TogetherError
from prefect_together.generations.sound_tracks import NoSound


def pyav() -> Any:
    """Return PyAV; without types, as its stubs speak of numpy, which need not be there.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import_module("av.filter")
        return import_module("av")
    except ImportError:
        raise missing("PyAV") from None


def missing(name: str) -> ConfigurationError:
    """Return the error of a library that is not installed."""
    return ConfigurationError(
        f'{name} is not installed, and takes clips and sounds apart: pip install "prefect-together[media]".'
    )


@contextmanager
def refused(what: str) -> Generator[None]:
    """Turn what PyAV raises into one sentence.

    Args:
        what: What failed, such as ``The clips cannot be joined``.

    Raises:
        MediaError: In place of an error of PyAV, or of a file that is not what it should be.
    """
    try:
        yield
    except (TogetherError, NoSound):  # which say it in their own words
        raise
    except (pyav().FFmpegError, ValueError) as error:
        raise MediaError(f"{what}: {str(error).removesuffix('.')}.") from None
