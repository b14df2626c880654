"""What a plan says of answers that may be asked for again: by list price without repairs, at most with all of them."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from prefect_together import ChatRequest, InvalidOutput, Plan, catalog, generate_batch, generate_text, plan
from prefect_together.sandbox import Sandbox

from .questions import CHAT, PATH, Scene, charged, failing, question


def scene(seed: int = 7, **fields: Any) -> ChatRequest:
    """Ask for an answer by schema."""
    return question("A scene.", response_format=Scene, seed=seed, **fields)


def test_the_most_is_with_all_repairs(together_sandbox: Sandbox) -> None:
    """Each repair adds to the most and none to the expected price; each is dearer than the one before, and a sum adds up."""
    found = [plan([scene(repair=repair)]) for repair in range(4)]
    assert [0, 1, 2, 3] == [one.repairs for one in found]
    assert 1 == len({one.cost for one in found})
    most = [one.most for one in found]
    more = [after - before for before, after in itertools.pairwise(most)]
    assert found[0].cost == most[0] < more[0] < more[1] < more[2]
    assert "at most" not in str(found[0])
    assert f"(at most {catalog.dollars(found[1].cost_at_most)} with 1 repair)" in str(found[1])
    assert f"(at most {catalog.dollars(found[3].cost_at_most)} with 3 repairs)" in str(found[3])
    both = found[1] + found[3]
    assert (4, most[1] + most[3]) == (both.repairs, both.most)
    assert both == Plan.model_validate_json(both.model_dump_json())


@pytest.mark.parametrize("repair", [1, 3])
def test_no_run_costs_more_than_the_most(repair: int, together_sandbox: Sandbox) -> None:
    """Where every answer is wrong, all repairs are paid for, and cost no more than the plan said."""
    asked, before = scene(repair=repair), plan([scene(repair=repair)])
    together_sandbox.fault(CHAT, "json_wrong", times=9)
    failing(InvalidOutput, asked)
    assert repair + 1 == together_sandbox.count(PATH)
    assert charged(together_sandbox) <= before.most


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(question(repair=3), id="no-schema"),
        pytest.param(question(repair=3, response_format={"type": "text"}), id="text"),
        pytest.param(scene(repair=0), id="no-repair"),
    ],
)
def test_what_is_never_repaired_has_no_range(request_: ChatRequest, together_sandbox: Sandbox) -> None:
    """Nothing is added where no answer can be wrong, or none is asked for again."""
    found = plan([request_])
    assert (0, found.cost) == (found.repairs, found.most)


def test_repairs_of_unknown_price_count_as_the_worst_case(together_sandbox: Sandbox) -> None:
    """Like the request itself."""
    found = plan([scene(max_tokens=None, repair=2)])
    assert (1, 2, 2, Decimal(0)) == (found.unknown_prices, found.repairs, found.unknown_repairs, found.cost_at_most)
    assert 3 * found.worst_case == found.most


def test_repairs_of_a_batch_at_together_have_no_discount(together_sandbox: Sandbox) -> None:
    """They go out one by one."""
    asked = scene(repair=1)
    one_by_one, batch = plan([asked]), plan([asked], via="batch")
    assert batch.cost < one_by_one.cost
    assert one_by_one.cost_at_most - one_by_one.cost == batch.cost_at_most - batch.cost


def test_a_kept_answer_that_may_be_repaired_is_still_to_pay(together_sandbox: Sandbox) -> None:
    """What a rerun asks again is to send, not reused, and at most the repairs that are left; when all are used up, nothing is."""
    together_sandbox.fault(CHAT, "json_wrong", times=2)
    for repair in (0, 1):
        with pytest.raises(InvalidOutput):
            generate_text(scene(repair=repair))
    assert (0, 1, 0) == ((found := plan([scene(repair=1)])).send, found.reused, found.repairs)
    found = plan([scene(repair=3)])
    assert (1, 0, 1) == (found.send, found.reused, found.repairs)
    assert ["repair 2 · A scene."] == [one.title for one in found.to_send]
    before = together_sandbox.count(PATH)
    assert 1 == generate_batch([scene(repair=3)]).kept
    assert before + 1 == together_sandbox.count(PATH)
    assert (0, 1) == ((found := plan([scene(repair=3)])).send, found.reused)
