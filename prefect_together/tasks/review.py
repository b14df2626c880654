"""A person decides which pictures go on: the run pauses with a form that shows them. Makes and pays nothing itself."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect.artifacts import MarkdownArtifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext
from prefect.flow_runs import apause_flow_run, asuspend_flow_run, pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field, create_model

from prefect_together._internal.event_loop import arun, run
from prefect_together._internal.prefect_compat import answer_of_pause
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.validation import items_of
from prefect_together.ui import markdown
from prefect_together.ui.addresses import of_artifact
from prefect_together.ui.artifacts import publish, thumbnails, wanted
from prefect_together.ui.review_form import Answer, Contradiction, Review, decided, larger, question, table
from prefect_together.ui.text import escaped

OnTimeout = Literal["fail", "keep", "drop"]
"""What happens when nobody answers in time: the run fails, all pictures go on, or none does."""
How = Literal["auto", "pause", "suspend"]
"""``pause`` keeps the process waiting, ``suspend`` ends it and a new one goes on; ``auto`` suspends where that works."""

MOST = 40
"""Pictures in one form."""
_GRACE = 600  # a run that answers itself must not be failed by the server at the same moment
_LARGEST = 12 * 1024
_SIDE = 400
_LARGER = 120 * 1024
_LARGER_SIDE = 1024


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

    The form shows the pictures with numbers and asks which to drop, which to make again, and how. An answer that
    contradicts itself is asked for again, with the reason above the form.

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
    images = items_of("review_images", images, (KeptFile,), "pictures that were generated")
    if not images:
        return Review((), price)
    plan = _Plan(images, price, timeout, on_timeout, how, key)
    while plan.review is None:
        form = run(plan.form())
        if plan.suspends:
            plan.read(suspend_flow_run(wait_for_input=form, timeout=timeout, key=plan.key))
        else:
            with plan.policy():
                given = pause_flow_run(form, timeout=plan.patience, poll_interval=poll_interval, key=plan.key)
            plan.read(given)
    return plan.review


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
    images = items_of("areview_images", images, (KeptFile,), "pictures that were generated")
    if not images:
        return Review((), price)
    plan = _Plan(images, price, timeout, on_timeout, how, key)
    while plan.review is None:
        form = await arun(plan.form())
        if plan.suspends:
            plan.read(await asuspend_flow_run(wait_for_input=form, timeout=timeout, key=plan.key))
        else:
            with plan.policy():
                given = await apause_flow_run(form, timeout=plan.patience, poll_interval=poll_interval, key=plan.key)
            answer: Any = given or await answer_of_pause(form, plan.key)
            plan.read(answer)
    return plan.review


class _Plan:
    """How one review is asked, and what its answer means."""

    def __init__(
        self, images: Sequence[KeptFile], price: Decimal | None, timeout: int, on_timeout: OnTimeout, how: How, key: str
    ) -> None:
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            raise ConfigurationError("review_images pauses a flow run: call it in a flow.")
        if len(images) > MOST:
            raise InvalidRequest(f"review_images shows {MOST} pictures at most, and was given {len(images)}.")
        if how == "suspend" and on_timeout != "fail":
            raise InvalidRequest(f'on_timeout={on_timeout!r} needs a process that stays: use how="pause".')
        flow_run = context.flow_run
        # A subflow's process is its parent's, which goes on: it cannot be suspended.
        able = flow_run.deployment_id is not None and flow_run.parent_task_run_id is None and on_timeout == "fail"
        self.suspends = how == "suspend" or (how == "auto" and able)
        self.patience = timeout if on_timeout == "fail" else timeout + _GRACE
        self.key = key
        self.review: Review | None = None
        self._images = list(images)
        self._numbers = list(range(1, len(images) + 1))
        self._price = price
        self._timeout = timeout
        self._on_timeout: OnTimeout = on_timeout
        self._flow_run = flow_run.id
        self._waker: _Waker | None = None
        self._first = key
        self._asked = 0
        self._answer: Answer | None = None
        self._problem = ""
        self._larger_at: str | None = None

    async def form(self) -> type[RunInput]:
        """Return the form: few fields, because the first UI gives the pictures whatever room the fields leave."""
        pictures = await thumbnails(self._images, side=_SIDE, largest=_LARGEST)
        numbers = Annotated[int, Field(json_schema_extra={"enum": [*self._numbers]})]
        drop, redo, notes = (self._answer.drop, self._answer.redo, self._answer.notes) if self._answer else ([], [], "")
        asks = 'Notes for redo: "3: closer" is for 3 only'
        # Earlier words stand in the schema only: a field that is emptied is not sent, and is not to mean them again.
        again: list[dict[str, Any]] = [{"default": words} for words in (drop, redo, notes)]
        fields: dict[str, Any] = {
            "drop": (list[numbers], Field(default=[], title="Drop: these do not go on", json_schema_extra=again[0])),
            "redo": (list[numbers], Field(default=[], title="Redo: these are made again", json_schema_extra=again[1])),
            "notes": (str, Field(default="", title=asks, max_length=4000, json_schema_extra=again[2])),
        }
        model: type[RunInput] = create_model("ReviewOfPictures", __base__=RunInput, **fields)
        wrong = f"**Please correct this: {escaped(self._problem)}**\n\n" if self._problem else ""
        words = question(len(self._images), self._price, await self._larger())
        return model.with_initial_data(description=f"{wrong}{words}\n\n{table(self._images, pictures)}")

    async def _larger(self) -> str | None:
        """Show the pictures larger than a dialog has room for, among the run's artifacts, and return where."""
        if not wanted():
            return None
        if self._larger_at is None:
            largest = min(_LARGER, markdown.ROOM * 3 // 4 // len(self._images))  # base64 makes four bytes of three
            pictures = await thumbnails(self._images, side=_LARGER_SIDE, largest=largest)
            about = f"{len(self._images)} to decide on"
            shown = await publish(MarkdownArtifact(key="review", markdown=larger(self._images, pictures), description=about))
            self._larger_at = of_artifact(shown) if shown else None
        return self._larger_at

    def read(self, answer: Any) -> None:
        """Take an answer; one that contradicts itself is asked for again."""
        timed_out = self._waker is not None and self._waker.fired
        try:
            self.review = Review(decided(self._images, answer), self._price, timed_out)
        except Contradiction as error:
            get_run_logger().warning("The review is asked for again: %s", error)
            self._answer, self._problem, self._asked = answer, str(error), self._asked + 1
            # After a suspension the flow starts from its top and comes by again: it finds the first key answered, and
            # goes on to the next.
            self.key = f"{self._first}-again-{self._asked}"
        else:
            get_run_logger().info("%s", self.review)

    def policy(self) -> _Waker:
        """Return what answers for a person who does not, where the policy says so."""
        answers: dict[str, dict[str, list[int]]] = {"keep": {"drop": []}, "drop": {"drop": self._numbers}}
        self._waker = _Waker(self._flow_run, self._timeout, answers.get(self._on_timeout))
        return self._waker


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
        self.fired = True  # before it is resumed: the flow may go on before the server's answer is here
        try:
            with get_client(sync_client=True) as client:
                result = client.resume_flow_run(flow_run, run_input=values)
            self.fired = result.status == SetStateStatus.ACCEPT  # else a person was quicker
        except Exception as error:  # without an answer the run fails a little later, as it does without a policy
            get_run_logger().warning("The review could not be answered by its policy: %s: %s", type(error).__name__, error)
