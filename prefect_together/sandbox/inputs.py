"""Turn what a request says about a picture or sound (address, data URL, base64) into a name, and a name into either.

Nothing leaves this machine: only loopback addresses are fetched, and without any key. A public address is stood in for
by a picture drawn from the address, so that a flow with real links runs offline too.
"""

from __future__ import annotations

import base64
import binascii
import io
import ipaddress
import random
import re
import tempfile
import urllib.request
from array import array
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from prefect_together.sandbox import captions, landscapes
from prefect_together.sandbox._media import Image, opened
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.sound import soundtracks
from prefect_together.sandbox.sound.speaking import say
from prefect_together.sandbox.store import Store

if TYPE_CHECKING:
    from email.message import Message

MAX_BYTES = 64 * 1024 * 1024
"""Not Together's: of a recording it reads 1 GB."""
FETCH_SECONDS = 20
FILE_PATH = re.compile(r"/(?:shrt|files)/([A-Za-z0-9_-]+)(?:\.\w+)?$")
ASSET = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Ids of pictures kept at the provider, as in the example of the OpenAPI text."""


class TooLarge(ValueError):
    """A file at an address that is larger than what is read of one."""


def is_loopback(host: str | None) -> bool:
    """Say whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def name_input(text: str, store: Store) -> str:
    """Return the name of the input that `text` speaks of; raise ValueError if there is no picture or film behind it."""
    found = read_input(text, store)
    if isinstance(found, str):
        return found
    _picture(found)
    return store.keep_input(found)


def name_sound(text: str, store: Store) -> str:
    """Return the name of the sound that `text` speaks of; raise ValueError if there is none behind it."""
    found = read_input(text, store)
    if isinstance(found, str):
        return found
    soundtracks.samples_of(io.BytesIO(found))
    return store.keep_input(found)


def read_input(text: str, store: Store) -> str | bytes:
    """Return the name of a picture that is ours or far away, else its bytes, which may be none of a picture.

    Args:
        text: An address, a data URL, base64, or the id of a picture that is kept at the provider.
        store: Which knows what is ours.

    Raises:
        ValueError: There is nothing behind it.
    """
    if text.startswith(("http://", "https://")):
        address = urlsplit(text)
        if not is_loopback(address.hostname):
            return f"away:{text}"
        hosted = FILE_PATH.search(address.path)
        # Our own file, perhaps from before a restart on another port: no need to fetch it.
        if hosted and hosted[1] in store.files:
            return f"file:{hosted[1]}"
        return _fetch(text)
    if text.startswith("data:"):
        head, _, data = text.partition(",")
        if not head.endswith(";base64"):
            raise ValueError("a data URL must be base64")
        return _decode(data)
    if ASSET.fullmatch(text.lower()):
        return f"away:{text}"
    return _decode(text)


def open_input(name: str, store: Store, render: Callable[[Recipe], bytes]) -> Image.Image:
    """Return the picture behind a name as RGB; of a film, its last frame."""
    kind, _, key = name.partition(":")
    if kind == "away":
        rng = random.Random(key)
        tail = key.rstrip("/").rpartition("/")[2] or key
        scene = landscapes.draw(1024, 768, prompt=tail, rng=rng)
        return captions.caption(scene, tail, "a stand-in: the sandbox stays offline")
    return _picture(render(store.files[key]) if kind == "file" else store.input(name))


def open_sound(name: str, store: Store, render: Callable[[Recipe], bytes]) -> array[int]:
    """Return the sound behind a name; for one that is far away, a voice that says what it is called."""
    kind, _, key = name.partition(":")
    if kind == "away":
        tail = key.rstrip("/").rpartition("/")[2] or key
        said = say(f"This stands in for {tail}.", model="", voice=key, rate=soundtracks.RATE)
        return array("h", b"".join(sentence.samples for sentence in said))
    content = render(store.files[key]) if kind == "file" else store.input(name)
    return soundtracks.samples_of(io.BytesIO(content))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("neither an address nor base64") from error


def _picture(content: bytes) -> Image.Image:
    """Decode an image or the last frame of a film."""
    if picture := opened(content):
        return picture
    from prefect_together.sandbox import clips

    with tempfile.TemporaryDirectory(prefix="sandbox-input-") as folder:
        path = Path(folder, "film")
        path.write_bytes(content)
        try:
            return clips.last_frame(path)
        except Exception as error:  # decoders raise what they like
            raise ValueError("not an image or a video") from error


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follow redirects on this machine only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not is_loopback(urlsplit(newurl).hostname):
            raise ValueError("the address redirects to another machine")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # pyright: ignore[reportArgumentType]


def _fetch(url: str) -> bytes:
    # No proxies: the address is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere)
    request = urllib.request.Request(url, headers={"User-Agent": "together-sandbox"})  # noqa: S310 - scheme checked above
    try:
        with opener.open(request, timeout=FETCH_SECONDS) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise ValueError(f"the address could not be read ({error})") from error
    if len(content) > MAX_BYTES:
        raise TooLarge("the file is larger than 64 MB")
    return content
