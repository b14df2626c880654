"""What the sandbox remembers: charges, jobs, requests, as plain values; stores and sends nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

QUEUED_SHARE = 0.25
"""The part of a job's time that it spends in the queue."""
KEPT_TEXT = 10_000


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """How many tokens of each price a charge is made of."""

    input: int
    """All that went in, those that were cached among them."""
    cached: int
    output: int


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One request that was accepted and, at Together, would have been paid for."""

    id: str
    """The id in the image answer, or the job's id."""
    kind: str
    """What the model makes, as the catalogue calls it: `image`, `video`."""
    model: str
    usd: Decimal | None
    """What the catalogue estimates, US dollars; None where it knows no price."""
    prompt: str
    at: dt.datetime
    """When it was accepted, UTC."""
    account: str
    """A short hash of the key."""
    tokens: Tokens | None = None
    """For what is sold in tokens."""
    batch: str | None = None
    """The batch of which it is a line."""
    custom_id: str | None = None
    """What the line of the batch is called."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; money as a string."""
        usd = None if self.usd is None else str(self.usd)
        return {
            "id": self.id, "kind": self.kind, "model": self.model, "usd": usd, "prompt": self.prompt,
            "at": self.at.isoformat(), "account": self.account,
            "tokens": None if self.tokens is None else vars(self.tokens), "batch": self.batch, "custom_id": self.custom_id,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Charge:
        """Return the charge that `to_json` wrote."""
        usd = None if data["usd"] is None else Decimal(data["usd"])
        tokens = data.get("tokens") and Tokens(**data["tokens"])
        fields: dict[str, Any] = {**data, "usd": usd, "at": dt.datetime.fromisoformat(data["at"]), "tokens": tokens}
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job; its status follows from the clock alone, so that it outlives the process."""

    id: str
    object: str
    """What it makes, as the answer calls it: `video`; its outputs hold the address of one."""
    model: str
    prompt: str
    account: str
    created: float
    """Unix seconds."""
    render_seconds: float
    details: Mapping[str, Any]
    """Fields that the endpoint adds to every answer: JSON values."""
    token: str | None
    """The hosted file, None for a job that fails."""
    usd: str | None
    failure: Mapping[str, str] | None = None
    fate: str | None = None
    """The fault that changes how the job looks, for its whole life (see `faults.Place.JOB`)."""
    fate_value: float | str | None = None

    def status(self, now: float) -> str:
        """Return `queued`, `in_progress`, `completed` or `failed`.

        Args:
            now: Seconds since 1970, as `created` is.
        """
        age = now - self.created
        if age < self.render_seconds * QUEUED_SHARE:
            return "queued"
        if age < self.render_seconds:
            return "in_progress"
        return "completed" if self.failure is None else "failed"

    def view(
        self, now: float, files_url: str, *, fate: str | None = None, value: float | str | None = None
    ) -> dict[str, Any]:
        """Return the job as a poll is answered.

        Args:
            now: Unix seconds.
            files_url: Origin of the hosted files.
            fate: A fault that changes how it looks this once, in the place of the job's own.
            value: The cost to report, for the fate `cost`.
        """
        fate, value = (fate, value) if fate else (self.fate, self.fate_value)
        status = self.status(now)
        if fate == "queued_forever":
            status = "queued"
        elif fate == "unknown_status":
            status = "transcoding"
        elif fate in ("failed", "cancelled", "completed_without_url"):
            status = fate.removesuffix("_without_url")
        done = status in ("completed", "failed", "cancelled")
        unix = fate == "unix_timestamps"
        view: dict[str, Any] = {
            "id": self.id, "object": self.object, "model": self.model, "status": status,
            "created_at": _time(self.created, unix=unix), **self.details,
        }  # fmt: skip
        if fate == "no_status":
            del view["status"]
            done = False
        if done:
            view["completed_at"] = _time(self.created + self.render_seconds, unix=unix)
            view["outputs"] = None
        if status == "failed":
            view["error"] = self.failure or {
                "message": f"The {self.object} could not be generated.",
                "code": "generationFailed",
            }
        if done and status == "completed":
            view["outputs"] = self._outputs(files_url, fate, value)
        return view

    def _outputs(self, files_url: str, fate: str | None, value: float | str | None) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        if fate == "cost":
            if value != "missing":
                outputs["cost"] = value
        elif self.usd is not None:
            # Documented as an integer, answered as a fraction of a dollar (0.28).
            outputs["cost"] = float(self.usd)
        if fate != "completed_without_url":
            outputs[f"{self.object}_url"] = f"{files_url}/shrt/{self.token}"
        return outputs


def _time(moment: float, *, unix: bool) -> str | float:
    """Return an ISO-8601 string as the docs show, or Unix seconds as the OpenAPI text has it."""
    if unix:
        return round(moment, 3)
    return dt.datetime.fromtimestamp(moment, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(kw_only=True)
class Request:
    """One request as the sandbox received it."""

    method: str
    path: str
    """Path and query."""
    origin: str
    """`api` or `files`: at which of the two servers it arrived."""
    authorization: str | None
    """The whole Authorization header."""
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: Any = None
    """The JSON body; texts of more than 10,000 characters are cut."""
    status: int | None = None
    """None while unanswered, and for ever where the connection was cut before an answer."""
    at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; a key that is not one of the sandbox's own words is cut short."""
        authorization = self.authorization
        if authorization is not None and "-key" not in authorization:
            authorization = f"{authorization[:11]}..."
        headers = {**self.headers, **({"authorization": authorization} if authorization else {})}
        return {
            "method": self.method, "path": self.path, "origin": self.origin, "authorization": authorization,
            "headers": headers, "body": self.body, "status": self.status, "at": self.at.isoformat(),
        }  # fmt: skip


def whole(text: str) -> str:
    """Return the text without halves of surrogate pairs, which JSON can carry and nothing can print."""
    return text.encode("utf-8", "replace").decode()


def shortened(value: Any) -> Any:
    """Return JSON with long texts (inline pictures) cut, so that ten thousand recorded requests fit in memory."""
    if isinstance(value, str):
        value = whole(value)
        return value if len(value) <= KEPT_TEXT else f"{value[:200]}... ({len(value)} characters)"
    if isinstance(value, list):
        return [shortened(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value
