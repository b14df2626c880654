"""How often Together refuses (429) several processes of one account, held against one process: printed; it judges nothing.

python tests/scale/rates.py [rows] [processes ...]        1 2 4 processes share a table of 2,000 rows, by default

The sandbox takes so many requests at once, or so many a second, and refuses all others, asking them to wait a second; each
picture takes a while. Processes have host names of their own where `unshare --uts` is allowed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shards import SECONDS, Lab

from prefect_together import sandbox
from prefect_together.sandbox import server

AT_ONCE = 24
A_SECOND = 12
"""What a sandbox takes that looks at requests in flight, and one that looks at the last second."""
CONCURRENCY = 32
"""What each process would send at once."""
PATH = "/v1/images/generations"
REFUSAL = {"error": {"message": "Too many requests in a short window.", "type": "dynamic_request_limited", "code": None}}
App = Callable[[Any, Any, Any], Awaitable[None]]


class Crowd:
    """Lets so many pictures in and refuses the others, before the sandbox sees them."""

    def __init__(self) -> None:
        self.limit = "at once"
        self.refused = self.taken = 0
        self._in_flight = 0
        self._last: deque[float] = deque()

    def reset(self, limit: str) -> None:
        """Count from nothing, by one of the two limits."""
        self.limit, self.refused, self.taken = limit, 0, 0

    def around(self, app: App) -> App:
        """Return an application that refuses what is too much."""

        async def crowded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"] != PATH:
                await app(scope, receive, send)
            elif self._full():
                self.refused += 1
                await _refuse(receive, send)
            else:
                self.taken += 1
                self._in_flight += 1
                self._last.append(time.monotonic())
                try:
                    await app(scope, receive, send)
                finally:
                    self._in_flight -= 1

        return crowded

    def _full(self) -> bool:
        while self._last and self._last[0] < time.monotonic() - 1.0:
            self._last.popleft()
        return self._in_flight >= AT_ONCE if self.limit == "at once" else len(self._last) >= A_SECOND


async def _refuse(receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"x-ratelimit-reset", b"1")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(REFUSAL).encode()})


def measure(rows: int, processes: list[int]) -> None:
    """Print what became of so many rows with so many processes, by each limit."""
    crowd, build = Crowd(), server.build

    def crowded(*given: Any, **more: Any) -> Any:
        return crowd.around(build(*given, **more))

    server.build = crowded
    print(f"{rows:,} pictures of {SECONDS:g} s")
    print(
        f"{'limit':>14} {'processes':>9} {'429s':>6} {'of one':>7} {'429s/row':>8} {'rows/s':>7} {'of one':>7} {'charges':>8}"
    )
    with sandbox.serve(image_seconds=SECONDS) as together:
        for limit, most in (("at once", AT_ONCE), ("a second", A_SECOND)):
            one: tuple[float, float] | None = None
            for count in processes:
                together.reset()
                crowd.reset(limit)
                with tempfile.TemporaryDirectory() as folder:
                    lab = Lab(Path(folder), rows, together.url, concurrency=CONCURRENCY)
                    for process in [lab.start("library") for _ in range(count)]:
                        process.communicate()
                taken = [charge.at for charge in together.charges()]
                rate = len(taken) / ((max(taken) - min(taken)).total_seconds() + SECONDS)
                one = one or (max(1, crowd.refused), rate)
                print(
                    f"{most:>4} {limit:>9} {count:>9} {crowd.refused:>6,} {crowd.refused / one[0]:>7.2f} "
                    f"{crowd.refused / len(taken):>8.3f} {rate:>7.1f} {rate / one[1]:>7.2f} {len(taken):>8,}",
                    flush=True,
                )
    server.build = build


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int)
    rows, *processes = parser.parse_args().numbers or [2000]
    measure(rows, processes or [1, 2, 4])


if __name__ == "__main__":
    main()
