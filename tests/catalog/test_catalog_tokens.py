"""What the price of tokens promises: exact to the last digit, 0 only where it is free, None where it is unknown."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from prefect_together import catalog

SIGHTED, LLAMA, GLM = "Qwen/Qwen3.5-9B", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "zai-org/GLM-5.3-Flash"
FREE, JUDGE, OSS, DEEPSEEK = (
    "Prism-ML/Ternary-Bonsai-27B", "together/Tev1-4B-experimental", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V4.1-Flash",
)  # fmt: skip


@pytest.mark.parametrize(
    ("model_id", "counts", "usd"),
    [
        pytest.param(SIGHTED, {"input_tokens": 1721, "output_tokens": 80}, "0.00031257", id="a-caption"),
        pytest.param(LLAMA.lower(), {"input_tokens": 578, "cached_tokens": 512, "output_tokens": 3}, "0.00060424", id="cached-as-input"),
        pytest.param(DEEPSEEK, {"input_tokens": 100, "cached_tokens": 64, "output_tokens": 1}, "0.000012384", id="cached-cheaper"),
        pytest.param(DEEPSEEK, {"input_tokens": 100, "cached_tokens": 900, "output_tokens": 0}, "0.0000006", id="more-cached-than-sent"),
        pytest.param(FREE, {"input_tokens": 10**9, "output_tokens": 10**9}, "0", id="free"),
        pytest.param(JUDGE, {"input_tokens": 1, "output_tokens": 8}, "0.000000042", id="free-output"),
        pytest.param(GLM, {"input_tokens": 123_456_789, "output_tokens": 987_654_321}, "512.34567885", id="much"),
    ],
)  # fmt: skip
def test_an_answer_is_priced_exactly(model_id: str, counts: dict[str, int], usd: str) -> None:
    """Tokens that were cached cost their price, or that of others where it is not stated; nothing is rounded."""
    price = catalog.token_price(model_id)
    assert price is not None
    assert Decimal(usd) == price.cost(**counts)
    assert datetime.date(2026, 9, 26) == price.as_of


@pytest.mark.parametrize(
    "model_id", ["nobody/nothing", "hexgrad/Kokoro-82M", "google/veo-3.1", "black-forest-labs/FLUX.1-dev"]
)
def test_what_is_not_sold_in_tokens_has_no_price_of_them(model_id: str) -> None:
    """A model that is unknown, or sold otherwise, has None."""
    assert catalog.token_price(model_id) is None


@pytest.mark.parametrize(
    ("model_id", "fields", "usd"),
    [
        pytest.param(SIGHTED, {"input_tokens": 1721, "max_output_tokens": 80}, "0.00031257", id="both"),
        pytest.param(FREE, {"input_tokens": 10, "max_output_tokens": 10}, "0", id="free"),
        pytest.param(GLM, {"input_tokens": 1, "max_output_tokens": 0}, "0.00000015", id="below-a-cent"),
        pytest.param(SIGHTED, {"input_tokens": 1721}, None, id="no-bound"),
        pytest.param(SIGHTED, {"input_tokens": 1721, "max_output_tokens": None, "max_tokens": 9}, None, id="no-bound-said"),
        pytest.param(SIGHTED, {"max_output_tokens": 80}, None, id="nothing-known-of-input"),
        pytest.param(SIGHTED, {"input_tokens": -1, "max_output_tokens": 80}, None, id="impossible"),
        pytest.param("nobody/nothing", {"input_tokens": 1, "max_output_tokens": 1}, None, id="unknown-model"),
    ],
)
def test_a_request_is_bounded(model_id: str, fields: dict[str, Any], usd: str | None) -> None:
    """The bound is exact, and None where the request bounds no output: never 0, never a guess."""
    expected = None if usd is None else Decimal(usd)
    assert expected == catalog.estimate(model_id, fields)
    assert expected == catalog.estimate_at_most(model_id, fields)


TOOLS = [{"type": "function", "function": {"name": "look"}}]
SCHEMA: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
ERRORS = [
    pytest.param("Qwen/Qwen35-9B", {}, "model", "did you mean Qwen/Qwen3.5-9B?", id="misspelled"),
    pytest.param(LLAMA, {"images": ["a", "b"]}, "images", "does not take images (2 items)", id="blind"),
    pytest.param(GLM, {"images": ["a"]}, "images", "a model that sees, such as Qwen/Qwen3.5-9B", id="who-sees"),
    pytest.param(SIGHTED, {"tools": TOOLS, "response_format": SCHEMA}, "tools", "not both in one request", id="two-phases"),
    pytest.param("Qwen/Qwen3.6-Plus", {"tools": TOOLS}, "tools", "such as zai-org/GLM-5.3-Flash", id="no-tools"),
    pytest.param(DEEPSEEK, {"reasoning_effort": "medium"}, "reasoning_effort", "answers 400 to reasoning_effort='medium'", id="effort"),
    pytest.param(DEEPSEEK, {"reasoning_effort": "extreme"}, "reasoning_effort", "use none, low, high, xhigh or max", id="nonsense"),
]  # fmt: skip
WARNINGS = [
    pytest.param("zai-org/GLM-5.3", {"reasoning": {"enabled": False}}, "reasoning", "thinks all the same", id="ignored"),
    pytest.param(GLM, {"reasoning_effort": "none"}, "reasoning_effort", "thinks all the same", id="ignored-effort"),
    pytest.param(OSS, {"reasoning": {"enabled": False}}, "reasoning", "bills for it", id="hidden"),
    pytest.param(OSS, {"reasoning_effort": "xhigh"}, "reasoning_effort", "low, medium or high", id="effort-ignored"),
    pytest.param(LLAMA, {"reasoning_effort": "high"}, "reasoning_effort", "does not think", id="no-thoughts"),
    pytest.param(JUDGE, {"max_tokens": 9}, "max_tokens", "at most 8 tokens", id="short-answers"),
    pytest.param(
        OSS, {"input_tokens": 131_000, "max_tokens": 100}, "max_tokens", "has room for 131,072 tokens", id="context"
    ),
    pytest.param(OSS, {"input_tokens": 131_073}, "input_tokens", "about 131,073 go in.", id="context-input"),
]
NOTHING = [
    pytest.param(SIGHTED, {"images": ["a"], "response_format": SCHEMA, "reasoning": {"enabled": False}}, id="sighted"),
    pytest.param(SIGHTED, {"tools": TOOLS, "response_format": {"type": "text"}}, id="plain-text-is-no-format"),
    pytest.param(DEEPSEEK, {"reasoning_effort": "none"}, id="effort-none"),
    pytest.param(LLAMA, {"images": (), "tools": [], "response_format": SCHEMA}, id="nothing-in-lists"),
    pytest.param(OSS, {"reasoning_effort": "low", "tools": TOOLS}, id="effort-low"),
    pytest.param("zai-org/GLM-5.3", {"reasoning": {"enabled": True}}, id="on"),
    pytest.param("Qwen/Qwen3.7-Plus", {"images": ["a"], "tools": TOOLS}, id="not-documented"),
    pytest.param(OSS, {"input_tokens": 131_000, "max_tokens": 72, "n": 3}, id="just-fits"),
]


@pytest.mark.parametrize(("model_id", "fields", "field", "said"), ERRORS)
def test_a_documented_rule_is_an_error(model_id: str, fields: dict[str, Any], field: str, said: str) -> None:
    """What a model does not see or take, or answers 400 to, is refused in one sentence that says what would do."""
    (finding,) = catalog.preflight(model_id, fields)
    assert ("error", field) == (finding.severity, finding.field)
    assert said in finding.message


@pytest.mark.parametrize(("model_id", "fields", "field", "said"), WARNINGS)
def test_what_has_another_effect_is_a_warning(model_id: str, fields: dict[str, Any], field: str, said: str) -> None:
    """A setting that the model passes over, or more tokens than it has room for, is said and not refused."""
    (finding,) = catalog.preflight(model_id, fields)
    assert ("warning", field) == (finding.severity, finding.field)
    assert said in finding.message


@pytest.mark.parametrize(("model_id", "fields"), NOTHING)
def test_what_is_fine_or_unknown_has_no_finding(model_id: str, fields: dict[str, Any]) -> None:
    """What no page rules out is the server's business."""
    assert () == catalog.preflight(model_id, fields)


@pytest.mark.parametrize(("choice", "found"), [("required", 1), ("auto", 0), ({"type": "function"}, 0), (None, 0)])
def test_what_always_fails_is_not_sent(choice: Any, found: int) -> None:
    """gpt-oss answers 500 to ``tool_choice="required"``, every time: that looks as if it might have been paid for."""
    findings = catalog.preflight("openai/gpt-oss-120b", {"tool_choice": choice, "tools": [{"name": "look"}]})
    assert found == len([one for one in findings if one.field == "tool_choice"])
    assert all("every time" in one.message for one in findings if one.field == "tool_choice")
    assert () == catalog.preflight("zai-org/GLM-5.3-Flash", {"tool_choice": "required", "tools": [{"name": "look"}]})
