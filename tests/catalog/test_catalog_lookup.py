"""What the catalogue answers when it is asked: models by id and by kind, what holds for them, and what loading it takes."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_together import catalog


@pytest.mark.parametrize("spelling", ["black-forest-labs/FLUX.2-pro", "BLACK-FOREST-LABS/flux.2-PRO"])
def test_lookup_ignores_case(spelling: str) -> None:
    """A model is found however its id is capitalised, and answers with its real id."""
    model = catalog.find(spelling)
    assert model is not None
    assert "black-forest-labs/FLUX.2-pro" == model.id


def test_an_unknown_model_is_not_found() -> None:
    """What is not in the catalogue is None, not an error."""
    assert catalog.find("nobody/nothing") is None


@pytest.mark.parametrize(
    ("kind", "count"), [("image", 42), ("video", 42), ("speech", 6), ("transcription", 4), ("chat", 20)]
)
def test_models_are_listed_by_kind(kind: str, count: int) -> None:
    """Filtering by kind gives only that kind."""
    assert {kind} == {model.kind for model in catalog.models(kind)}
    assert count == len(catalog.models(kind))


def test_a_further_file_is_a_further_kind(tmp_path: Path) -> None:
    """Models of a kind that no code knows are found, judged by the defaults of their file, and priced."""
    package = tmp_path / "prefect_together"
    shutil.copytree(Path(catalog.__file__).parent, package / "catalog", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    price = {"source": "pricing-2026-07", "price": {"usd": "0.5", "per": "minute", "note": ""}}
    table = {
        "kind": "music",
        "defaults": {"source": "pricing-2026-07", "prompt": "required", "listed": True},
        "models": [{"id": "nobody/tune", "provider": "Nobody", "facts": [price]}],
    }
    (package / "catalog" / "models" / "music.json").write_text(json.dumps(table), encoding="utf-8")
    program = (
        "from prefect_together import catalog\n"
        "print([model.id for model in catalog.models('music')], catalog.estimate('nobody/tune', {'seconds': 90}))\n"
        "print(*(finding.message for finding in catalog.preflight('nobody/tune', {})))\n"
    )
    # Python looks for modules in the current folder first.
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "['nobody/tune'] 0.75\nnobody/tune needs a prompt, and none was given.\n" == done.stdout, done.stderr


@pytest.mark.parametrize(
    ("model_id", "prompt", "source"),
    [
        ("black-forest-labs/FLUX.2-pro", "required", "image-parameters-2026-07"),
        ("google/veo-3.1", "required", "video-parameters-2026-07"),
        ("kwaivgI/kling-2.1-pro", "optional", "video-parameters-2026-07"),
    ],
)
def test_what_holds_for_a_kind_is_a_sourced_fact(model_id: str, prompt: str, source: str) -> None:
    """Whether a prompt is needed is stated for the whole file, with its source, and a model's own facts go before it."""
    model = catalog.find(model_id)
    assert model is not None
    assert (prompt, catalog.sources()[source].date) == (model.prompt, model.dates["prompt"])
    assert source in model.sources


def test_durations_are_expanded() -> None:
    """A range in the data is every whole second of it."""
    model = catalog.find("ByteDance/Seedance-2.0")
    assert model is not None
    assert tuple(range(4, 16)) == model.seconds


def test_sizes_of_two_sources_are_joined() -> None:
    """Where two official lists differ, a size of either is known."""
    model = catalog.find("google/gemini-3-pro-image")
    assert model is not None
    assert {"1376x768", "1344x768"} <= set(model.sizes)


def test_models_can_be_pickled() -> None:
    """A model survives the way to another process."""
    model = catalog.find("Wan-AI/wan2.7-i2v")
    assert model == pickle.loads(pickle.dumps(model))
    assert isinstance(hash(model), int)


def test_import_reads_no_data_and_nothing_heavy() -> None:
    """Importing the catalogue alone parses no file and loads neither prefect nor an HTTP client."""
    program = (
        "import sys, types, importlib.util as u\n"
        "root = u.find_spec('prefect_together')\n"
        "package = types.ModuleType('prefect_together')\n"
        "package.__path__ = root.submodule_search_locations\n"
        "sys.modules['prefect_together'] = package\n"
        "from prefect_together import catalog\n"
        "from prefect_together.catalog import loader as data\n"
        "assert data._catalogue.cache_info().currsize == 0\n"
        "assert not {'prefect', 'httpx', 'pydantic'} & set(sys.modules)\n"
        "assert {m for m in sys.modules if m.startswith('prefect_together.')} == "
        "{m for m in sys.modules if m.startswith('prefect_together.catalog')}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
