"""Where Prefect's UI shows something. Asks no server, so what it is told may be gone."""

from __future__ import annotations

from uuid import UUID

from prefect.settings import get_current_settings


def ui() -> str | None:
    """Return the address of Prefect's UI, or None where no API is set: then a temporary server has no UI that stays."""
    settings = get_current_settings()
    if not settings.api.url:
        return None
    return (settings.ui_url or settings.api.url.removesuffix("/").removesuffix("/api")).rstrip("/")


def of_flow_run(run: str | UUID) -> str | None:
    """Return the address of a flow run, or None where there is no UI."""
    return f"{found}/runs/flow-run/{run}" if (found := ui()) else None


def of_artifact(artifact: UUID) -> str | None:
    """Return the address of an artifact, or None where there is no UI."""
    return f"{found}/artifacts/artifact/{artifact}" if (found := ui()) else None
