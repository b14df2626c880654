"""What a generation may do: whose result it may take, what it may risk, how often it asks. Decides nothing itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Reuse = Literal["auto", "always", "run", "never"]
"""Whose result may be taken: ``auto`` is ``always`` for requests with a seed, else ``run``."""

OnUnknown = Literal["auto", "fail", "resubmit"]
"""What to do when a paid request was sent and nobody knows the outcome."""

Preflight = Literal["error", "warn", "off"]
"""What a documented rule that a request breaks leads to."""

ProvenanceChoice = Literal["none", "sidecar", "embed"]
"""How files say what made them: not at all, in a JSON file beside them, or in XMP inside them, which changes their bytes."""


@dataclass(frozen=True)
class Pace:
    """Seconds between polls: they grow from the first to the longest."""

    first: float = 2.0
    longest: float = 15.0

    def pauses(self) -> Iterator[float]:
        """Yield pauses without end, jittered so that many waiters do not ask together."""
        pause = self.first
        while True:
            yield pause * random.uniform(0.85, 1.15)  # noqa: S311 - not a secret
            pause = min(self.longest, pause * 1.3)


@dataclass(frozen=True)
class Policy:
    """What a generation is allowed to do, as the settings say."""

    resubmit_below: Decimal = Decimal("0.10")
    """USD: the most that one accident may cost under ``on_unknown="auto"``."""
    resubmit_per_process: Decimal = Decimal("1.00")
    """USD: the most that all accidents of one process that died may cost together under ``on_unknown="auto"``."""
    max_download_bytes: int = 4 * 1024**3
    """The largest file that is taken."""
    min_download_rate: float = 1000.0
    """Bytes per second at which a file has to come; slower counts as cut off. 0 for any rate."""
    preflight: Preflight = "error"
    """What a documented rule that a request breaks leads to."""
    provenance: ProvenanceChoice = "none"
    """How files say what made them."""
    pace: Pace = field(default_factory=Pace)
    """How often a job is asked for."""
    speech_characters: int = 500
    """Characters of a text above which it is spoken sentence by sentence."""
    batch_pace: Pace = field(default_factory=lambda: Pace(30.0, 60.0))
    """How often a provider's batch is asked for."""
