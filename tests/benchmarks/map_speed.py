"""How fast ``generate_image.map`` is beside the same by hand and beside Prefect alone: ratios, printed; it judges nothing.

python tests/benchmarks/map_speed.py [pictures] [KB of each] [rounds]

Rivals, each in a process of its own, in turns, against one Prefect server and one fake Together, with their files in a
folder on a disk, never one in memory:

    empty        an empty sync task: what Prefect can do
    sdk          a sync task with the official SDK, a client for each call, as its documentation shows; the file written
    sdk-shared   the same with one client for all
    ours         generate_image: an empty library, a card in the UI for each picture
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from servers import disk, measured, medians, memory, prefect, together

MODEL = "black-forest-labs/FLUX.2-pro"
RIVALS = ("empty", "sdk", "sdk-shared", "ours")
WARM = 10


def tasks(rival: str, origin: str, folder: Path) -> tuple[Any, Any]:
    """Return a rival's task, and what makes its argument from a number."""
    from prefect import task

    if rival == "empty":

        @task
        def nothing(number: int) -> int:
            return number

        return nothing, int
    if rival == "ours":
        from prefect_together import ImageRequest, generate_image

        def request(number: int) -> ImageRequest:
            return ImageRequest(prompt=f"picture {number}", model=MODEL, seed=1, width=256, height=256)

        return generate_image, request

    import together

    library: Any = together
    shared = library.Together(api_key="key", base_url=f"{origin}/v1")

    @task
    def by_hand(number: int) -> str:
        client = shared if rival == "sdk-shared" else library.Together(api_key="key", base_url=f"{origin}/v1")
        answer = client.images.generate(
            model=MODEL, prompt=f"picture {number}", seed=1, width=256, height=256, response_format="url"
        )
        with urllib.request.urlopen(answer.data[0].url) as hosted:
            data = hosted.read()
        path = folder / f"{number}.jpg"
        path.write_bytes(data)
        return str(path)

    return by_hand, int


def run(rival: str, origin: str, count: int) -> dict[str, float]:
    """Map a rival's task in a flow; time it from the call to the last result."""
    with tempfile.TemporaryDirectory(dir=disk()[0]) as name:
        os.environ |= {
            "TOGETHER_BASE_URL": origin,
            "TOGETHER_API_KEY": "key",
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": name,
            "PREFECT_HOME": f"{name}/home",
        }
        from prefect import flow

        task, argument = tasks(rival, origin, Path(name))

        @flow
        def mapped(first: int, last: int) -> tuple[float, float]:
            arguments = [argument(number) for number in range(first, last)]
            began, used = time.perf_counter(), time.process_time()
            for future in task.map(arguments):
                future.result()
            return time.perf_counter() - began, time.process_time() - used

        mapped(count, count + WARM)
        before = memory()
        seconds, used = mapped(0, count)
        shown = time.perf_counter()
        if rival == "ours":
            from prefect_together._internal.event_loop import flush

            flush(600.0)
        return {
            "seconds": seconds,
            "cpu": used,
            "cards": time.perf_counter() - shown,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
        }


def main(count: int, kilobytes: int, rounds: int) -> None:
    """Let the rivals take turns, in alternating order, and print the medians."""
    found: dict[str, list[dict[str, float]]] = {rival: [] for rival in RIVALS}
    with together(kilobytes) as origin, prefect() as server:
        server.settle()
        for number in range(rounds):
            for rival in RIVALS if number % 2 == 0 else RIVALS[::-1]:
                begun = server.cpu()
                once = measured(__file__, rival, origin, count, env={"PREFECT_API_URL": server.url})
                once["settling"] = server.settle()
                once["server"] = server.cpu() - begun
                found[rival].append(once)
                print(f"  {rival:12} {count / once['seconds']:6.1f}/s", file=sys.stderr)
    middle = {rival: medians(rounds) for rival, rounds in found.items()}
    print(f"{count} pictures of {kilobytes} KB, into a folder on {disk()[1]}, median of {rounds}")
    print(f"{'':12} {'tasks/s':>8} {'CPU':>7} {'server':>7} {'memory':>7}   ours is")
    for rival, numbers in middle.items():
        print(
            f"{rival:12} {count / numbers['seconds']:8.1f} {numbers['cpu']:5.1f} s {numbers['server']:5.1f} s "
            f"{numbers['memory']:4.0f} MB {numbers['seconds'] / middle['ours']['seconds']:6.2f} times as fast"
        )
    print(f"the last card is there {middle['ours']['cards']:.1f} s after the last result")


if __name__ == "__main__":
    if "--rival" in sys.argv:
        print(json.dumps(run(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        given = [int(value) for value in sys.argv[1:]]
        main(*(given + [300, 100, 3][len(given) :]))
