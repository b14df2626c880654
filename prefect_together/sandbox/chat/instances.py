"""Write an instance of a JSON schema that speaks of what was asked; asks no library, and gives up on nothing.

Libraries that make instances write random words, drag in a library of fake names, and draw from the global random state.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from prefect_together.sandbox.chat import patterns, phrases
from prefect_together.sandbox.chat.ideas import Ideas

Schema = Mapping[str, Any]
DEEP = 6
"""From here on only what is required is written, so that a schema that holds itself comes to an end."""
ITEMS = 3
SCORES = ("score", "rating", "quality", "grade", "points", "adherence", "aesthetic")
SHARES = ("confidence", "probability", "share", "fraction")
FAULTS = ("fault", "issue", "problem", "flaw", "defect", "weakness")
APPROVALS = ("pass", "accept", "approved", "good", "keep", "matches", "ok")
WRONGS = ("nsfw", "unsafe", "harmful", "toxic", "blurry", "duplicate", "error", "fail", "watermark")
GOOD = 0.7
"""Quality from which something passes."""


class Writer:
    """Writes instances of one schema.

    Args:
        root: The whole schema, in which `$ref` points.
        ideas: What the texts in it speak of.
    """

    def __init__(self, root: Schema, ideas: Ideas) -> None:
        self._root = root
        self._ideas = ideas

    def write(self, schema: Any = None, name: str = "", *, index: int = 0, depth: int = 0) -> Any:
        """Return an instance.

        Args:
            schema: Of what; by default the whole one. True, False and {} allow anything.
            name: The property that it is for.
            index: Which item of a list it is for, so that items differ.
            depth: How deep within the instance it is.
        """
        schema = self._resolved(self._root if schema is None else schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(cast("list[Any]", schema["enum"]), index)
        if options := cast("list[Any]", schema.get("anyOf") or schema.get("oneOf")):
            return self.write(self._option(options, schema, depth), name, index=index, depth=depth)
        match self._type(schema):
            case "object":
                return self._object(schema, index, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number" as kind:
                return self._number(schema, name, whole=kind == "integer")
            case "boolean":
                return self._boolean(name)
            case "null":
                return None
            case _:
                return self._string(schema, name, index)

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """Follow references and join what `allOf` puts together."""
        known = dict(cast("Schema", schema)) if isinstance(schema, Mapping) else {}
        for _ in range(20):
            if not isinstance(pointer := known.get("$ref"), str):
                break
            target: Any = self._root
            for part in pointer.lstrip("#/").split("/") if pointer.strip("#/") else []:
                step = part.replace("~1", "/").replace("~0", "~")
                target = cast("Schema", target).get(step, {}) if isinstance(target, Mapping) else {}
            rest = {key: value for key, value in known.items() if key != "$ref"}
            known = {**cast("dict[str, Any]", target), **rest} if isinstance(target, Mapping) else rest
        for part in cast("list[Any]", known.pop("allOf", None) or []):
            more = self._resolved(part)
            ours, theirs = (cast("dict[str, Any]", one.get("properties") or {}) for one in (known, more))
            both = {**ours, **theirs}
            required: list[str] = [*(known.get("required") or []), *(more.get("required") or [])]
            known = {
                **more,
                **known,
                **({"properties": both} if both else {}),
                **({"required": required} if required else {}),
            }
        return known

    def _type(self, schema: Schema) -> str:
        kind: Any = schema.get("type")
        if isinstance(kind, list):
            named = [str(one) for one in cast("list[Any]", kind) if one != "null"]
            return named[0] if named else "null"
        if isinstance(kind, str):
            return kind
        guesses = {
            "properties": "object",
            "items": "array",
            "prefixItems": "array",
            "minimum": "number",
            "maximum": "number",
        }
        return next((kind for key, kind in guesses.items() if key in schema), "string")

    def _option(self, options: list[Any], schema: Schema, depth: int) -> dict[str, Any]:
        """Choose one of several schemas: something rather than nothing, but nothing where it gets too deep."""
        known = [self._resolved(option) for option in options]
        nothing = [option for option in known if option.get("type") == "null"]
        chosen = nothing[0] if nothing and depth >= DEEP else next((one for one in known if one not in nothing), known[0])
        return {**{key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}, **chosen}

    def _object(self, schema: Schema, index: int, depth: int) -> dict[str, Any]:
        properties = cast("dict[str, Any]", schema.get("properties") or {})
        required = cast("list[str]", schema.get("required") or [])
        wanted = [name for name in properties if depth < DEEP or name in required]
        written = {name: self.write(properties[name], name, index=index, depth=depth + 1) for name in wanted}
        for name in required:  # what is required and described nowhere may be anything
            written.setdefault(name, self._string({}, name, index))
        more = schema.get("additionalProperties")
        if not properties and isinstance(more, Mapping) and depth < DEEP:
            for key in self._ideas.tags(max(2, int(schema.get("minProperties", 0)))):
                written[key] = self.write(more, key, index=index, depth=depth + 1)
        return written

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        first = cast("list[Any]", schema.get("prefixItems") or [])
        least = int(schema.get("minItems", 0))
        wanted = phrases.number_in(str(schema.get("description") or ""), name) or phrases.number_in(
            self._ideas.question, name
        )
        most = int(schema.get("maxItems", max(least, wanted or ITEMS)))
        if any(word in name.lower() for word in FAULTS):
            most = min(most, round((1 - self._ideas.quality()) * 5))
        count = max(least, len(first), min(most, phrases.MOST_ITEMS) if depth < DEEP else least)
        items: Any = schema.get("items", {})
        if items is False:
            count = len(first)
        one = phrases.singular(name)
        written = [
            self.write(first[at] if at < len(first) else items, one, index=at, depth=depth + 1) for at in range(count)
        ]
        if schema.get("uniqueItems"):
            written = list({json.dumps(item, sort_keys=True): item for item in written}.values())
        return written

    def _number(self, schema: Schema, name: str, *, whole: bool) -> float:
        quality = self._is(name, SCORES) or self._is(name, SHARES)
        share = self._ideas.quality() if quality else self._ideas.rng.random()
        low, high = phrases.bounds(
            schema, default=(0, 1) if self._is(name, SHARES) and not whole else (0, 10) if quality else (1, 100)
        )
        step = schema.get("multipleOf") or (1 if whole else 0)
        value = low + (high - low) * share
        if step:
            value = math.floor(value / step + 1e-9) * step
            value = value if value >= low else value + step
        if "exclusiveMinimum" in schema and value <= low:
            value = low + (step or (high - low) / 100)
        if "exclusiveMaximum" in schema and value >= high:
            value = high - (step or (high - low) / 100)
        return round(value) if whole else round(value, 4)

    def _boolean(self, name: str) -> bool:
        if self._ideas.seen and self._is(name, APPROVALS):
            return self._ideas.quality() >= GOOD
        if self._is(name, WRONGS):
            return False
        return self._ideas.rng.random() < GOOD

    def _choice(self, values: list[Any], index: int) -> Any:
        """Choose what the question or the picture speaks of, else any."""
        said = f"{self._ideas.about} {self._ideas.question}".lower()
        named = [value for value in values if isinstance(value, str) and value and value.lower() in said]
        if len(named) == 1:
            return named[0]
        return values[(self._ideas.rng.randrange(len(values)) + index) % len(values)]

    def _string(self, schema: Schema, name: str, index: int) -> str:
        if pattern := schema.get("pattern"):
            return patterns.example(str(pattern), self._ideas.rng)
        text = phrases.phrase(name, schema, self._ideas, index)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        while len(text) < least:
            text = f"{text} {self._ideas.sentence(len(text))}"
        return text if most is None else text[: int(most)]

    def _is(self, name: str, words: tuple[str, ...]) -> bool:
        return any(word in name.lower() for word in words)
