"""The key goes to the API's origin and nowhere else: not into files, logs, errors, results, Prefect's database, or to file hosts."""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest
from prefect import flow
from pydantic import SecretStr

from prefect_together import ImageRequest, TogetherCredentials, generate_image, generate_video
from prefect_together.errors import ConfigurationError, TogetherError
from prefect_together.sandbox import Sandbox

from .asking import FILE, IMAGES, clip, picture

KEY = "tgp_v1_" + "sEcReT" * 6


def test_the_key_is_nowhere(
    together_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a run with results, artifacts, warnings and errors, no file, log line, traceback or repr holds the key."""
    caplog.set_level(logging.DEBUG)
    credentials = TogetherCredentials(api_key=SecretStr(KEY))
    together_sandbox.fault(IMAGES, "accept_then_close")
    seen: list[str] = []

    @flow
    def work(credentials: TogetherCredentials) -> None:
        still = generate_image(picture(seed=1), credentials=credentials)
        seen.append(repr(generate_video(clip(frame_images=[still]), credentials=credentials)))
        together_sandbox.fault(FILE, "expired", times=9)
        try:
            generate_image(picture(seed=2), credentials=credentials)
        except TogetherError as error:
            seen.extend([repr(error), str(error), traceback.format_exc(), repr(pickle.dumps(error))])

    work(credentials)
    seen += [repr(credentials), str(credentials), credentials.model_dump_json(), caplog.text, *capsys.readouterr()]
    assert KEY not in "".join(seen)
    for root in (Path(os.environ["PREFECT_HOME"]), tmp_path):
        for path in root.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes(), path
    assert {f"Bearer {KEY}"} == {one.authorization for one in together_sandbox.requests() if one.origin == "api"}


def test_the_key_never_reaches_the_host_of_the_files(together_sandbox: Sandbox) -> None:
    """Neither hosted files nor redirects get the Authorization header, also where they lead back to the API."""
    together_sandbox.fault(FILE, "redirect", location=together_sandbox.url + "/v1/models")
    with pytest.raises(TogetherError):
        generate_image(picture(seed=1))
    generate_image(picture(seed=2))
    asked = [one for one in together_sandbox.requests() if one.origin == "files" or one.path == "/v1/models"]
    assert len(asked) >= 3
    assert {None} == {one.authorization or None for one in asked}
    assert all(
        "prefect-together/" in {name.lower(): value for name, value in one.headers.items()}["user-agent"] for one in asked
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("https://user:pass@api.together.ai", "user name or password", id="userinfo"),
        pytest.param("http://api.together.ai", "unencrypted", id="http"),
        pytest.param("ftp://api.together.ai", "not a base URL", id="ftp"),
        pytest.param("api.together.ai", "not a base URL", id="no-scheme"),
    ],
)
def test_a_base_url_that_gives_the_key_away_is_refused(url: str, says: str, together_sandbox: Sandbox) -> None:
    """Userinfo and unencrypted remote addresses are refused before anything is sent, without repeating a password."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        generate_image(
            ImageRequest(prompt="x", model="m", seed=1),
            credentials=TogetherCredentials(api_key=SecretStr(KEY), base_url=url),
        )
    assert "pass@" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert [] == together_sandbox.requests()
