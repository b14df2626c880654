"""What comes back from chat: text, data by a schema, tool calls, tokens and their price; and how it goes wrong. No I/O."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from prefect_together import catalog
from prefect_together._internal.described import Described
from prefect_together.catalog.money import dollars
from prefect_together.errors import Paid, TogetherError
from prefect_together.generations.answer_description import describe
from prefect_together.generations.answers import Choice, ToolCall, Usage, parse
from prefect_together.generations.chat import ChatRequest
from prefect_together.generations.description import Description
from prefect_together.generations.messages import Message
from prefect_together.generations.response_format import fault, read_json
from prefect_together.generations.results import GeneratedValue, ResultFacts
from prefect_together.generations.schema_columns import TEXT, TOKENS, answer_columns, answer_row
from prefect_together.generations.spec import BatchProtocol, GenerationSpec, Keeping, Payload, Value
from prefect_together.generations.validation import explain

_T = TypeVar("_T")


class Tariff(Described, BaseModel):
    """What tokens cost when the answer was paid for, in USD per million."""

    model_config = ConfigDict(frozen=True)

    input: Decimal
    """Tokens of the prompt."""
    cached: Decimal
    """Those of them that were remembered."""
    output: Decimal
    """Tokens of the answer."""
    as_of: date
    """When that was the list price."""
    batch_discount: Decimal | None = None
    """The part that was taken off the list price for a provider's batch, such as 0.5; None outside of such."""

    def __str__(self) -> str:
        cached = f", {dollars(self.cached)} cached" if self.cached != self.input else ""
        return f"{dollars(self.input)} in{cached}, {dollars(self.output)} out per million (list price of {self.as_of})"


class GeneratedText(GeneratedValue):
    """An answer, with what was asked, the tokens and what they cost.

    ``cost`` is exact: the tokens that Together counted, at the list price of that day; None where one of them is not known.
    """

    kind: ClassVar[str] = "chat"

    request: ChatRequest  # pyright: ignore[reportIncompatibleVariableOverride] - it is frozen
    """What was asked."""
    choices: tuple[Choice, ...]
    """All answers; more than one where ``n`` asked for them."""
    usage: Usage | None = None
    """The tokens; None where Together did not count them."""
    tariff: Tariff | None = None
    """What they cost; None where no price was known."""
    warnings: tuple[str, ...] = ()
    """What Together had to say about the request."""
    request_id: str | None = None
    """Together's id of the answer, which its support asks for."""

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return SPEC.noun

    @property
    def text(self) -> str:
        """The answer, without what was thought before."""
        return self.choices[0].content

    @property
    def reasoning(self) -> str | None:
        """What was thought before, where the model shows it."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The functions that the model asks for."""
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> str | None:
        """Why it ended: ``stop``, ``eos``, ``length``, ``tool_calls``, or a word of the model's own."""
        return self.choices[0].finish_reason

    @property
    def data(self) -> Any:
        """The answer as JSON, where a schema or a JSON object was asked for; else None.

        Raises:
            InvalidOutput: It is not what was asked for.
        """
        wanted = self.request.response_format
        if wanted is None or wanted["type"] not in {"json_schema", "json_object"}:
            return None
        if why := self.fault():
            raise InvalidOutput.of(self, why)
        return read_json(self.text)

    def parse(self, wanted: type[_T]) -> _T:
        """Return the answer as a value of a pydantic class, or of another type that pydantic knows.

        Args:
            wanted: The class; where the request named one as ``response_format``, that one.

        Raises:
            InvalidOutput: The answer is not what was asked for. It was paid for; its text and cost are in the error.
        """
        try:
            return TypeAdapter(wanted).validate_python(read_json(self.text), strict=False)
        except ValidationError as error:
            is_model = inspect.isclass(wanted) and issubclass(wanted, BaseModel)
            model = cast("type[BaseModel]", wanted)
            why = explain(model, error) if is_model else str(error.errors(include_url=False)[0]["msg"])
            raise InvalidOutput.of(self, why.removesuffix(".")) from None
        except ValueError as error:
            raise InvalidOutput.of(self, f"it is no JSON: {error}") from None

    def fault(self) -> str | None:
        """Return in words what is wrong with the answer, or None where it is what was asked for."""
        if self.tool_calls:
            return None
        return fault(self.text, self.request.response_format)

    def message(self) -> Message:
        """Return the answer as a message of the conversation, to be asked on with."""
        calls = tuple(call.body() for call in self.tool_calls) or None
        return Message(role="assistant", content=self.text or None, tool_calls=calls)

    def description(self) -> Description:
        """Return what it says, what it counted, and what is wrong with it."""
        wanted, fault = self.request.response_format, self.fault() or ""
        data = wanted and wanted["type"] in {"json_schema", "json_object"} and not fault and not self.tool_calls
        return describe(
            self.choices,
            self.usage,
            tariff=str(self.tariff or ""),
            parsed=read_json(self.text) if data else None,
            fault=fault,
            request_id=self.request_id,
        )

    def span_attributes(self) -> dict[str, Any]:
        """Return the tokens, in the words of OpenTelemetry's conventions for such answers."""
        usage = self.usage
        reasons = [choice.finish_reason for choice in self.choices if choice.finish_reason]
        found: dict[str, Any] = {"gen_ai.response.finish_reasons": reasons} if reasons else {}
        if usage:
            found |= {"gen_ai.usage.input_tokens": usage.input_tokens, "gen_ai.usage.output_tokens": usage.output_tokens}
        return found


class InvalidOutput(TogetherError):
    """An answer was paid for and is not what was asked for: no JSON, not by its schema, not by its pattern.

    It is kept, and asking the same again returns it for nothing: raise ``repair``, or change the question.

    Args:
        what: What happened, as one sentence.
        paid: ``"yes"``, always.
        advice: What to do next.
        retryable: False, always: the same answer is kept.
        result: The answer: ``error.result.text`` is what was written, ``error.result.cost`` what it cost.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid = "yes",
        advice: str = "",
        retryable: bool = False,
        result: GeneratedText | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.result = result

    @classmethod
    def of(cls, result: GeneratedText, why: str) -> InvalidOutput:
        """Return the error of an answer.

        Args:
            result: The answer.
            why: What is wrong with it.
        """
        cut = " It was cut off: raise max_tokens." if result.finish_reason == "length" else ""
        return cls(
            f"{result.model} answered what was not asked for ({result.price()}): {why}.{cut}",
            advice="Its text is in error.result.text. Raise repair, or change the question: it returns this answer again.",
            result=result,
        )


class ReasoningExhausted(InvalidOutput):
    """The whole budget of tokens went into thinking, and nothing was answered. It was paid for."""

    @classmethod
    def of(cls, result: GeneratedText, why: str = "nothing was answered") -> ReasoningExhausted:
        """Return the error of an answer without one; arguments as above."""
        thought = result.usage.output_tokens if result.usage else result.request.max_tokens
        return cls(
            f"{result.model} thought for {thought} tokens, all that max_tokens allows, and {why} ({result.price()}).",
            advice="Raise max_tokens, or switch thinking off with reasoning=False where the model allows it.",
            result=result,
        )


def problem(result: GeneratedText) -> TogetherError | None:
    """Return the error of an answer that is not what was asked for, or None."""
    first = result.choices[0]
    if first.finish_reason == "length" and not first.content.strip() and not first.tool_calls:
        return ReasoningExhausted.of(result)
    why = result.fault()
    return InvalidOutput.of(result, why) if why else None


def follow_up(request: ChatRequest, result: GeneratedText) -> ChatRequest | None:
    """Return the request that asks for a better answer, or None where it is good, or none is left to be asked for.

    Args:
        request: What is asked now: how often may be asked again is no part of what the answer was kept for.
        result: What was answered.
    """
    error = problem(result)
    if error is None or isinstance(error, ReasoningExhausted) or request.repair < 1:
        return None
    return request.repaired(result.text, result.fault() or "", result.cited())


def _price(request: ChatRequest, content: Mapping[str, Any]) -> Decimal | None:
    """Return what an answer cost: the tokens that were counted at the list price, or None where one is not known."""
    price, usage = catalog.token_price(request.model), content.get("usage")
    if price is None or usage is None:
        return None
    found = Usage.model_validate(usage)
    return price.cost(input_tokens=found.input_tokens, cached_tokens=found.cached_tokens, output_tokens=found.output_tokens)


def _cost(request: ChatRequest, payload: Payload) -> Decimal | None:
    return _price(request, payload.content) if isinstance(payload, Value) else None


def _build(request: ChatRequest, value: Value, facts: ResultFacts) -> GeneratedText:
    price, part = catalog.token_price(request.model), 1 - facts.discount
    tariff = price and Tariff(
        input=price.input * part,
        cached=price.cached * part,
        output=price.output * part,
        as_of=price.as_of,
        batch_discount=facts.discount or None,
    )
    return GeneratedText(**facts.fields(request), **value.content, tariff=tariff)


SPEC = GenerationSpec(
    kind="chat",
    request=ChatRequest,
    result=GeneratedText,
    path="/v1/chat/completions",
    parse=parse,
    parse_of=lambda request: partial(parse, wanted=request.n),
    build=_build,
    keeping=Keeping(),
    batch=BatchProtocol(endpoint="/v1/chat/completions", without=("stream", "stream_options")),
    columns={TEXT: "string", **TOKENS},
    columns_of=answer_columns,
    row=answer_row,
    cost=_cost,
    problem=problem,
    follow_up=follow_up,
    repairs=ChatRequest.repairs,
    noun="answer",
    plural="answers",
)
