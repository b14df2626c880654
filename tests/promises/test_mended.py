"""Accidents between us and the library, and between our own tasks: each once lost money or paid twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prefect import flow

from prefect_together import GenerationTimeout, agenerate_image, generate_image, generate_video
from prefect_together.errors import APIError, LibraryError, UnknownOutcome
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import POLL, clip, dear_clip, picture

pytestmark = pytest.mark.slow


def test_an_entry_that_is_written_twice_is_still_ours(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that repeats a write whose answer was lost says "already there": the kept file is not taken for a spare one."""
    create = Storage.create

    async def lost(self: Storage, key: str, data: bytes) -> bool:
        return await create(self, key, data) and False

    monkeypatch.setattr(Storage, "create", lost)
    made = generate_image(picture(seed=1))
    monkeypatch.undo()
    assert made.verify()


async def test_calls_side_by_side_do_not_take_each_other_for_dead(together_sandbox: Sandbox) -> None:
    """Twelve equal requests that want one each, started together in one process, are twelve charges and twelve pictures."""
    made = await asyncio.gather(*(agenerate_image(picture(), reuse="never") for _ in range(12)))
    assert 12 == len({image.sha256 for image in made})
    assert 12 == len(together_sandbox.charges())


@pytest.mark.parametrize("form", ["url", "base64"])
def test_a_library_that_fails_for_a_moment_while_keeping(
    form: str, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes inline is written again, what is hosted is fetched by the next run; the error says that it is paid for."""
    write, failures = Storage.write, [1]

    async def flaky(self: Storage, key: str, data: bytes) -> None:
        if key.startswith("images/") and failures:
            failures.pop()
            raise LibraryError("The disk was full for a moment.", retryable=True)
        await write(self, key, data)

    monkeypatch.setattr(Storage, "write", flaky)
    request = picture(seed=1, response_format=form)
    if form == "url":
        with pytest.raises(LibraryError, match="It was paid for once"):
            generate_image(request)
    assert generate_image(request).verify()
    assert 1 == len(together_sandbox.charges())


def test_a_job_that_nobody_knows_any_more_needs_a_decision(together_sandbox: Sandbox) -> None:
    """A forgotten job does not block its request for ever: it is lost, and decided upon like any unknown."""
    together_sandbox.fault(POLL, "queued_forever")
    with pytest.raises(GenerationTimeout):
        generate_video(dear_clip(seed=1), timeout=0.5)
    together_sandbox.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prefect_together.engine.polling.NOT_FOUND_GRACE", 0.0)
        with pytest.raises(APIError, match="does not know job") as caught:
            generate_video(dear_clip(seed=1))
    assert "yes" == caught.value.paid
    with pytest.raises(UnknownOutcome, match="does not know job"):
        generate_video(dear_clip(seed=1))
    assert [] == together_sandbox.charges()


def test_netrc_is_not_sent(together_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person keeps in ~/.netrc for other programs goes neither to Together nor to file hosts."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login alice password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    generate_image(picture(seed=1))
    files = [one for one in together_sandbox.requests() if one.origin == "files"]
    assert files
    assert {None} == {one.authorization or None for one in files}


def test_two_flows_with_the_same_fresh_clip_get_one_each(together_sandbox: Sandbox) -> None:
    """Without a seed, a run whose clip is being waited for is not robbed of it by the next run."""

    @flow
    def clips() -> str:
        return generate_video(clip()).sha256

    assert clips() != clips()
    assert 2 == len(together_sandbox.charges())
