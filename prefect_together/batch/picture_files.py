"""Which pictures are in a folder or bucket, by their names. Opens none of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from prefect_together._internal.event_loop import run
from prefect_together.errors import InvalidRequest
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.opening import shared

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".heic")


def pictures_in(address: str | Path, *, options: Mapping[str, Any] | None = None) -> list[str]:
    """Return where the pictures are in a folder or bucket and all that is below it, by their endings, in order of name.

    What is returned fills a field that takes pictures, also as a cell of a table; equal ones are told by their bytes where
    they are sent, whatever they are called. What is hidden, with a name that begins with a dot, is left out.

    Example:
        ```python
        from prefect_together import ChatRequest, pictures_in, requests_from_table

        table = requests_from_table(
            [{"picture": picture} for picture in pictures_in("holidays")],
            request=ChatRequest,
            columns={"images": "picture"},
            constants={"prompt": "What is in this picture?", "model": "Qwen/Qwen3.5-9B", "seed": 7},
        )
        ```

    Args:
        address: A folder, or an object-store URL such as ``s3://bucket/prefix``.
        options: Settings of the object store in obstore's names; left out, its own environment variables.

    Raises:
        InvalidRequest: There is no such folder.
        LibraryError: The bucket cannot be listed.
        ConfigurationError: The address is not understood.
    """
    folder = local_folder(str(address))
    if folder is None:
        storage = shared(str(address).rstrip("/"), options)
        return [storage.uri(key) for key in run(storage.names("")) if _is_picture(PurePosixPath(key))]
    if not folder.is_dir():
        what = "a file" if folder.exists() else "not there"
        raise InvalidRequest(f"The folder {str(address)!r} is {what}: give a folder or bucket of pictures.")
    return [str(path) for path in sorted(folder.rglob("*")) if _is_picture(path.relative_to(folder)) and path.is_file()]


def _is_picture(path: Path | PurePosixPath) -> bool:
    return path.suffix.lower() in ENDINGS and not any(part.startswith(".") for part in path.parts)
