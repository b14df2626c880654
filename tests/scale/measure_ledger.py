"""Runs the commands that look after a library on one that ``make_library.py`` made, and prints what each took; judges nothing.

python tests/scale/measure_ledger.py FOLDER

Put the folder on an ordinary disk: one in memory flatters what opens many files. No key is needed, and nothing is sent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

COMMANDS = (
    "ledger --state unknown",
    "ledger --limit 5",
    "ledger --since 2026-12-30 --limit 1000",
    "trace 00",
    "gallery",
    "gallery",
    "reconcile",
    "pack",
    "ledger --state unknown",
    "ledger --limit 5",
)


def main(folder: str) -> None:
    """Print a line for each command: seconds, of which at work, the most memory, and the last line that it said."""
    with tempfile.TemporaryDirectory() as home:
        nowhere = {"TOGETHER_API_KEY": "key", "TOGETHER_BASE_URL": "http://127.0.0.1:9", "PREFECT_HOME": home}
        print(f"{'command':40} {'seconds':>8} {'CPU':>7} {'MB':>5}")
        for command in COMMANDS:
            began = time.monotonic()
            told = [sys.executable, "-m", "prefect_together.cli", *command.split(), "--library", folder]
            process = subprocess.Popen(told, env={**os.environ, **nowhere}, stdout=subprocess.PIPE, text=True)
            said: list[str] = process.stdout.read().splitlines() if process.stdout else []
            _, _, used = os.wait4(process.pid, 0)
            seconds, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
            print(
                f"{command:40} {seconds:8.1f} {cpu:7.1f} {used.ru_maxrss // 1024:5}  {said[-1][:60] if said else ''}",
                flush=True,
            )
    objects = sum(len(files) for _, _, files in os.walk(folder))
    print(f"{objects:,} objects are left.")


if __name__ == "__main__":
    main(sys.argv[1])
