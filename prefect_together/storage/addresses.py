"""Which addresses can be those of a library, and what was probably meant by one that cannot. Opens nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from prefect_together.errors import ConfigurationError

REMOTE_SCHEMES = ("s3", "gs", "az")

# Other people's words for the same three stores.
_MEANT = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}
_KNOWN = "|".join(("file", *REMOTE_SCHEMES, *_MEANT))
# A drive of Windows has one letter; a colon without a slash behind it may stand in the name of a folder.
_SCHEME = re.compile(rf"(?i)([a-z][a-z0-9+.-]+)://|([a-z][a-z0-9+.-]+):[/\\]|({_KNOWN}):|({_KNOWN})//")


def scheme_of(address: str) -> str:
    """Return the scheme of an address in lower case, or nothing where it is a path.

    Raises:
        ConfigurationError: It is empty, looks as if it had a scheme that no library can have, or lacks a part.
    """
    if "\0" in address:
        raise _refused(address)
    found = _SCHEME.match(address.strip())
    if found is None:
        if not address.strip():
            raise _refused(address)
        return ""
    scheme = next(filter(None, found.groups())).lower()
    parts = urlsplit(address)
    whole = found.group(1) is not None and scheme in {"file", *REMOTE_SCHEMES}
    # `file://data/library` would be /library of a machine called data.
    if not whole or (scheme == "file" and parts.netloc not in {"", "localhost"}):
        rest = address.strip()[found.end() :].replace("\\", "/").strip("/")
        raise _refused(address, _meant(scheme, rest))
    return scheme


def local_folder(url: str) -> Path | None:
    """Return the path that a folder path or a ``file://`` URL names, or None for an object store.

    Raises:
        ConfigurationError: The URL has a scheme that no library can have.
    """
    scheme, url = scheme_of(url), url.strip()
    if not scheme:
        return Path(os.path.abspath(Path(url).expanduser()))  # noqa: PTH100 - symlinks stay as they are
    if scheme != "file":
        return None
    return Path(os.path.abspath(url2pathname(urlsplit(url).path)))  # noqa: PTH100 - symlinks stay as they are


def where(uri: str) -> str:
    """Return a path where the file is on this machine, else its address."""
    folder = local_folder(uri) if urlsplit(uri).scheme == "file" else None
    return str(folder) if folder else uri


def _meant(scheme: str, rest: str) -> str:
    scheme = _MEANT.get(scheme, scheme)
    if not rest or scheme not in {"file", *REMOTE_SCHEMES}:
        return ""
    return f"file:///{rest}" if scheme == "file" else f"{scheme}://{rest}"


def _refused(address: str, meant: str = "") -> ConfigurationError:
    hint = f" Did you mean {meant!r}?" if meant else ""
    return ConfigurationError(
        f"{address!r} is not a media library: give a folder path, file://, s3://, gs:// or az://.{hint}"
    )
