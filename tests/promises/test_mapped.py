"""What is one value stays one value when a task is mapped, and what was given wrongly is said before anything is sent."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import flow

from prefect_together import (
    MediaLibrary,
    SpendLimit,
    TogetherCredentials,
    agenerate_image,
    contact_sheet,
    expected,
    generate_batch,
    generate_image,
    generate_images,
    generate_video,
    plan,
    reconcile,
    submit_video,
    wait_for_video,
    write_gallery,
)
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import clip, picture, pictures


def account(server: Sandbox) -> TogetherCredentials:
    """Return the sandbox's account as a block."""
    return TogetherCredentials(api_key=cast("Any", server.api_key), base_url=server.url)


def everywhere(task: Any, things: list[Any], **options: Any) -> list[Any]:
    """Map a task over things and wait for what comes of them."""
    found: list[Any] = task.map(things, **options).result()
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_task_is_mapped_with_blocks(count: int, together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Blocks and limits go to each run as they are, whatever the number of their fields is."""
    common: dict[str, Any] = {"library": MediaLibrary(url=str(tmp_path / "own")), "credentials": account(together_sandbox)}

    @flow
    def mapped() -> list[Any]:
        stills = everywhere(generate_image, pictures(count), **common)
        several = everywhere(generate_images, pictures(count), **common)
        jobs = everywhere(submit_video, [clip(seed=number) for number in range(count)], **common)
        clips = everywhere(wait_for_video, jobs, **common)
        again = everywhere(generate_video.with_options(retries=1), [clip(seed=number) for number in range(count)], **common)
        limit = SpendLimit(name="mapped", usd=Decimal(20))
        batches = everywhere(generate_batch, [pictures(2, width=128) for _ in range(count)], limit=limit, **common)
        assert [count] * 4 == [len(stills), len(several), len(clips), len(batches)]
        return [*stills, *(one[0] for one in several), *clips, *again]

    files = mapped()
    assert all(Path(tmp_path / "own") in file.path().parents for file in files)


async def test_an_async_task_is_mapped(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """The async twin as well."""

    @flow
    async def mapped() -> list[Any]:
        return everywhere(agenerate_image, pictures(2), library=tmp_path / "path")

    files = await mapped()
    assert all(tmp_path / "path" in file.path().parents for file in files)


@pytest.mark.parametrize("form", ["text", "path", "uri", "block"])
def test_a_library_is_given_by_its_address(form: str, together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A folder's name, a path, an address and the name of a stored block are libraries, for every function that takes one."""
    folder = tmp_path / "by address"
    if form == "block":
        asyncio.run(MediaLibrary(url=str(folder)).asave("by-address", overwrite=True))  # type: ignore[arg-type]
    given: Any = {
        "text": str(folder),
        "path": folder,
        "uri": folder.as_uri(),
        "block": "together-media-library/by-address",
    }[form]
    still = generate_image(picture(seed=1), library=given)
    assert folder in still.path().parents
    assert folder in generate_batch([picture(seed=1)], library=given).media[0].path().parents
    assert folder in contact_sheet([still], library=given).path().parents
    assert "nothing to pay" in str(plan([picture(seed=1)], library=given))
    assert still.uri == expected(picture(seed=1), library=given).uri
    assert "0 undecided" in reconcile(library=given).text()
    assert str(folder) in str(write_gallery(library=given)).replace("%20", " ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"library": 7}, "library is an int", id="library"),
        pytest.param({"library": MediaLibrary}, "library is a ", id="class"),
        pytest.param({"library": "s3:/bucket"}, "s3:/bucket", id="address"),
        pytest.param({"library": "together-media-library/no-such"}, "There is no stored MediaLibrary 'no-such'", id="block"),
        pytest.param({"credentials": "a secret key"}, "credentials is a str: give a TogetherCredentials", id="key"),
        pytest.param({"reuse": "sometimes"}, "reuse is 'sometimes': allowed is", id="reuse"),
        pytest.param({"reuse": True}, "reuse is True: allowed is", id="reuse-bool"),
        pytest.param({"on_unknown": None}, "on_unknown is None: allowed is", id="on_unknown"),
    ],
)
def test_options_of_every_task(options: dict[str, Any], said: str, together_sandbox: Sandbox) -> None:
    """One sentence names the option and what is allowed; nothing is sent, and no key is shown."""
    ways: list[Any] = [generate_image, generate_images, generate_batch]
    for way, request in zip(ways, [picture(), picture(), [picture()]], strict=True):
        with pytest.raises((InvalidRequest, ConfigurationError)) as caught:
            way(request, **options)
        assert said in str(caught.value)
        assert "secret" not in str(caught.value)
    assert 0 == together_sandbox.count("/v")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"timeout": "1h"}, "timeout is '1h': give a number of seconds", id="timeout"),
        pytest.param({"timeout": float("nan")}, "timeout is nan", id="nan"),
        pytest.param({"concurrency": 0}, "concurrency is 0: give a whole number, at least 1", id="none"),
        pytest.param({"concurrency": 2.5}, "concurrency is 2.5", id="half"),
        pytest.param({"concurrency": None}, "concurrency is None", id="no-concurrency"),
        pytest.param({"concurrency": ""}, "concurrency is ''", id="empty"),
        pytest.param({"chunk_size": "10"}, "chunk_size is '10'", id="chunk"),
        pytest.param({"stop_after_failures": True}, "stop_after_failures is True", id="bool"),
        pytest.param({"limit": 10}, 'limit is 10: give a SpendLimit(name="...", usd=...)', id="limit"),
        pytest.param({"max_cost": "ten"}, "max_cost is 'ten': give an amount in USD", id="max_cost"),
        pytest.param({"max_cost": True}, "max_cost is True", id="cost-bool"),
        pytest.param({"name": ""}, "name is ''", id="name"),
        pytest.param({"name": 7}, "name is 7", id="number-as-name"),
    ],
)
def test_options_of_a_batch(options: dict[str, Any], said: str, together_sandbox: Sandbox) -> None:
    """Each option of a batch is checked before the first row is looked at."""
    with pytest.raises(InvalidRequest) as caught:
        generate_batch([picture()], **options)
    assert said in str(caught.value)
    assert 0 == together_sandbox.count("/v")


def test_a_coroutine_and_a_class_are_no_request(together_sandbox: Sandbox) -> None:
    """What somebody forgot to await, or to make, is said."""
    coming = asyncio.sleep(0)
    with pytest.raises(InvalidRequest, match="await it, and give what comes of it"):
        generate_image(cast("Any", coming))
    coming.close()
    with pytest.raises(InvalidRequest, match="takes an ImageRequest, and was given a dict"):
        generate_image(cast("Any", {"prompt": "a fox"}))
