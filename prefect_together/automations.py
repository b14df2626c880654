"""Ready automations on what happens to generations: a deployment runs, or somebody is told. Creates none by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.automations import Automation
from prefect.events.actions import RunDeployment, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

from prefect_together.errors import ConfigurationError
from prefect_together.events import PREFIX

What = Literal["accepted", "kept", "reused", "failed", "unknown"]


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
    actions: list[RunDeployment | SendNotification] = []
    if run_deployment is not None:
        chosen_one = {"source": "selected", "deployment_id": run_deployment, "parameters": parameters}
        actions.append(RunDeployment.model_validate(chosen_one))
    chosen = what or ("failed", "unknown")
    if notify is not None:
        subject = "Together: a generation is {{ event.event.split('.')[-1] }}"
        body = "{{ event.payload.model }}: {{ event.payload.error }} (paid: {{ event.payload.paid }})"
        actions.append(SendNotification(block_document_id=notify, subject=subject, body=body))
    if not actions:
        raise ConfigurationError("This automation does nothing: name a deployment to run or a block to notify with.")
    trigger = EventTrigger(
        expect={PREFIX + one for one in chosen},
        match={"prefect-together.model": model} if model else {"prefect.resource.id": "prefect-together.generation.*"},  # type: ignore[arg-type]
        posture=Posture.Reactive,
        threshold=at_least,
        within=within,
    )
    shown = " or ".join(chosen)
    return Automation(name=name or f"Together: a generation is {shown}", trigger=trigger, actions=list(actions))
