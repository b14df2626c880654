"""Settings of this package: ``PREFECT_INTEGRATIONS_TOGETHER_*`` or a Prefect profile. Read, never set."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from typing import Annotated, ClassVar

from prefect.settings import get_current_settings
from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from prefect_together.generations.policy import Pace, Policy, Preflight, ProvenanceChoice
from prefect_together.ledger.heartbeats import LEAST_PATIENCE, PATIENCE, patience_from


class TogetherSettings(PrefectBaseSettings):
    """How generations are paid for and kept, where the caller does not say."""

    model_config: ClassVar[SettingsConfigDict] = build_settings_config(("integrations", "together"))

    library: str | None = Field(
        default=None,
        description="Where media are kept: a folder, file://, s3://, gs:// or az://; by default a folder in Prefect's home.",
    )
    resubmit_below: Annotated[Decimal, Field(ge=0)] = Field(
        default=Decimal("0.10"), description='USD: the most that one accident may cost under on_unknown="auto".'
    )
    resubmit_per_process: Annotated[Decimal, Field(ge=0)] = Field(
        default=Decimal("1.00"),
        description="USD: the most that is sent again, together, of what a killed process had in flight, under "
        'on_unknown="auto"; the rest waits for a decision.',
    )
    preflight: Preflight = Field(
        default="error", description="What a broken documented rule of a model leads to: error, warn or off."
    )
    max_download_bytes: Annotated[int, Field(ge=1)] = Field(
        default=4 * 1024**3, description="The largest file that is fetched, in bytes."
    )
    min_download_rate: Annotated[float, Field(ge=0)] = Field(
        default=1000.0,
        description="Bytes per second at which a file has to come, over 20 s: what is slower counts as cut off and is "
        "fetched again. 0 for any rate.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        default=64, description="Paid requests in flight at once, per account and process."
    )
    lease_patience: Annotated[float, Field(ge=LEAST_PATIENCE, le=3600)] = Field(
        default=PATIENCE,
        description="Seconds without a renewal, of which there is one every 10 s, after which other machines take a process "
        "for dead, 30 to 3600; longer for pods that are moved or throttled. Each process says its own with what it claims.",
    )
    worst_case: Annotated[Decimal, Field(ge=0)] = Field(
        default=Decimal("5.00"), description="USD that a request of unknown price counts as against max_cost and limits."
    )
    batch_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="Seconds between looks at a provider's batch; they grow to twice as many."
    )
    speech_characters: Annotated[int, Field(ge=50)] = Field(
        default=500,
        description="Characters of a text above which it is spoken sentence by sentence: models lose the end of long texts.",
    )
    daily_alert: Annotated[Decimal, Field(ge=0)] | None = Field(
        default=None,
        description="USD: when the spending of a day (UTC) passes it in a library, one event is emitted, for automations.",
    )
    bill_alert: Annotated[Decimal, Field(ge=0)] | None = Field(
        default=None,
        description="USD: when reconcile(bill=True) finds that bill and ledger differ by more, an event is emitted, "
        "for automations.",
    )
    provenance: ProvenanceChoice = Field(
        default="none",
        description="How files say what made them, beside the ledger: none, sidecar (a JSON file beside each) or embed (XMP "
        "inside PNG, JPEG and MP4, which changes their bytes and no pixel).",
    )
    artifacts: bool = Field(default=True, description="Whether every kept file gets an artifact in the Prefect UI.")
    assets: bool = Field(
        default=True, description="Whether kept files and written tables are assets in Prefect's events, for its lineage."
    )
    media_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")] | None = Field(
        default=None,
        description='Where "prefect-together serve" answers, such as http://127.0.0.1:8585: what the Prefect UI shows then '
        "links to the files there.",
    )
    trace_prompts: bool = Field(default=False, description="Whether events and trace spans carry the prompt.")

    def policy(self) -> Policy:
        """Return what is allowed, for those who know nothing of settings."""
        return Policy(
            resubmit_below=self.resubmit_below,
            resubmit_per_process=self.resubmit_per_process,
            max_download_bytes=self.max_download_bytes,
            min_download_rate=self.min_download_rate,
            preflight=self.preflight,
            provenance=self.provenance,
            speech_characters=self.speech_characters,
            batch_pace=Pace(self.batch_poll_seconds, 2 * self.batch_poll_seconds),
        )

    def library_url(self) -> str:
        """Return where media are kept when nobody says."""
        return self.library or str(get_current_settings().home / "together" / "library")


_FRESH = 2.0  # seconds for which what stands in files (.env, prefect.toml, profiles) is taken for what is there
_VARIABLES = (
    "PREFECT_PROFILE",
    "PREFECT_PROFILES_PATH",
    *(f"PREFECT_INTEGRATIONS_TOGETHER_{name.upper()}" for name in TogetherSettings.model_fields),
)
_last: tuple[tuple[str | None, ...], float, TogetherSettings] | None = None


def current_settings() -> TogetherSettings:
    """Return the settings as they are: a change of the environment counts at once, one of a file after two seconds.

    Reading them takes milliseconds, and each generation asks several times.
    """
    global _last
    variables, now, last = tuple(map(os.environ.get, _VARIABLES)), time.monotonic(), _last
    if last is None or last[0] != variables or now - last[1] > _FRESH:
        last = _last = (variables, now, TogetherSettings())
    return last[2]


patience_from(lambda: current_settings().lease_patience)
