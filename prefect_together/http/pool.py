"""One client per account and process, one rate limiter for all clients of an account; on the background loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_together._internal.event_loop import runtime

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient
    from prefect_together.http.rate_limit import AdaptiveLimiter


@dataclass
class _Pool:
    clients: dict[tuple[Any, ...], TogetherClient] = field(default_factory=dict[tuple[Any, ...], "TogetherClient"])
    limiters: dict[tuple[Any, ...], AdaptiveLimiter] = field(default_factory=dict[tuple[Any, ...], "AdaptiveLimiter"])

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()


def shared_client(api_key: str, base_url: str, *, timeout: float, max_connections: int) -> TogetherClient:
    """Return the client of an account, the same one for everybody in this process. Call it on the background loop.

    Args:
        api_key: Of the account.
        base_url: Where the API is.
        timeout: Seconds to wait for an answer.
        max_connections: Paid requests in flight at once.
    """
    from prefect_together.http.client import TogetherClient  # slow to import, and not every process sends
    from prefect_together.http.rate_limit import AdaptiveLimiter

    running = runtime()
    pool: _Pool | None = running.shared.get("http")
    if pool is None:
        pool = running.shared["http"] = _Pool()
        running.on_close.append(pool.close)
    key = (api_key, base_url, timeout, max_connections)
    if key not in pool.clients:
        # Whatever its timeout, every client of an account stands in one queue.
        limiter = pool.limiters.setdefault((api_key, base_url, max_connections), AdaptiveLimiter(max_connections))
        pool.clients[key] = TogetherClient(
            api_key, base_url, timeout=timeout, max_connections=max_connections, limiter=limiter
        )
    return pool.clients[key]
