"""Which results a request's words came from: small references to them, and what to say where one does not last. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from prefect_together._internal.described import Described


class ResultReference(Described, BaseModel):
    """A result that other requests are based on: an answer whose words became their prompt. It never holds the answer."""

    model_config = ConfigDict(frozen=True)

    kind: str
    """Its generation type, such as ``chat``."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    """What was asked, as a hash: the name of its folder in the ledger."""
    scope: str | None = None
    """Who may share it, which tells it from other answers to the same question; None where that is not known."""
    title: str = ""
    """What a person would call it: the beginning of what was asked."""
    asked_anew: bool = False
    """Whether the next run asks it anew and may get another answer: it has no seed, and is of no named batch."""

    def cited(self) -> ResultReference:
        """Return itself."""
        return self

    def means(self, fingerprint: str, scope: str | None) -> bool:
        """Tell whether it is a reference to what is known by these.

        Args:
            fingerprint: Of the request that it was made by.
            scope: Who may share the result; None, on either side, is not known and is no difference.
        """
        return self.fingerprint == fingerprint and (None in {self.scope, scope} or self.scope == scope)


class Citable(Protocol):
    """What a request can be based on: a result of any type, or a reference to one."""

    def cited(self) -> ResultReference:
        """Return the reference."""
        ...


def _citation(value: object) -> object:
    cited = getattr(value, "cited", None)
    if callable(cited):
        return cited()
    if not isinstance(value, dict):
        raise ValueError("give a result, such as generate_text returns it, or a list of them")  # noqa: TRY004 - pydantic wants it
    return cast("object", value)


def _none_or_list(value: object) -> object:
    return cast("object", value) if value is None or isinstance(value, (list, tuple)) else (value,)


if TYPE_CHECKING:
    Citations = Citable | Iterable[Citable] | None
else:
    Citations = Annotated[
        tuple[Annotated[ResultReference, BeforeValidator(_citation)], ...] | None, BeforeValidator(_none_or_list)
    ]
"""One result or several, or none; kept as a tuple of references."""


def references(found: Any) -> tuple[ResultReference, ...]:
    """Return the references of a field that has been validated."""
    return tuple(found or ())


def does_not_last(sources: Iterable[ResultReference]) -> str | None:
    """Return what to say of a request some of whose sources the next run asks for anew; None where all of them last."""
    fleeting = [source for source in sources if source.asked_anew]
    if not fleeting:
        return None
    names = " and ".join(dict.fromkeys(f"“{source.title or source.fingerprint[:8]}”" for source in fleeting))
    return (
        f"It is made from what the next run asks for anew ({names}): where the answer differs, this is another request "
        "then, and is paid for again, with all that is made from it. Ask that with a seed, in a named batch or with "
        'reuse="always", and it is asked once.'
    )
