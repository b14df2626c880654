"""Ready automations on generations and what they cost: a deployment runs, or somebody is told. Creates none by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import DeploymentSort
from prefect.events.actions import ChangeFlowRunState, RunDeployment, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.settings import get_current_settings

from prefect_together._internal.restarts import LOST, SWEEP, TAG
from prefect_together.errors import ConfigurationError
from prefect_together.ui.events import DIFFERS, EXCEEDED, PREFIX

What = Literal["accepted", "kept", "reused", "failed", "unknown"]

SLOWEST_BEAT = 180
"""Seconds between heartbeats where no setting says otherwise."""
_RUN = "prefect.flow-run."
_SIGNS_OF_LIFE = (
    "heartbeat", "Completed", "Failed", "Crashed", "Cancelled", "Cancelling", "Paused", "Suspended", "Scheduled", "Resuming",
    "AwaitingRetry", "Late", "Pending", "TimedOut",
)  # fmt: skip
"""After which nobody has to hear of a run, or hears of it soon."""


def when_generation(
    *what: What,
    run_deployment: UUID | None = None,
    notify: UUID | None = None,
    parameters: dict[str, Any] | None = None,
    model: str | None = None,
    at_least: int = 1,
    within: timedelta = timedelta(0),
    name: str | None = None,
) -> Automation:
    """Return an automation that acts when generations fail, are kept, or whatever is named; ``.create()`` puts it in place.

    Example:
        ```python
        from prefect.blocks.notifications import SlackWebhook
        from prefect_together.automations import when_generation

        def tell_the_team():
            block = SlackWebhook.load("films")
            when_generation("failed", "unknown", notify=block._block_document_id, name="A film failed").create()
        ```

    Args:
        what: Which happenings, as in ``prefect-together.generation.failed``; none means ``failed`` and ``unknown``.
        run_deployment: Id of a deployment to run.
        notify: Id of a notification block to send with.
        parameters: What the deployment is given, by default what it defaults to; templates such as
            ``{{ event.payload.model }}`` work.
        model: Only generations by this model.
        at_least: How many there have to be.
        within: In what time they have to be.
        name: The automation's name.

    Raises:
        ConfigurationError: There is nothing to do: neither a deployment nor a block is named.
    """
    chosen = what or ("failed", "unknown")
    subject = "Together: a generation is {{ event.event.split('.')[-1] }}"
    body = "{{ event.payload.model }}: {{ event.payload.error }} (paid: {{ event.payload.paid or 'not known' }})"
    trigger = EventTrigger(
        expect={PREFIX + one for one in chosen},
        match={"prefect-together.model": model} if model else {"prefect.resource.id": "prefect-together.generation.*"},  # type: ignore[arg-type]
        posture=Posture.Reactive,
        threshold=at_least,
        within=within,
    )
    shown = " or ".join(chosen)
    actions = _actions(run_deployment, parameters, notify, subject, body)
    return Automation(name=name or f"Together: a generation is {shown}", trigger=trigger, actions=actions)


def when_spent(
    *,
    run_deployment: UUID | None = None,
    notify: UUID | None = None,
    parameters: dict[str, Any] | None = None,
    name: str | None = None,
) -> Automation:
    """Return an automation that acts when a day's spending passes ``DAILY_ALERT``; ``.create()`` puts it in place.

    It acts once a day (UTC), library and limit, however many processes spend. The setting
    ``PREFECT_INTEGRATIONS_TOGETHER_DAILY_ALERT`` belongs where the flows run: it is they who add up. Requests that are
    neither reported nor listed with a cost are counted, and in no sum.

    Args:
        run_deployment: Id of a deployment to run.
        notify: Id of a notification block to send with.
        parameters: What the deployment is given, by default what it defaults to; templates such as
            ``{{ event.payload.spent }}`` work: there are day, limit, spent, reported, estimated and unknown.
        name: The automation's name.

    Raises:
        ConfigurationError: There is nothing to do: neither a deployment nor a block is named.
    """
    subject = f"Together: more than {_dollars('limit')} spent on {{{{ event.payload.day }}}}"
    body = (
        f"{_dollars('reported')} reported, about {_dollars('estimated')} by list price, "
        "requests of unknown cost: {{ event.payload.unknown }}"
    )
    trigger = _each_time(EXCEEDED, "prefect-together.spending.*")
    actions = _actions(run_deployment, parameters, notify, subject, body)
    return Automation(name=name or "Together: the day's spending is over its limit", trigger=trigger, actions=actions)


def when_bill_differs(
    *,
    run_deployment: UUID | None = None,
    notify: UUID | None = None,
    parameters: dict[str, Any] | None = None,
    name: str | None = None,
) -> Automation:
    """Return an automation that acts when bill and ledger differ by over ``BILL_ALERT``; ``.create()`` puts it in place.

    It acts each time that ``reconcile(bill=True)`` finds them so, whichever of the two is higher; the setting
    ``PREFECT_INTEGRATIONS_TOGETHER_BILL_ALERT`` belongs where that runs. The bill is that of the whole organisation.

    Args:
        run_deployment: Id of a deployment to run.
        notify: Id of a notification block to send with.
        parameters: What the deployment is given, by default what it defaults to; templates such as
            ``{{ event.payload.difference }}`` work: there are month, limit, billed, reported, estimated, difference and
            unknown.
        name: The automation's name.

    Raises:
        ConfigurationError: There is nothing to do: neither a deployment nor a block is named.
    """
    subject = f"Together: the bill of {{{{ event.payload.month }}}} differs from the ledger by {_dollars('difference')}"
    body = (
        f"{_dollars('billed')} billed, {_dollars('reported')} reported, about {_dollars('estimated')} by list price, "
        "requests of unknown cost: {{ event.payload.unknown }}"
    )
    trigger = _each_time(DIFFERS, "prefect-together.bill.*")
    actions = _actions(run_deployment, parameters, notify, subject, body)
    return Automation(name=name or "Together: bill and ledger differ", trigger=trigger, actions=actions)


def when_lost(
    *,
    restart: bool = False,
    notify: UUID | None = None,
    tag: str = TAG,
    within: timedelta | None = None,
    sweep: UUID | None = None,
    name: str | None = None,
) -> Automation:
    """Return an automation that marks runs Crashed whose process died and told nobody; ``.create()`` puts it in place.

    A flow run that is at work says so now and then: Prefect's heartbeats. Where they stop and the run does not end, nobody
    is at work on it. How often they come is the setting ``PREFECT_FLOWS_HEARTBEAT_FREQUENCY`` where the flows run: 180
    seconds unless it is set, and 30 at least. A run that its worker took and never began has none: the sweep finds it.

    Example:
        ```python
        from prefect_together.automations import when_lost

        def look_after_runs():
            when_lost(restart=True).create()  # flows/sweep.py is deployed, for it is what starts them again
        ```

    Args:
        restart: Whether the deployed sweep is run at once, which starts a new run with the same parameters. Without, and
            where this automation missed something, that waits until the sweep's schedule comes by.
        notify: Id of a notification block to send with.
        tag: Only runs with this tag; those of a deployment have its tags.
        within: How long nothing was heard before a run counts as lost; by default three heartbeats.
        sweep: Id of the sweep's deployment; by default that of the flow ``sweep``.
        name: The automation's name.

    Raises:
        ConfigurationError: A living run would be taken for lost, or no sweep is deployed that could start runs again.
    """
    beat = get_current_settings().flows.heartbeat_frequency
    patience = within or 3 * timedelta(seconds=beat or SLOWEST_BEAT)
    if beat and patience < timedelta(seconds=2 * beat):
        every = f"heartbeats come every {beat} s (PREFECT_FLOWS_HEARTBEAT_FREQUENCY)"
        raise ConfigurationError(
            f"within={patience} would take living runs for lost: {every}. Give it two of them at least."
        )
    actions: list[Any] = [ChangeFlowRunState(name=None, state=StateType.CRASHED, message=LOST, force=False)]
    if restart:
        chosen = {"source": "selected", "deployment_id": sweep or _deployed_sweep()}
        actions.append(RunDeployment.model_validate(chosen))
    if notify is not None:
        subject, body = "Together: a run is lost", f"{{{{ flow_run.name }}}}: {LOST}"
        actions.append(SendNotification(block_document_id=notify, subject=subject, body=body))
    trigger = EventTrigger(
        after={_RUN + "heartbeat"},
        expect={_RUN + one for one in _SIGNS_OF_LIFE},
        match={"prefect.resource.id": "prefect.flow-run.*"},  # type: ignore[arg-type]
        match_related={"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"},  # type: ignore[arg-type]
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=patience,
    )
    # Never a state SCHEDULED beside CRASHED: actions have no order, and runs that finished were started again by it.
    return Automation(name=name or "Together: a run is lost", trigger=trigger, actions=actions)


def _deployed_sweep() -> UUID:
    """Return the deployment of the sweep, of several the newest.

    Raises:
        ConfigurationError: There is none.
    """
    with get_client(sync_client=True) as client:
        found = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[SWEEP])), sort=DeploymentSort.CREATED_DESC, limit=1
        )
    if not found:
        how = "`python flows/serve.py` serves it, `prefect deploy --name sweep` deploys it"
        raise ConfigurationError(f"Lost runs are started again by flows/sweep.py, which is not deployed: {how}.")
    return found[0].id


def _each_time(event: str, resource: str) -> EventTrigger:
    """Return a trigger that an event of some resources fires, each time."""
    return EventTrigger(
        expect={event},
        match={"prefect.resource.id": resource},  # type: ignore[arg-type]
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _dollars(name: str) -> str:
    """Return the template of an amount of the event, which has it exact, in cents."""
    return f"${{{{ '%.2f' | format(event.payload.{name} | float) }}}}"


def _actions(
    run_deployment: UUID | None, parameters: dict[str, Any] | None, notify: UUID | None, subject: str, body: str
) -> list[Any]:
    actions: list[RunDeployment | SendNotification] = []
    if run_deployment is not None:
        chosen = {"source": "selected", "deployment_id": run_deployment, "parameters": parameters}
        actions.append(RunDeployment.model_validate(chosen))
    if notify is not None:
        actions.append(SendNotification(block_document_id=notify, subject=subject, body=body))
    if not actions:
        raise ConfigurationError("This automation does nothing: name a deployment to run or a block to notify with.")
    return actions
