"""What differs between kinds of generation: which endpoint, what an acceptance holds, and which reference comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from prefect_together.engine.ingest import Kept
from prefect_together.generations import ImageRequest, Request, VideoRequest
from prefect_together.generations.results import GeneratedImage, GeneratedMedia, GeneratedVideo
from prefect_together.http.client import TogetherClient
from prefect_together.http.rate_limit import Slot
from prefect_together.http.responses import JobAnswer, read_images, read_new_job


@dataclass(frozen=True)
class Acceptance:
    """What Together took: a job to wait for, pictures to fetch, or the pictures themselves."""

    at: datetime
    job_id: str | None = None
    urls: tuple[str, ...] = ()
    inline: tuple[str, ...] = field(default=(), repr=False)
    account: str | None = None
    """Whose it is, as a short hash: a job is only known to the account that made it."""

    def entry(self) -> dict[str, Any]:
        """Return it for the ledger; pictures that came inline are not in it."""
        return {"accepted_at": self.at.isoformat(), "job_id": self.job_id, "urls": list(self.urls), "account": self.account}

    def __str__(self) -> str:
        return f"job {self.job_id}" if self.job_id else f"{len(self.urls)} hosted file(s)"

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Acceptance:
        """Read it from the ledger."""
        at = datetime.fromisoformat(entry["accepted_at"])
        return cls(at, entry["job_id"], tuple(entry["urls"]), account=entry.get("account"))


async def send(client: TogetherClient, request: Request, body: dict[str, Any], slot: Slot) -> Acceptance:
    """Send a request, once, and return what was accepted. Raises as the client does."""
    if isinstance(request, VideoRequest):
        job = await client.send_paid("/v2/videos", body, read_new_job, slot)
        return Acceptance(datetime.now(timezone.utc), job_id=job.id, account=client.account)
    answer = await client.send_paid("/v1/images/generations", body, read_images, slot)
    urls = tuple(item.url for item in answer.items if item.url)
    inline = tuple(item.b64_json for item in answer.items if item.b64_json and not item.url)
    return Acceptance(datetime.now(timezone.utc), urls=urls, inline=inline, account=client.account)


@dataclass(frozen=True)
class Bill:
    """What one request cost, in USD: as Together reported it, and by the catalogue. None is not known."""

    reported: Decimal | None = None
    estimated: Decimal | None = None

    def shared(self, files: int) -> Bill:
        """Return the part of one file where one request made several."""
        return Bill(*(amount if amount is None else amount / files for amount in (self.reported, self.estimated)))


def reference(
    request: Request,
    kept: Kept,
    *,
    fingerprint: str,
    bill: Bill,
    job_id: str | None = None,
    reported: JobAnswer | None = None,
    index: int = 0,
) -> GeneratedMedia:
    """Return the reference to a kept file: measured where the file can be measured, else as the job reported it."""
    common: dict[str, Any] = {
        "uri": kept.uri,
        "sha256": kept.sha256,
        "size": kept.size,
        "media_type": kept.media_type,
        "created_at": kept.created_at,
        "source_url": kept.source_url,
        "model": request.model,
        "width": kept.shape.width,
        "height": kept.shape.height,
        "seed": getattr(request, "seed", None),
        "cost": bill.reported,
        "estimated_cost": bill.estimated,
        "fingerprint": fingerprint,
        "request": request,
    }
    if isinstance(request, VideoRequest):
        seconds = kept.shape.seconds or (reported.seconds if reported else None)
        return GeneratedVideo(**common, job_id=job_id, seconds=seconds, fps=kept.shape.fps)
    if not isinstance(request, ImageRequest):
        raise TypeError(f"nothing is known of a {type(request).__name__}")
    return GeneratedImage(**common, index=index)
