"""What was made in the library of a stored block is opened in processes that know only where Prefect's server is."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from prefect.types import SecretDict

from prefect_together import (
    BatchResult,
    DerivedMedia,
    GeneratedImage,
    ImageRequest,
    MediaLibrary,
    VideoRequest,
    generate_batch,
    generate_image,
    generate_video,
    last_frame,
)
from prefect_together.errors import LibraryError
from prefect_together.sandbox import Sandbox
from prefect_together.storage import known

pytestmark = pytest.mark.slow

SECRET = f"secret-{uuid4().hex}"
ROOT = Path(__file__).parents[2]


class Made(NamedTuple):
    """What was made in the library of a block."""

    still: GeneratedImage
    frame: DerivedMedia
    batch: BatchResult
    block: str

    @property
    def hashes(self) -> list[str]:
        """The hashes of all of it, in order."""
        return [self.still.sha256, self.frame.sha256, *(file.sha256 for file in self.batch.media)]


def picture(prompt: str) -> ImageRequest:
    """Ask for a small picture."""
    return ImageRequest(prompt=prompt, model="black-forest-labs/FLUX.2-pro", width=256, height=256, seed=5)


def clip(prompt: str) -> VideoRequest:
    """Ask for a tiny clip."""
    return VideoRequest(prompt=prompt, model="sandbox/tiny", width=64, height=48, seconds=1, fps=15, seed=6)


@pytest.fixture
def made(tmp_path: Path, together_sandbox: Sandbox, prefect_server: str, s3_endpoint: str) -> Made:
    """Make things in a bucket that only the options of a stored block lead to, and send them off."""
    name, bucket = f"travels-{uuid4().hex[:8]}", f"travels-{uuid4().hex[:8]}"
    with urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/{bucket}", method="PUT"), timeout=30):
        pass
    options = {"endpoint": s3_endpoint, "access_key_id": "a", "secret_access_key": SECRET, "region": "us-east-1"}
    MediaLibrary(url=f"s3://{bucket}/media", options=SecretDict(options)).save(name)
    library = f"together-media-library/{name}"
    still = generate_image(picture("a fox"), library=library)
    frame = last_frame(generate_video(clip("a fox"), library=library), library=library)
    batch = generate_batch([picture("a teapot")], name="catalogue", library=library)
    found = Made(still, frame, batch, library)
    (tmp_path / "made.pickle").write_bytes(pickle.dumps(tuple(found)[:3]))
    told = {"still": still, "frame": frame, "batch": batch}
    text = json.dumps({what: value.model_dump(mode="json") for what, value in told.items()})
    (tmp_path / "made.json").write_text(text, encoding="utf-8")
    return found


def travels(folder: Path, how: str, **variables: str) -> subprocess.Popen[str]:
    """Start a process with an environment of its own that uses what was sent off."""
    home = {"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / how)}
    quiet = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, str(Path(__file__).with_name("traveller.py")), str(folder), how]
    pipes: dict[str, Any] = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**home, **quiet, **variables}, **pipes)


def seen(process: subprocess.Popen[str]) -> Any:
    """Wait for such a process and return what it saw."""
    try:
        said, wrong = process.communicate(timeout=170)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, wrong[-4000:]
    return json.loads(said.splitlines()[-1])


def test_results_are_used_in_other_processes(
    made: Made, tmp_path: Path, together_sandbox: Sandbox, prefect_server: str
) -> None:
    """Pictures, derived files and items of batches open from plain code and on an event loop; no secret travels.

    As the input of a request one is read through its block as well: one clip is paid for, and names its own library.
    """
    before = len(together_sandbox.charges())
    server = {"PREFECT_API_URL": prefect_server}
    together = {"TOGETHER_BASE_URL": together_sandbox.url, "TOGETHER_API_KEY": together_sandbox.api_key}
    opening = [travels(tmp_path, how, **server) for how in ("pickled", "as_json")]
    asking = travels(tmp_path, "as_input", **server, **together)
    assert [made.hashes] * 2 == [seen(process) for process in opening]
    assert [True, True, None] == seen(asking)
    assert before + 1 == len(together_sandbox.charges())
    for path in (tmp_path / "made.pickle", tmp_path / "made.json"):
        assert made.block.encode() in path.read_bytes()
        assert SECRET.encode() not in path.read_bytes()


def test_what_is_reused_names_the_block_by_which_it_was_opened(made: Made, together_sandbox: Sandbox) -> None:
    """The library holds no block's name: whoever opens it by another one, or by none, gets references that say so."""
    before = len(together_sandbox.charges())
    again = generate_image(picture("a fox"), library=made.block)
    assert (made.block, True) == (again.block, again.reused)
    stored: Any = MediaLibrary.load(made.block.partition("/")[2])
    unnamed = MediaLibrary(url=stored.url, options=SecretDict({**stored.options.get_secret_value(), "region": "us-west-1"}))
    again = generate_image(picture("a fox"), library=unnamed)
    assert (None, True) == (again.block, again.reused)
    assert again == made.still.model_copy(update={"reused": True})
    assert before == len(together_sandbox.charges())


class Named(NamedTuple):
    """A picture in a folder that a stored block names."""

    still: GeneratedImage
    name: str


@pytest.fixture
def named(tmp_path: Path, together_sandbox: Sandbox, prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Named:
    """Make a picture, and forget that this process has opened its library, as another one would not have."""
    name = f"folder-{uuid4().hex[:8]}"
    MediaLibrary(url=str(tmp_path / "there")).save(name)
    still = generate_image(picture("a fox"), library=f"together-media-library/{name}")
    monkeypatch.setattr(known, "_known", {})
    return Named(still, name)


def test_a_library_that_was_moved_is_found_by_its_block(named: Named, tmp_path: Path) -> None:
    """The block names the new place, and references from before lead there."""
    shutil.move(tmp_path / "there", tmp_path / "here")
    MediaLibrary(url=str(tmp_path / "here")).save(named.name, overwrite=True)
    now = named.still.located()
    assert ((tmp_path / "here").as_uri(), named.still.block) == (now.uri.partition("/images/")[0], now.block)


@pytest.mark.parametrize("what", ["gone", "another"])
def test_a_block_that_does_not_help_says_so(what: str, named: Named, tmp_path: Path, together_sandbox: Sandbox) -> None:
    """One that is gone, or names another library: a sentence with what to do, before anything is paid.

    Where the file is there all the same, it opens.
    """
    if what == "gone":
        MediaLibrary.delete(named.name)
    else:
        MediaLibrary(url=str(tmp_path / "another")).save(named.name, overwrite=True)
    assert named.still.read_bytes()
    shutil.move(tmp_path / "there", tmp_path / "lost")
    why = "There is no stored MediaLibrary" if what == "gone" else "names another library now"
    unhosted = named.still.model_copy(update={"source_url": None})
    request = VideoRequest(prompt="it runs", model="sandbox/tiny", frame_images=[unhosted])
    paid = len(together_sandbox.charges())
    for use in (named.still.open, named.still.path, lambda: generate_video(request)):
        with pytest.raises(LibraryError, match=rf"{named.still.block}.*{why}.*PREFECT_API_URL") as raised:
            use()
        assert 1 == str(raised.value).count(named.still.uri)
    assert paid == len(together_sandbox.charges())
