"""Runs tests in fresh environments: other Pythons, or another Prefect than pip would take. No test itself.

python tests/environments.py                                                       every supported Python that is found
python tests/environments.py 3.10 /opt/python3.14/bin/python
python tests/environments.py "3.11 prefect==3.8.8 fastapi<0.140 sqlalchemy<2.1"     with requirements of its own
python tests/environments.py "3.11 oldest"                                          the oldest dependencies that are allowed
python tests/environments.py 3.13 --tests "tests/unit -x -n 0"
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
TESTS = "tests/unit tests/promises tests/packaging -n 3"
OLDEST = "oldest"
SHOWN = ("prefect", "fastapi", "sqlalchemy", "pydantic")


def main(arguments: list[str] | None = None) -> int:
    """Set up one environment after the other, run the tests in each, and print what came out; 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", nargs="*", help="a Python, by version or path, and what pip is to install with it")
    parser.add_argument("--tests", default=TESTS, help=f"what pytest is given (default: {TESTS})")
    given = parser.parse_args(arguments)
    environments = given.environments or [version for version in SUPPORTED if next(interpreters(version), None)]
    figures = {environment: tried(environment, shlex.split(given.tests)) for environment in environments}
    print(*(f"\n{environment}\n    {said}" for environment, (_, said) in figures.items()), sep="")
    return int(any(code for code, _ in figures.values()))


def tried(environment: str, tests: list[str]) -> tuple[int, str]:
    """Return the exit code of the tests in an environment that is made for them and removed, and the figures in words."""
    python, *requirements = environment.split()
    found = next(interpreters(python), None)
    if found is None:
        return 1, f"there is no Python {python} here"
    with tempfile.TemporaryDirectory(prefix="prefect-together-environment-") as folder:
        room = Path(folder)
        print(f"\n== {environment}", flush=True)
        try:
            ours = made(found, room / "venv", requirements)
        except subprocess.CalledProcessError as error:
            return 1, f"it could not be set up: {shlex.join(error.cmd)} ended with {error.returncode}"
        versions = f"import importlib.metadata as m; print(*(f'{{n}} {{m.version(n)}}' for n in {SHOWN}), sep=', ')"
        shown = subprocess.run([ours, "-c", versions], capture_output=True, text=True, check=True).stdout.strip()
        code, last = echoed([str(ours), "-m", "pytest", *tests])
        return code, f"{shown}: {last}"


def made(python: str, venv: Path, requirements: list[str]) -> Path:
    """Make a virtual environment with the project, its extras and its development tools; return its interpreter."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ours = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(ours), "-m", "pip", "install", "--quiet"]
    # Of what the package needs the oldest, and of what that needs the newest: only uv can do that. It comes last, as some of the
    # tools ask for newer ones than they need.
    lowest = ["--upgrade", "--resolution", "lowest-direct", "--group", "frames"]
    uv = [str(ours), "-m", "uv", "pip", "install", "--quiet", "--python", str(ours), *lowest]
    oldest = OLDEST in requirements
    package = ["--editable", ".[media,tables]", *(one for one in requirements if one != OLDEST)]
    for command in (
        [python, "-m", "venv", str(venv)],
        [*pip, "--upgrade", "pip>=25.1", *(["uv"] if oldest else [])],  # the first pip that knows dependency groups
        [*pip, "--group", "dev", *package],
        *([[*uv, *package]] if oldest else []),
    ):
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return ours


def interpreters(python: str) -> Iterator[str]:
    """Yield what runs as the Python that is meant: a path, a command, or one of pyenv's."""
    candidates = [shutil.which(python), shutil.which(f"python{python}")]
    if shutil.which("pyenv"):
        root = Path(subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip())
        found = [path for path in sorted((root / "versions").iterdir()) if path.name.startswith(f"{python}.")]
        candidates += [str(path / "bin" / "python") for path in found]
    for candidate in filter(None, candidates):
        # A shim of pyenv's is there for each version that is installed, and runs only the selected ones.
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            yield candidate


def echoed(command: list[str]) -> tuple[int, str]:
    """Run a command in the project's folder and show what it says; return its exit code and its last line."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    last = ""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line.strip("= \n") or last
    return process.returncode, last


if __name__ == "__main__":
    sys.exit(main())
