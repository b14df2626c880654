"""What every request has in common: a frozen value that validates itself and explains what is wrong. No I/O here."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from prefect_together._internal.described import Described
from prefect_together._internal.text import words_of
from prefect_together.errors import InvalidRequest
from prefect_together.generations.formats import Family
from prefect_together.generations.input_forms import Form
from prefect_together.generations.result_reference import Citations, ResultReference, references
from prefect_together.generations.validation import explain, unfinished
from prefect_together.storage.addresses import REMOTE_SCHEMES


class Render(Protocol):
    """Says what stands in the body (or in the identity) for one media input."""

    def __call__(self, value: MediaInput, form: Form, family: Family | None = None, /) -> Any:
        """Return it.

        Args:
            value: The input.
            form: How a local file of it is written.
            family: What it has to be of; None where the field takes any file.
        """
        ...


_SCHEMES = {"", "http", "https", "file", *REMOTE_SCHEMES}
_ASSET_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_Item = TypeVar("_Item")


class MediaReference(Described, BaseModel):
    """A file in a media library: where it is, what it is, and where it came from."""

    model_config = ConfigDict(frozen=True)

    uri: str
    """Where the file is kept, e.g. ``file:///…/clip.mp4`` or ``s3://bucket/prefix/clip.mp4``."""
    sha256: str
    """SHA-256 of the stored bytes, in hex."""
    size: int
    """Size in bytes."""
    media_type: str
    """What the bytes are, e.g. ``image/png`` (from the bytes themselves, not from a name)."""
    created_at: AwareDatetime
    """When it was kept (UTC)."""
    source_url: str | None = None
    """Where Together hosted it. Such links die within about an hour for images and a day for videos."""
    block: str | None = None
    """The stored block of its library, ``together-media-library/NAME``, by which a process opens it that has not done so;
    None where it is no stored block. It is no part of what the file is: equality and fingerprints leave it out."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MediaReference) and other.block != self.block:
            other = other.model_copy(update={"block": self.block})
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((type(self), self.uri, self.sha256))

    def __setstate__(self, state: dict[Any, Any]) -> None:
        state.get("__dict__", {}).setdefault("block", None)  # pickled by a release that did not know it
        super().__setstate__(state)

    def reference(self) -> MediaReference:
        """Return the bare reference, without what made the file."""
        return MediaReference.model_validate({name: getattr(self, name) for name in MediaReference.model_fields})


def _media_input(value: object) -> object:
    if isinstance(value, MediaReference):
        return value.reference()
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, (str, dict)):
        raise ValueError("give an http(s) URL, a local path or a generated file")  # noqa: TRY004 - pydantic wants it
    if isinstance(value, str):
        if not value.strip():
            raise ValueError("a media input is a URL, a local path or a generated file, and this one is empty")
        scheme = urlsplit(value).scheme if "://" in value or value.startswith("data:") else ""
        if scheme == "data":
            raise ValueError("a data: URL is not taken here: give the file's path, it goes inline by itself")
        if scheme not in _SCHEMES:
            what = "give an http(s) URL, an address in a bucket, a local path or a generated file"
            raise ValueError(f"{scheme}:// is not taken here: {what}")
    return cast("object", value)


if TYPE_CHECKING:
    MediaInput = str | Path | MediaReference
else:
    MediaInput = Annotated[str | MediaReference, BeforeValidator(_media_input)]
"""A URL, a local path, an object in a bucket (``s3://…``, ``gs://…``, ``az://…``), or a ``GeneratedImage`` /
``GeneratedVideo``; kept as a string or as a bare reference. What is on a disk or in a bucket goes inline."""


class InputUse(NamedTuple):
    """A media input, and how its field takes it."""

    value: MediaInput
    form: Form
    family: Family | None
    """What it has to be of; None where the field takes any file."""


def is_remote(value: str) -> bool:
    """Tell whether a media input is passed on as it is: an http(s) URL, or a provider's asset id (a UUID)."""
    return value.lower().startswith(("http://", "https://")) or _ASSET_ID.fullmatch(value) is not None


def _none_or_list(value: object) -> object:
    """Take one item where a list is expected: ``frame_images=still`` means ``[still]``."""
    return cast("object", value) if value is None or isinstance(value, (list, tuple)) else (value,)


if TYPE_CHECKING:
    Items = Sequence[_Item] | None
else:
    Items = Annotated[tuple[_Item, ...] | None, BeforeValidator(_none_or_list)]
"""A list that may be left out, or given as its single item; kept as a tuple."""

Seed = Annotated[int, Field(ge=0, le=2147483647)]
"""Together answers 400 to any other seed (together-api.md 2.6: measured 2026-09-06)."""


def _for_forms(schema: dict[str, Any]) -> None:
    """Leave out of the description, which Prefect's forms show, what is for those who write code; put what is rare last."""
    said = str(schema.get("description", ""))
    schema["description"] = said.partition("\n\nExample:")[0].partition("\n\nRaises:")[0]
    fields: dict[str, Any] = schema.get("properties", {})
    for name in ("extra", "take", "based_on"):
        if name in fields:
            fields[name] = fields.pop(name)


class FrozenValue(Described, BaseModel):
    """A frozen value that says in one sentence what is wrong with it.

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_for_forms)

    if not TYPE_CHECKING:  # so that editors complete the fields

        def __init__(self, /, **data: Any) -> None:
            try:
                super().__init__(**data)
            except ValidationError as error:
                raise InvalidRequest(explain(type(self), error)) from None


class Request(FrozenValue):
    """A request is a value: frozen, valid by construction, equal when it asks for the same thing.

    Raises:
        InvalidRequest: On construction, naming the field, the value and what is allowed.
    """

    kind: ClassVar[str]
    """Its generation type, as in its ``GenerationSpec``."""

    model: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """Together's model id, e.g. `black-forest-labs/FLUX.2-pro`."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Body fields that are newer than this package; sent as they are."""
    take: Annotated[int, Field(ge=0)] | None = None
    """Tells equal requests apart: each take is a generation of its own. Never sent."""
    based_on: Citations = None
    """The results that its words came from, such as an answer that became the prompt. Never sent, and part of
    no fingerprint: it shows the way from text to picture."""

    @field_validator("extra")
    @classmethod
    def _extra_is_extra(cls, value: dict[str, Any]) -> dict[str, Any]:
        if known := sorted(value.keys() & cls.model_fields.keys()):
            raise ValueError(f"{known[0]!r} is a field of {cls.__name__}: set it there, not in extra")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            hint = next(
                (
                    f"{name!r} is a {type(inner).__name__}: {hint}"
                    for name, inner in value.items()
                    if (hint := unfinished(inner))
                ),
                error,
            )
            raise ValueError(f"it must be plain JSON, and {hint}") from None
        return value

    def given(self) -> dict[str, Any]:
        """Return the fields that were set, as plain values: what the catalogue judges and prices."""
        names = self.model_fields_set - {"extra", "take", "model", "based_on", *self.transport_fields()}
        return {name: value for name in sorted(names) if (value := getattr(self, name)) is not None}

    def body(self, render: Render) -> dict[str, Any]:
        """Return the JSON body: only what was set, media as ``render`` says, ``extra`` merged in last."""
        return merged(self.fields(render), self.extra)

    def identity(self, render: Render) -> dict[str, Any]:
        """Return what makes this request this request: its body without what only says how to send it, and its take."""
        body = self.body(render)
        for name in self.transport_fields():
            body.pop(name, None)
        return body if self.take is None else {**body, "take": self.take}

    def media_inputs(self) -> Iterator[InputUse]:
        """Yield every media input with the form in which a local file of it would be sent, and what it has to be."""
        seen: list[InputUse] = []

        def note(value: MediaInput, form: Form, family: Family | None = None, /) -> str:
            seen.append(InputUse(value, form, family))
            return ""

        self.fields(note)
        yield from seen

    def words_from(self) -> tuple[ResultReference, ...]:
        """Return the results that its words came from."""
        return references(self.based_on)

    @property
    def seeded(self) -> bool:
        """Whether the same request makes the same picture again."""
        return getattr(self, "seed", None) is not None

    @property
    def repair_round(self) -> int:
        """Which time it is asked again because a result was not what was asked for; 0 is the first question."""
        return 0

    @property
    def count(self) -> int:
        """How many files one request makes."""
        return 1

    def alike(self) -> tuple[MediaInput, ...]:
        """Return the pictures that ought to be of one shape, because one film passes through them."""
        return ()

    def title(self) -> str:
        """Return what a person would call it: the prompt, or where there is none what it is made of, or the model."""
        return getattr(self, "prompt", None) or self._made_of() or self.model

    def label(self) -> str:
        """Return what tells it from others of its title: the clips of a film often have one prompt, and other pictures."""
        title, made_of = self.title(), self._made_of()
        again = f"repair {self.repair_round}" if self.repair_round else ""
        return " · ".join(part for part in (again, title, "" if made_of == title else made_of) if part)

    def _made_of(self) -> str:
        """Return the first two files that it is made of, in words."""
        inputs = [value.uri if isinstance(value, MediaReference) else str(value) for value, _, _ in self.media_inputs()]
        return " + ".join(filter(None, map(words_of, inputs[:2])))

    @abstractmethod
    def fields(self, render: Render) -> dict[str, Any]:
        """Return the body without ``extra``; each request type says how."""

    @classmethod
    def transport_fields(cls) -> tuple[str, ...]:
        """Name the body fields that say how to answer, not what to make."""
        return ()


def plain(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named fields that were set to something, in the order of ``names``."""
    values = {name: getattr(request, name) for name in names if name in request.model_fields_set}
    return {name: number(value) for name, value in values.items() if value is not None}


def number(value: Any) -> Any:
    """Send 7.0 as 7: some of Together's schemas say integer where its examples say float (together-api.md 9, 9)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def merged(body: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Merge ``extra`` into a body; objects such as ``media`` are merged one level down."""
    for name, value in extra.items():
        known = body.get(name)
        body[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return body
