"""A person decides which pictures go on: the run pauses with a form that shows them. Makes and pays nothing itself."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.flow_runs import apause_flow_run, asuspend_flow_run, pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field, create_model

from prefect_together.artifacts import thumbnails
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.media import GeneratedImage, KeptFile
from prefect_together.runtime import arun, run
from prefect_together.sheet import clipped, cost, escaped, image, name

Verdict = Literal["approve", "redo", "drop"]
"""What becomes of one picture."""
OnTimeout = Literal["fail", "keep", "drop"]
"""What happens when nobody answers in time: the run fails, all pictures go on, or none does."""
How = Literal["auto", "pause", "suspend"]
"""``pause`` keeps the process waiting, ``suspend`` ends it and a new one goes on; ``auto`` suspends where that works."""

MOST = 40
"""Pictures in one form."""
_GRACE = 600  # a run that answers itself must not be failed by the server at the same moment
_LARGEST = 12 * 1024
_SIDE = 240


@dataclass(frozen=True)
class Decision:
    """What was decided about one picture."""

    image: KeptFile
    verdict: Verdict
    note: str = ""
    """What to do differently, where it is to be made again."""


@dataclass(frozen=True)
class Review:
    """What was decided, in the order of the pictures."""

    decisions: tuple[Decision, ...]
    price: Decimal | None = None
    """USD that each approved picture leads to, where that is known."""
    timed_out: bool = False
    """Whether nobody answered, so that the policy decided."""

    @property
    def approved(self) -> list[KeptFile]:
        """The pictures that go on."""
        return [decision.image for decision in self.decisions if decision.verdict == "approve"]

    @property
    def redo(self) -> list[Decision]:
        """The decisions to make one again."""
        return [decision for decision in self.decisions if decision.verdict == "redo"]

    @property
    def dropped(self) -> list[KeptFile]:
        """The pictures that do not go on."""
        return [decision.image for decision in self.decisions if decision.verdict == "drop"]

    @property
    def saved(self) -> Decimal | None:
        """USD that dropping saved, or None where the price is not known."""
        return None if self.price is None else self.price * len(self.dropped)

    def __str__(self) -> str:
        counts = f"{len(self.approved)} approved, {len(self.redo)} to be made again, {len(self.dropped)} dropped"
        saved = "" if not self.dropped else "; what that saved is not known"
        if self.dropped and self.saved is not None:
            saved = f"; dropping saved about ${self.saved.normalize():f}"
        return f"Review: {counts}{saved}{' (nobody answered in time)' if self.timed_out else ''}."


def review_images(
    images: Sequence[KeptFile],
    *,
    price: Decimal | None = None,
    timeout: int = 3600,
    on_timeout: OnTimeout = "fail",
    how: How = "auto",
    key: str = "review",
    poll_interval: int = 2,
) -> Review:
    """Wait until somebody has said in the Prefect UI, for each picture, whether it goes on.

    In a run of a deployment the process ends meanwhile and the flow starts again from its top when it is resumed: what
    was generated before is found in the ledger, and nothing is paid for again.

    Args:
        images: What to show, 40 at most.
        price: USD that each approved picture will lead to, such as ``catalog.estimate`` of its clip: shown in the form,
            and what dropping saves.
        timeout: Seconds to wait for an answer.
        on_timeout: What happens then. A run that answers itself has to stay: ``keep`` and ``drop`` never suspend.
        how: Whether the process waits (``pause``) or ends (``suspend``, in runs of deployments only).
        key: Tells the reviews of one run apart: another round needs another one.
        poll_interval: Seconds between looks while paused.

    Raises:
        InvalidRequest: There are too many pictures, or ``suspend`` is asked for together with ``keep`` or ``drop``.
        ConfigurationError: It is called outside of a flow run.
        FlowPauseTimeout: Nobody answered, and ``on_timeout`` is ``"fail"``.
    """
    if not images:
        return Review((), price)
    plan = _Plan(images, price, timeout, on_timeout, how)
    form = run(plan.form())
    if plan.suspends:
        answer: Any = suspend_flow_run(wait_for_input=form, timeout=timeout, key=key)
    else:
        with plan.answering() as waker:
            answer = pause_flow_run(wait_for_input=form, timeout=plan.patience, poll_interval=poll_interval, key=key)
        plan.timed_out = waker.fired
    return plan.read(answer)


async def areview_images(
    images: Sequence[KeptFile],
    *,
    price: Decimal | None = None,
    timeout: int = 3600,
    on_timeout: OnTimeout = "fail",
    how: How = "auto",
    key: str = "review",
    poll_interval: int = 2,
) -> Review:
    """Wait until somebody has decided: ``review_images`` for async flows."""
    if not images:
        return Review((), price)
    plan = _Plan(images, price, timeout, on_timeout, how)
    form = await arun(plan.form())
    if plan.suspends:
        answer: Any = await asuspend_flow_run(wait_for_input=form, timeout=timeout, key=key)
    else:
        with plan.answering() as waker:
            answer = await apause_flow_run(wait_for_input=form, timeout=plan.patience, poll_interval=poll_interval, key=key)
        plan.timed_out = waker.fired
    return plan.read(answer)


class _Plan:
    """How one review is asked, and what its answer means."""

    def __init__(
        self, images: Sequence[KeptFile], price: Decimal | None, timeout: int, on_timeout: OnTimeout, how: How
    ) -> None:
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            raise ConfigurationError("review_images pauses a flow run: call it in a flow.")
        if len(images) > MOST:
            raise InvalidRequest(f"review_images shows {MOST} pictures at most, and was given {len(images)}.")
        if how == "suspend" and on_timeout != "fail":
            raise InvalidRequest(f'on_timeout={on_timeout!r} needs a process that stays: use how="pause".')
        run = context.flow_run
        # A subflow's process is its parent's, which goes on: it cannot be suspended.
        able = run.deployment_id is not None and run.parent_task_run_id is None and on_timeout == "fail"
        self.images = list(images)
        self.price = price
        self.timeout = timeout
        self.on_timeout: OnTimeout = on_timeout
        self.flow_run: UUID = run.id
        self.suspends = how == "suspend" or (how == "auto" and able)
        self.patience = timeout if on_timeout == "fail" else timeout + _GRACE
        self.timed_out = False

    async def form(self) -> type[RunInput]:
        """Return the form: a verdict and a note for each picture, below a table that shows them."""
        pictures = await thumbnails(self.images, side=_SIDE, largest=_LARGEST)
        lines = ["| picture | prompt |", "|---|---|"]
        fields: dict[str, Any] = {}
        for number, file in enumerate(self.images, 1):
            prompt = _prompt(file)
            told = f"**{escaped(name(file))}**<br>{escaped(clipped(prompt, 200))}<br>{cost(file).replace('<br>', ' · ')}"
            lines.append(f"| **{number}**<br>{image(file, pictures.get(file.sha256))} | {told} |")
            title = f"{number} · {clipped(prompt, 60)}"
            # No descriptions: the first UI gives the pictures above whatever room the fields leave.
            fields[f"picture_{number}"] = (Verdict, Field(default="approve", title=title))
            fields[f"note_{number}"] = (str, Field(default="", title=f"Note on {number}", max_length=500))
        model: type[RunInput] = create_model("ReviewOfPictures", __base__=RunInput, **fields)
        return model.with_initial_data(description="\n".join([self._words(), "", *lines]))

    def _words(self) -> str:
        count = len(self.images)
        each = "" if self.price is None else f" Each one that is approved costs about ${self.price.normalize():f} next"
        most = "" if self.price is None else f", ${(self.price * count).normalize():f} for all of them."
        what = " Approve: it goes on. Redo: it is made again, as you note. Drop: it does not go on."
        return f"**{count} picture{'s' if count > 1 else ''} to decide on.**{what}{escaped(each + most)}"

    def answering(self) -> _Waker:
        """Return what answers for a person who does not, where the policy says so."""
        verdict = {"keep": "approve", "drop": "drop"}.get(self.on_timeout)
        values = {f"picture_{number}": verdict for number in range(1, len(self.images) + 1)} if verdict else None
        return _Waker(self.flow_run, self.timeout, values)

    def read(self, answer: Any) -> Review:
        """Return what an answer means."""
        decisions = tuple(
            Decision(file, getattr(answer, f"picture_{number}"), getattr(answer, f"note_{number}").strip())
            for number, file in enumerate(self.images, 1)
        )
        review = Review(decisions, self.price, self.timed_out)
        get_run_logger().info("%s", review)
        return review


class _Waker:
    """Resumes a paused run with the policy's answer when the time is up and nobody has given another one."""

    def __init__(self, flow_run: UUID, seconds: float, values: dict[str, Any] | None) -> None:
        self.fired = False
        context = contextvars.copy_context()  # it names the server to talk to

        def fire() -> None:
            context.run(self._resume, flow_run, values)

        self._timer = threading.Timer(seconds, fire) if values else None

    def __enter__(self) -> _Waker:  # noqa: PYI034 - typing has no Self before Python 3.11
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def _resume(self, flow_run: UUID, values: dict[str, Any] | None) -> None:
        self.fired = True
        try:
            with get_client(sync_client=True) as client:
                client.resume_flow_run(flow_run, run_input=values)
        except Exception as error:  # without an answer the run fails a little later, as it does without a policy
            get_run_logger().warning("The review could not be answered by its policy: %s: %s", type(error).__name__, error)


def _prompt(file: KeptFile) -> str:
    return file.request.title() if isinstance(file, GeneratedImage) else name(file)
