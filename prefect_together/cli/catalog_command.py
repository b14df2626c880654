"""The command that shows what is known about models, and what Together says differently. It prints, and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect_together._internal.text import counted
from prefect_together.cli.libraries import account
from prefect_together.cli.library_commands import JsonLines
from prefect_together.cli.output import say, say_json, say_table
from prefect_together.cli.progress import progress
from prefect_together.errors import InvalidRequest

if TYPE_CHECKING:
    from prefect_together.catalog import Model

Kind = Literal["image", "video", "speech", "transcription", "chat"]
_FEW = 3


def catalog(model: str | None = None, /, *, kind: Kind | None = None, check: bool = False, json: JsonLines = False) -> None:
    """List the models that are known to be offered, with their prices and what they take; or one of them in full. Offline.

    Args:
        model: Together's id of a model, or a part of one, for all whose ids have it.
        kind: Only models of this kind.
        check: Ask Together, with a key and for free, and say what differs.
    """
    from prefect_together import catalog as known

    if check:
        _check(json=json)
        return
    found = [one for one in known.models(kind) if one.listed]
    if model is not None:
        whole = known.find(model) or "/" in model.rstrip("/")  # with its maker's name it is meant as it stands
        named = [] if whole else [one for one in found if model.casefold() in one.id.casefold()]
        if not named:
            _show(_meant(model), json=json)
            return
        found = named
    if json:
        for one in found:
            say_json(_as_json(one))
        return
    say_table(("kind", "model", "price", "takes"), [(one.kind, one.id, _price(one), _takes(one)) for one in found])
    say(f"As Together listed them on {known.as_of().isoformat()}; prices change, and the bill counts.")


def _meant(name: str) -> Model:
    from prefect_together import catalog as known
    from prefect_together.catalog.spelling import looks_like

    if found := known.find(name):
        return found
    near = looks_like(name)
    advice = f": did you mean {near.id}?" if near else f" of {known.as_of().isoformat()}; it may be newer, or your own."
    raise InvalidRequest(f"There is no model {name!r} in the catalogue{advice}")


def _show(model: Model, *, json: bool) -> None:
    if json:
        say_json(_as_json(model))
        return
    facts = dict(_facts(model))
    width = max(map(len, facts)) + 2
    say(model.id)
    for name, value in facts.items():
        say(f"  {f'{name}:':<{width}}{value}")


def _facts(model: Model) -> Iterator[tuple[str, str]]:
    """Yield what is known of a model, a line each; what is unknown is left out."""
    yield "kind", model.kind
    yield "price", _price(model) + (f" ({model.price.note.rstrip('.')})" if model.price and model.price.note else "")
    if not model.listed:
        yield "not offered", model.removed or "it is not in Together's list"
    named = ("successor", "note", "default_steps", "default_seconds", "default_resolution", "requires", "expects", "sizes")
    named += ("area", "aspect_ratios", "resolutions", "ratios", "seconds", "fps", "keyframes", "max_keyframes", "max_items")
    named += ("prompt_length", "negative_prompt_length", "formats", "encodings", "sample_rates", "context", "max_output")
    for name in named:
        value: Any = getattr(model, name)
        if value not in (None, "", (), {}):
            yield name.replace("_", " "), _words(value)
    if taken := [name for name, does in model.takes.items() if does]:
        yield "takes", ", ".join(taken)
    for name, does in model.takes.items():
        if not does:
            yield f"no {name}", f"use {model.instead[name]}" if name in model.instead else "it is not taken"
    yield "read in", ", ".join(model.sources)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {most}" for name, most in cast("Mapping[str, Any]", value).items())
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[Any, ...]", value)))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _takes(model: Model) -> str:
    """Return the limits and the inputs of a model in few words."""
    from prefect_together.catalog.messages import MEDIA

    known = (
        (model.sizes, "sizes", ""), (model.aspect_ratios, "aspect ratios", ""), (model.resolutions, "resolutions", ""),
        (model.seconds, "lengths", " s"), (model.formats, "formats", ""),
    )  # fmt: skip
    said = [
        f"{', '.join(map(str, values))}{unit}" if len(values) <= _FEW else f"{len(values)} {noun}"
        for values, noun, unit in known
        if values
    ]
    said += [f"{model.context:,} tokens"] if model.context else []
    said += [name for name, does in model.takes.items() if does and (name in MEDIA or name in {"images", "tools"})]
    return "; ".join(said)


def _as_json(model: Model) -> dict[str, Any]:
    """Return all that is known of a model; null, [] and {} are unknown."""
    return {one.name: _plain(getattr(model, one.name)) for one in fields(model)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in cast("tuple[Any, ...]", value)]
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value


def _check(*, json: bool) -> None:
    from prefect_together import catalog as known
    from prefect_together._internal.event_loop import run
    from prefect_together.catalog.comparison import differences

    async def rows() -> list[dict[str, Any]]:
        return await account().get("/v1/models", _rows)

    with progress("Asking Together"):
        found = differences(run(rows()))
    for line in found:
        if json:
            say_json({"difference": line})
        else:
            say(line)
    if not json:
        say(f"{counted(len(found), 'difference')} between the catalogue of {known.as_of().isoformat()} and Together's list.")


def _rows(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list):
        raise ValueError("the answer is no list of models")  # noqa: TRY004 - what the client takes for unreadable
    rows = cast("list[Any]", answer)
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def _price(model: Model) -> str:
    from prefect_together.catalog.money import unit_price

    price = model.price
    if price is None:
        return "price unknown"
    if price.output is not None:
        return f"{unit_price(price.usd)} in, {unit_price(price.output)} out per million tokens"
    most = max(price.most, *(rate.most for rate in price.rates)) if price.rates else price.most
    upper = f" to {unit_price(most)}" if most != price.usd else ""
    return f"{unit_price(price.usd)}{upper} per {price.per.replace('_', ' ')}"
