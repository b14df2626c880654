"""What would be sent and paid is said before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect import flow

from prefect_together import (
    Plan,
    VideoRequest,
    agenerate_batch,
    aplan,
    expected,
    generate_batch,
    generate_image,
    generate_video,
    plan,
)
from prefect_together.errors import ConfigurationError
from prefect_together.sandbox import Sandbox

from .asking import IMAGES, clip, picture, shown


@flow
def _plan(requests: Any, **options: Any) -> Plan:
    return plan(requests, **options)


def test_a_plan_counts_prices_and_sends_nothing(together_sandbox: Sandbox) -> None:
    """Reused, refused, unknown and new requests are told apart; unknown prices are no zeros; nothing is sent."""
    together_sandbox.fault(IMAGES, "accept_then_close", match="lost")
    generate_batch([picture("kept", seed=1), picture("lost", seed=2)], on_unknown="fail")
    before = len(together_sandbox.requests())
    requests = [
        picture("kept", seed=1),
        picture("lost", seed=2),
        picture("new", seed=3),
        picture("new", seed=3),
        picture("newer", seed=4),
        clip(seed=5),
        VideoRequest(prompt="x", model="kwaivgI/kling-2.1-pro"),
    ]
    found = _plan(requests, max_cost="0.04")
    assert (3, 2, 1, 1) == (found.send, found.reused, found.unknown, found.refused)
    assert (Decimal("0.06"), 1, Decimal("5.06")) == (found.cost, found.unknown_prices, found.most)
    assert Decimal("0.03") == found.at_risk
    assert 2 == found.over
    assert "Row 7" in found.problems[0]
    assert before == len(together_sandbox.requests())


def test_a_plan_names_what_would_be_sent(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """In order, a line each with model, price and words, then the total; the same is a table among the run's artifacts."""
    (tmp_path / "a boat.png").write_bytes(generate_image(picture("a boat", seed=1)).read_bytes())
    requests = [
        *(picture(f"number {seed}", seed=seed) for seed in range(52)),
        clip("waves", frame_images=tmp_path / "a boat.png"),
    ]
    found = _plan([*requests[:2], requests[-1]])
    assert [
        "FLUX.2-pro  about $0.03    seed 0  number 0",
        "FLUX.2-pro  about $0.03    seed 1  number 1",
        "tiny        price unknown          waves · a boat",
    ] == found.text().splitlines()[:3]
    assert str(found) == found.text().splitlines()[3]
    assert any("| FLUX.2-pro | about \\$0.03 | seed 1 | number 1 |" in one.data for one in shown("plan"))
    many = plan(requests)
    assert [*range(1, 51)] == [planned.row for planned in many.to_send]
    assert "… and 3 more." == many.text().splitlines()[50]


def test_what_a_plan_says_is_what_happens(together_sandbox: Sandbox) -> None:
    """After a plan of three to send and one reused, three are charged and one is reused."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(4)]
    generate_batch(requests[:1])
    found, result = _plan(requests), generate_batch(requests)
    assert (found.send, found.reused) == (result.kept, result.reused) == (3, 1)
    assert found.cost == result.estimated_cost


def test_a_plan_shows_both_ends_of_a_price(together_sandbox: Sandbox) -> None:
    """Where sound or quality is left open, the list price and the most are both said, and the most counts for max_cost."""
    requests = [
        VideoRequest(prompt="x", model="google/veo-3.1", seconds=4, seed=1),
        VideoRequest(prompt="x", model="google/veo-3.1", seconds=4, seed=1, generate_audio=False),
    ]
    found = _plan(requests, max_cost="1.00")
    assert (Decimal("0.64"), Decimal("2.72"), Decimal("2.72")) == (found.cost, found.cost_at_most, found.most)
    assert "about $0.64" in str(found)
    assert "at most $2.72" in str(found)
    assert 1 == found.over
    assert (2 * found.cost, 2 * found.most) == ((found + found).cost, (found + found).most)
    assert "at most" not in str(_plan([picture("a fox", seed=1)]))


def test_a_plan_warns_of_keyframes_that_differ_in_shape(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Kept, local and still to be made: known sizes are compared; sizes of one shape, and hosted files, are no warning."""
    wide, square = picture("wide", seed=1, width=640, height=384), picture("square", seed=2, width=512, height=512)
    kept = generate_image(wide)
    Image.new("RGB", (300, 300)).save(tmp_path / "mine.png")

    def warned(*frames: Any) -> list[str]:
        asked = VideoRequest(prompt="rain", model="pixverse/pixverse-v5", frame_images=list(frames), seed=1)
        found = plan([asked])
        differing = [line for line in found.warnings if line.startswith("Row 1: The keyframes differ")]
        assert set(differing) <= set(found.text().splitlines())
        return differing

    later = expected(square)
    assert later.uri.startswith("planned:")
    for frames in ((kept, later), (kept, str(tmp_path / "mine.png")), (later, kept, later)):
        (said,) = warned(*frames)
        assert "640x384" in said
    assert "with a warning" in str(
        plan([VideoRequest(model="pixverse/pixverse-v5", frame_images=[kept, later], prompt="rain")])
    )
    same = expected(picture("smaller", seed=3, width=320, height=192))
    for frames in ((kept, same), (kept,), (kept, "https://example.com/a.png"), (later, str(tmp_path / "mine.png"))):
        assert [] == warned(*frames)


def test_keyframes_that_differ_are_warned_of_when_they_are_sent(
    together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says it too, for those who do not plan; the clip is made all the same."""
    frames = [generate_image(picture(seed=1, width=512, height=512)), generate_image(picture(seed=2, width=640, height=384))]
    made = generate_video(VideoRequest(prompt="dusk to dawn", model="pixverse/pixverse-v5", frame_images=frames, seed=1))
    assert made.verify()
    assert "The keyframes differ in shape (512x512, 640x384)" in caplog.text


async def test_a_plan_needs_no_key(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is found without a key too, by both twins; a batch still needs one."""
    requests = [picture(f"number {seed}", seed=seed) for seed in range(3)]
    await agenerate_batch(requests[:1])
    monkeypatch.delenv("TOGETHER_API_KEY")
    for found in (plan(requests), await aplan(requests)):
        assert (2, 1) == (found.send, found.reused)
    with pytest.raises(ConfigurationError, match="no API key"):
        await agenerate_batch(requests)


def test_a_plan_warns_of_what_the_run_would_warn_of(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """What the catalogue advises against, and frames that are large inline: each once, with its first row."""
    rng = Image.effect_noise((600, 600), 90)
    rng.save(frame := tmp_path / "frame.png")
    kontext = [
        picture(prompt, model="black-forest-labs/FLUX.1-kontext-pro", seed=1, image_url="https://example.com/a.png")
        for prompt in ("a fox", "an owl", "a heron")
    ]
    requests = [picture(seed=9), *kontext, clip(frame_images=[str(frame)], seed=3)]
    found = plan(requests)
    about = [text for text in found.warnings if "does not take width=256 and height=256" in text]
    assert 1 == len(about)
    assert about[0].startswith("Row 2 and 2 more: ")
    (large,) = (text for text in found.warnings if "goes inline" in text)
    assert large.startswith("Row 5: A frame of ")
    assert found.warnings[0] in found.text()
    assert found.warnings == (found + found).warnings
    assert [] == plan([picture(seed=9)]).warnings
    assert 0 == len(together_sandbox.requests())


def test_a_plan_warns_of_nothing_that_is_not_sent(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A clip that is kept already sends no frame."""
    Image.effect_noise((600, 600), 90).save(frame := tmp_path / "frame.png")
    asked = clip(frame_images=[str(frame)], seed=3)
    generate_video(asked)
    assert [] == plan([asked]).warnings
