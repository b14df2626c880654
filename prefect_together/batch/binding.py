"""Which column fills which field of a request: by name, by ``columns=``, by template. Looks at names, never at cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from prefect_together.batch.column_names import absent, alike, find, listed
from prefect_together.batch.templates import Filler, Template
from prefect_together.errors import InvalidRequest
from prefect_together.generations.request import Request


@dataclass(frozen=True)
class Binding:
    """What fills the fields of a row's request."""

    columns: Mapping[str, str]
    """The column of a field."""
    fillers: Mapping[str, Filler]
    """The template of a field, with its columns."""
    reserved: Mapping[str, str]
    """Columns that would fill the field of their name and do not, for a template uses them: the field of the template."""

    def filled(self) -> dict[str, list[str]]:
        """Return the columns of each field that has some."""
        own = {name: [column] for name, column in self.columns.items()}
        return {name: list(filler.columns) for name, filler in self.fillers.items()} | own

    def used(self) -> tuple[str, ...]:
        """Return all columns that fill something, each once."""
        return tuple(dict.fromkeys(column for found in self.filled().values() for column in found))


class Mapper:
    """What a table is asked to fill the fields of its requests with.

    Args:
        request: What every row asks for.
        columns: The column of a field, where their names differ.
        templates: The text of a field with columns in braces.
        constants: The value of a field for all rows.
        by_name: Whether a column fills the field of its name where nothing else does.

    Raises:
        InvalidRequest: There is no such field, or a template cannot be read.
    """

    def __init__(
        self,
        request: type[Request],
        columns: Mapping[str, Any],
        templates: Mapping[str, str],
        constants: Mapping[str, Any],
        *,
        by_name: bool = True,
    ) -> None:
        self.request = request
        self.constants = constants
        self._by_name = by_name
        self._columns = {name: str(column) for name, column in columns.items()}
        self._fields = {name for name in request.model_fields if name not in {"extra", "based_on"}}
        for name in (*columns, *templates, *constants):
            if name not in request.model_fields:
                raise InvalidRequest(f"{request.__name__} has no field {name!r}: {self._instead(name)}")
        if both := next((name for name in columns if name in templates), None):
            raise InvalidRequest(f"{both} is filled by columns= and by templates=: name it in one of them.")
        for name, text in templates.items():
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users give anything
                raise InvalidRequest(f"The template of {name} is {text!r}: give a text with columns in braces.")
        self._texts = dict(templates)
        self._templates = {name: Template(text) for name, text in templates.items()}

    def asked(self) -> tuple[Any, ...]:
        """Return all that it was made with, as plain values."""
        return self.request.__qualname__, self._columns, self._texts, dict(self.constants), self._by_name

    def _instead(self, name: str) -> str:
        turned = self._columns.get(name)
        if turned in self._fields:
            return f"columns= has the field first: columns={{{turned!r}: {name!r}}}."
        close = get_close_matches(name, self.request.model_fields, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"it has {', '.join(self.request.model_fields)}.{hint}"

    def bind(self, names: Sequence[str], table: str) -> Binding:
        """Return what fills the fields of a row with these columns.

        Raises:
            InvalidRequest: A column that is named is not there, two would fill one field, or a field that every request
                needs has none.
        """
        columns: dict[str, str] = {}
        for name, wanted in self._columns.items():
            found = find(wanted, names)
            if found is None:
                raise InvalidRequest(f"{table} has no column {wanted!r}: {absent(wanted, names)}")
            columns[name] = found
        fillers = {name: template.bind(names, table) for name, template in self._templates.items()}
        used = {column: name for name, filler in fillers.items() for column in filler.columns}
        reserved: dict[str, str] = {}
        mapped = set(columns.values())
        own: dict[str, list[str]] = {}
        for column in names if self._by_name else ():
            name = alike(column)
            if name not in self._fields or name in self._columns or name in fillers or column in mapped:
                continue
            if column in used:
                reserved[column] = used[column]
            else:
                own.setdefault(name, []).append(column)
        for name, found in own.items():
            if len(found) > 1:
                raise InvalidRequest(
                    f"{table} has two columns for {name}, {found[0]!r} and {found[1]!r}: say which one is meant, "
                    f"columns={{{name!r}: {found[1]!r}}}."
                )
        columns |= {name: found[0] for name, found in own.items()}
        self._check(columns, reserved, names, table)
        return Binding(columns, fillers, reserved)

    def _check(self, columns: Mapping[str, str], reserved: Mapping[str, str], names: Sequence[str], table: str) -> None:
        """Refuse a table that has nothing for a field that every request needs."""
        filled = {*columns, *self._templates, *self.constants}
        for name, about in self.request.model_fields.items():
            if not about.is_required() or name in filled:
                continue
            if column := next((column for column in reserved if alike(column) == name), None):
                raise InvalidRequest(
                    f"{table} has nothing for {name}: the template of {reserved[column]} uses the column {column!r}, which "
                    f"fills no field then. If it is meant for both, say columns={{{name!r}: {column!r}}}."
                )
            raise InvalidRequest(
                f"{table} has no column for {name}, which every {self.request.__name__} needs: it has {listed(names)}. "
                "Name one in columns=, or give a template or a constant."
            )


def nested_fields(request: type[Request]) -> frozenset[str]:
    """Return the fields that take lists or objects."""
    properties: dict[str, dict[str, Any]] = request.model_json_schema()["properties"]
    nested = {"array", "object"}
    return frozenset(
        name
        for name, about in properties.items()
        if any("$ref" in branch or branch.get("type") in nested for branch in (about, *about.get("anyOf", ())))
    )
