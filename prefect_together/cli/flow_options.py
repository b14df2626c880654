"""The options of a flow's command: its parameters, named and described as in its form in the Prefect UI. Runs nothing."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from cyclopts import App, Parameter, Token
from prefect import Flow

from prefect_together._internal.prefect_compat import wrong_parameters
from prefect_together._internal.text import clipped
from prefect_together.blocks.settings import current_settings
from prefect_together.catalog import find, preflight
from prefect_together.cli.application import application, ask_for_tracebacks, refuse, understood, words_of
from prefect_together.cli.parameter_words import sentences
from prefect_together.errors import TogetherError

_NONE = "none"
_SAID = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_SHOWN = 60  # characters of a value
_FILES = {".yaml", ".yml", ".json"}
_EXITS = "0 it ran; 1 it failed; 2 the command line is wrong, and nothing has begun; 130 Ctrl-C."
_OWN = {
    "sandbox": "Use a local Together: real files, nothing is paid.",
    "traceback": "Show Python's whole traceback of an error, as TOGETHER_TRACEBACKS=1 does.",
}
"""What every flow's command takes besides its parameters."""


class Options:
    """What a command line said."""

    def __init__(self, given: dict[str, Any], parameters: list[str]) -> None:
        self.sandbox = bool(given.get("sandbox"))
        """Whether to use a local Together."""
        self.traceback = bool(given.get("traceback"))
        """Whether errors show how they came about."""
        said = {name: given[name] for name in parameters if name in given}
        self.parameters: dict[str, Any] = {name: None if value == _NONE else value for name, value in said.items()}
        """The parameters that were given."""


def read_options(flow: Flow[Any, Any], arguments: Sequence[str] | None) -> Options:
    """Return what a command line says, as the flow takes it; where something is wrong, the process ends before all else.

    Args:
        flow: What is to run.
        arguments: The command line, by default that of the process.
    """
    name = Path(sys.argv[0]).name or flow.name
    app, parameters = _application(flow, name)
    words = _joined(words_of(arguments), flow.parameters.properties)
    command, bound, _ = understood(name, lambda: app.parse_args(words))
    if command != app.default_command:  # the help was asked for
        command(*bound.args, **bound.kwargs)
        raise SystemExit(0)
    given = Options(dict(bound.arguments), parameters)
    ask_for_tracebacks(asked=given.traceback)
    try:
        problems = wrong_parameters(flow, given.parameters)
    except TogetherError as error:  # what a flow's own check met, such as a place that nothing can be written to
        refuse(name, error.without_money().removesuffix("."))
    if problems:
        schema = flow.parameters.model_dump()
        refuse(name, "; ".join(sentences(problems, schema, lambda parameter: f"--{_spelled(parameter)}")))
    if current_settings().preflight == "error":
        for parameter, value in given.parameters.items():
            _check_models(name, parameter, value, flow.parameters.properties[parameter])
    return given


def _check_models(command: str, parameter: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Refuse a misspelled model, or one of another kind, before a flow run begins; one that nobody knows is taken."""
    kinds = sorted({known.kind for known in map(find, _listed(schema)) if known})
    if not kinds:
        return
    for model in map(str, cast("list[Any]", [] if value is None else value if isinstance(value, list) else [value])):
        known = find(model)
        if known is None:
            wrong = [finding.message.removesuffix(".") for finding in preflight(model, {})]
        else:  # what else it takes can only be told by all of its request
            wrong = [] if known.kind in kinds else [f"{model!r} is a model for {known.kind}, not for {' or '.join(kinds)}"]
        if wrong:
            refuse(command, f"--{_spelled(parameter)}: {wrong[0]}")


def _listed(schema: Mapping[str, Any]) -> list[str]:
    """Return the values that are listed in a schema, or in those of its items."""
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return [*map(str, schema.get("enum", [])), *(value for one in inner for value in _listed(one))]


def _application(flow: Flow[Any, Any], name: str) -> tuple[App, list[str]]:
    app = application(name, (flow.description or "").partition("\n\n")[0], exits=_EXITS)
    app.version_flags = ()
    required = flow.parameters.required or []
    own = [_option(option, bool, f"{about} (default: False)", default=False) for option, about in _OWN.items()]
    found = [_of(name, schema, required=name in required) for name, schema in flow.parameters.properties.items()]

    def given(**_: Any) -> None:
        """Stand for the flow, whose parameters are these."""

    given.__signature__ = inspect.Signature([*own, *found])  # type: ignore[attr-defined]
    given.__annotations__ = {one.name: one.annotation for one in (*own, *found)}
    given.__doc__ = None
    app.default(given)
    return app, list(flow.parameters.properties)


def _of(name: str, schema: Mapping[str, Any], *, required: bool) -> inspect.Parameter:
    """Return a parameter of a flow as an option."""
    choices, kinds = _choices(schema), _kinds(schema)
    default = schema.get("default")
    shown = "required" if required else f"default: {_NONE if default is None else clipped(str(default), _SHOWN)}"
    about = f"{schema.get('description') or ''} ({shown})".strip()
    if choices:
        literal: Any = Literal  # of values that only the schema knows
        kind = literal[tuple([*choices, _NONE] if "null" in kinds else choices)]
        return _option(name, kind | None, about, required=required)
    read = _reader(kinds)

    def converted(_: Any, tokens: Sequence[Token]) -> Any:
        values = [read(token.value) for token in tokens]
        if "array" not in kinds:
            return values[-1]
        lists = all(isinstance(value, list) for value in values)
        return [item for value in values for item in value] if lists else values[-1]

    return _option(name, list[Any] | None if "array" in kinds else Any, about, required=required, converter=converted)


def _option(
    name: str,
    kind: Any,
    about: str,
    *,
    required: bool = False,
    default: Any = None,
    converter: Callable[[Any, Sequence[Token]], Any] | None = None,
) -> inspect.Parameter:
    settings = Parameter(
        name=f"--{_spelled(name)}",
        help=about,
        converter=converter,
        n_tokens=None if converter is None else 1,
        accepts_keys=False,
        json_list=False,
        negative=(),
        show_default=False,
        consume_multiple=False,
    )
    absent = inspect.Parameter.empty if required else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=absent, annotation=Annotated[kind, settings])


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    options = [schema, *schema.get("anyOf", [])]
    kinds = [str(option["type"]) for option in options if option.get("type")]
    return [*kinds, "object"] if "$ref" in schema or "allOf" in schema else kinds


def _choices(schema: Mapping[str, Any]) -> list[str]:
    """Return the values that there are; none where others are taken beside those that are listed."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return [str(choice) for option in options for choice in option["enum"]] if all("enum" in one for one in options) else []


def _joined(words: Sequence[str], properties: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a command line in which each option that may stand alone, or begins with a dash, has its value behind ``=``."""
    options = {f"--{_spelled(name)}": "boolean" in _kinds(schema) for name, schema in properties.items()}
    found: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        value = left[0] if left else "-"
        if options.get(word) and value.startswith("-"):
            found.append(f"{word}=true")
        elif options.get(word) or (word in options and value.startswith("-") and " " in value):
            found.append(f"{word}={left.pop(0)}")
        else:
            found.append(word)
    return found


def _reader(kinds: Sequence[str]) -> Callable[[str], Any]:
    """Return what reads one value of these kinds."""

    def value(text: str) -> Any:
        if "null" in kinds and text.lower() == _NONE:
            return None
        if "array" in kinds or "object" in kinds:
            found = _document(text)
            return [found] if "array" in kinds and not isinstance(found, list) else cast("Any", found)
        if "boolean" in kinds:
            if text.lower() not in _SAID:
                raise ValueError(f"{text!r} is neither true nor false")
            return _SAID[text.lower()]
        return _number(text, whole=True) if "integer" in kinds else _number(text) if "number" in kinds else text

    return value


def _number(text: str, *, whole: bool = False) -> float:
    try:
        found = int(text) if whole else float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{text!r} is no {'whole ' if whole else ''}number")
    return found


def _document(text: str) -> Any:
    """Read a list or an object: from a YAML or JSON file, or as it stands on the command line."""
    import yaml  # comes with Prefect; few flows need it

    path = Path(text)
    try:
        named = path.suffix.lower() in _FILES and "\n" not in text
        return yaml.safe_load(path.read_text(encoding="utf-8") if named else text)
    except FileNotFoundError:
        raise ValueError(f"there is no file {text!r}: give a YAML or JSON file, or the value itself") from None
    except OSError as error:
        raise ValueError(f"the file {text!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {text!r} is no UTF-8 text: save it as that") from None
    except yaml.YAMLError as error:
        shown = clipped(" ".join(text.split()), _SHOWN)
        raise ValueError(f"{shown!r} is no YAML or JSON{_where(error)}") from None


def _where(error: Any) -> str:
    """Return what YAML found wrong, and where, as the end of a sentence."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place}{f', {problem}' if problem and place else ''}"


def _spelled(name: str) -> str:
    return name.replace("_", "-")
