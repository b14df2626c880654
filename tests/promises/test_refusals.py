"""What Together refuses costs nothing, is typed, says what to do, and is not sent a second time unless it was only busy."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial

import pytest
from prefect import flow
from pydantic import SecretStr

from prefect_together import ImageRequest, TogetherCredentials, VideoRequest, errors, generate_image, generate_video
from prefect_together.http.rate_limit import RetryBudget
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, VIDEOS, picture


@pytest.mark.slow
@pytest.mark.parametrize("status", ["429", "503"])
@pytest.mark.parametrize(
    ("hint", "wait"),
    [
        pytest.param("retry-after", 1.0, id="retry-after"),
        pytest.param("retry-after-ms", 0.4, id="retry-after-ms"),
        pytest.param("x-ratelimit-reset", 0.4, id="x-ratelimit-reset"),
        pytest.param("none", 0.0, id="no-hint"),
    ],
)
def test_a_busy_server_is_waited_for(status: str, hint: str, wait: float, together_sandbox: Sandbox) -> None:
    """Busy twice with a hint of so many seconds, then well: one charge, twice as long waited, one task attempt."""
    together_sandbox.fault(IMAGES, status, times=2, hint=hint, wait=wait)
    runs: list[int] = []

    @flow
    def busy() -> None:
        runs.append(1)
        generate_image.with_options(retries=3)(picture(seed=1))

    began = time.monotonic()
    busy()
    assert 3 == together_sandbox.count("/v1/images/generations")
    assert 1 == len(together_sandbox.charges())
    assert time.monotonic() - began >= (2 * wait if hint != "none" else 1.5)


def test_a_server_that_asks_for_too_much_patience_is_left_alone(together_sandbox: Sandbox) -> None:
    """A hint beyond what we wait is not slept through and not ignored: RateLimited, with the hint, safe to retry."""
    together_sandbox.fault(IMAGES, "429", hint="retry-after", wait=3600)
    with pytest.raises(errors.RateLimited) as caught:
        generate_image(picture(seed=1))
    assert (3600, True, "nothing") == (caught.value.retry_after, caught.value.retryable, caught.value.paid)
    assert 1 == together_sandbox.count("/v1/images/generations")


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("black-forest-labs/FLUX.3-pro", "Did you mean black-forest-labs/FLUX.2-pro?"),
        ("ideogram/ideogram-3.5", "Did you mean ideogram/ideogram-3.0?"),
        ("nobody/nothing", ""),
    ],
)
def test_a_model_that_there_is_not_is_sent_as_it_is(model: str, meant: str, together_sandbox: Sandbox) -> None:
    """It may be newer than the catalogue: it goes out unchanged, and only the refusal names what is spelled alike. Free."""
    with pytest.raises(errors.BadRequest) as caught:
        generate_image(ImageRequest(prompt="a fox", model=model, seed=1))
    (asked,) = together_sandbox.requests()
    assert model == asked.body["model"]
    assert [] == together_sandbox.charges()
    assert meant in str(caught.value)
    assert ("Did you mean" in str(caught.value)) == bool(meant)


@pytest.mark.parametrize("said", [None, "insufficient balance"])
def test_no_credit_is_told_in_either_of_its_texts(said: str | None, together_sandbox: Sandbox) -> None:
    """Both were seen; both are free, final, and answered with where to add credit."""
    together_sandbox.fault(IMAGES, "402", message=said)
    with pytest.raises(errors.InsufficientBalance, match=said or "Credit limit exceeded") as caught:
        generate_image(picture(seed=1))
    assert "Add credit" in str(caught.value)
    assert ("nothing", []) == (caught.value.paid, together_sandbox.charges())


def test_a_model_that_nobody_knows_is_refused_for_nothing(together_sandbox: Sandbox) -> None:
    """Together answers 404, which is a refusal like any other: final, and free."""
    with pytest.raises(errors.BadRequest, match="Unable to access model nobody/nothing") as caught:
        generate_image(picture(seed=1, model="nobody/nothing"))
    assert (404, "nothing", False) == (caught.value.status, caught.value.paid, caught.value.retryable)


@pytest.mark.parametrize(
    ("key", "prompt", "kind", "advice"),
    [
        pytest.param("bad-key", "a fox", errors.AuthenticationError, "TOGETHER_API_KEY", id="bad-key"),
        pytest.param("broke-key", "a fox", errors.InsufficientBalance, "credit", id="no-credit"),
        pytest.param("nosharing-key", "a fox", errors.DataSharingBlocked, "passthrough", id="data-sharing"),
        pytest.param("sandbox-key", "unsafe", errors.ContentPolicyError, "prompt", id="safety"),
    ],
)
def test_a_refusal_is_typed_and_final(
    key: str, prompt: str, kind: type[errors.APIError], advice: str, together_sandbox: Sandbox
) -> None:
    """A bad key, no credit, data sharing and safety say what to do; one POST, also with task retries."""
    credentials = TogetherCredentials(api_key=SecretStr(key))
    with pytest.raises(kind, match=advice) as caught:
        generate_image.with_options(retries=2)(picture(prompt, seed=1), credentials=credentials)
    assert ("nothing", False) == (caught.value.paid, caught.value.retryable)
    assert "Nothing was paid." in str(caught.value)
    assert (1, 0) == (together_sandbox.count("/v1/images/generations"), len(together_sandbox.charges()))


def test_a_refused_request_may_be_sent_again(together_sandbox: Sandbox) -> None:
    """A refusal leaves nothing behind that would block the same request with a good key."""
    bad = TogetherCredentials(api_key=SecretStr("bad-key"))
    with pytest.raises(errors.AuthenticationError):
        generate_image(picture(seed=1), credentials=bad)
    assert generate_image(picture(seed=1)).verify()


def test_a_model_that_nobody_serves_is_not_waited_for(together_sandbox: Sandbox) -> None:
    """503 with model_not_available is for good."""
    together_sandbox.fault(VIDEOS, "503", code="model_not_available")
    with pytest.raises(errors.BadRequest, match="Choose another model"):
        generate_video(VideoRequest(prompt="x", model="sandbox/none", seed=1))
    assert 1 == together_sandbox.count("/v2/videos")


def test_an_edge_block_says_so(together_sandbox: Sandbox) -> None:
    """A 403 with plain text 1010 is about the User-Agent, not about the key."""
    together_sandbox.fault(IMAGES, "edge_block")
    with pytest.raises(errors.PermissionDenied, match="User-Agent"):
        generate_image(picture(seed=1))


def test_nobody_listens(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port on which nobody listens is offered the request for a while; then nothing was paid, and it may be retried."""
    monkeypatch.setattr("prefect_together.http.client.RetryBudget", partial(RetryBudget, refused=2.0))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        credentials = TogetherCredentials(base_url=f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(errors.ConnectionFailed, match="could not be reached") as caught:
            generate_image(picture(seed=1), credentials=credentials)
    assert ("nothing", True) == (caught.value.paid, caught.value.retryable)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        pytest.param(
            lambda: VideoRequest(prompt="x", model="kwaivgI/kling-2.1-pro"), "frame_images", id="kling-without-frames"
        ),
        pytest.param(
            lambda: ImageRequest(prompt="x", model="black-forest-labs/FLUX.1.1-pro", aspect_ratio="16:9"),
            "width=1344, height=768",
            id="aspect-ratio-where-sizes-are-taken",
        ),
        pytest.param(
            lambda: ImageRequest(prompt="x", model="black-forest-labs/FLUX.2-pro", image_url="missing.png"),
            "missing.png",
            id="missing-file",
        ),
        pytest.param(
            lambda: VideoRequest(model="minimax/hailuo-02", frame_images=["missing.png"]), "missing.png", id="missing-frame"
        ),
        pytest.param(
            lambda: ImageRequest(prompt="x", model="black-forest-labs/FLUX.2-pro", n=2),
            "generate_images",
            id="several-at-once",
        ),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_sent(
    make: Callable[[], ImageRequest | VideoRequest], names: str, together_sandbox: Sandbox
) -> None:
    """What a model cannot take is said before a request leaves, in one sentence that names what to change."""
    request = make()
    with pytest.raises(errors.InvalidRequest, match=names) as caught:
        generate_image(request) if isinstance(request, ImageRequest) else generate_video(request)
    assert "\n" not in str(caught.value)
    assert [] == together_sandbox.requests()


def test_no_key_is_one_sentence(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the message names the variable, the argument and the sandbox; the sandbox never steps in by itself."""
    monkeypatch.delenv("TOGETHER_API_KEY")
    with pytest.raises(errors.ConfigurationError, match=r"TOGETHER_API_KEY.*api_key.*prefect-together sandbox"):
        generate_image(picture(seed=1))
    assert [] == together_sandbox.requests()


def test_what_is_no_request_is_refused(together_sandbox: Sandbox) -> None:
    """A dict where a request belongs is a clear error, not a crash further in."""
    with pytest.raises(errors.InvalidRequest, match="takes an ImageRequest, and was given a dict"):
        generate_image({"prompt": "x"})  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert [] == together_sandbox.requests()
