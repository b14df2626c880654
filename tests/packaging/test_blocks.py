"""The blocks are what Prefect means by blocks, and Prefect finds them by itself."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import blocks as suite

from prefect_together import MediaLibrary, TogetherCredentials

LOGO = Path(__file__).parents[2] / "docs" / "logo.png"
SLUGS = ["together-credentials", "together-media-library"]
NAMES = ["Media Library", "Together Credentials"]

REGISTERED = """
from prefect.blocks.core import Block
from prefect.plugins import load_prefect_collections
from prefect.utilities.dispatch import get_registry_for_type

found = load_prefect_collections()["prefect_together"]
assert not isinstance(found, Exception), found
print(*sorted(slug for slug in get_registry_for_type(Block) or {} if "together" in slug))
"""


class TestStandards(suite.BlockStandardTestSuite):
    """Prefect's own tests of a proper block; the logo is the one in this repository."""

    @pytest.fixture(params=[TogetherCredentials, MediaLibrary])
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        """Give the blocks one by one."""
        return request.param

    @pytest.fixture(autouse=True)
    def _local_logo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def urlopen(url: str) -> io.BytesIO:
            assert url.endswith("/main/docs/logo.png")
            return io.BytesIO(LOGO.read_bytes())

        monkeypatch.setattr(suite, "urlopen", urlopen)


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [pytest.param("", id="fresh"), pytest.param("from prefect_together import ImageRequest", id="light")]
)
def test_collection_brings_the_blocks(first: str, tmp_path: Path) -> None:
    """Loading Prefect's collections registers the blocks, also after something light of ours has been imported alone."""
    assert SLUGS == python("-c", f"{first}\n{REGISTERED}", home=tmp_path).split()


@pytest.mark.slow
def test_block_register(prefect_server: str, tmp_path: Path) -> None:
    """``prefect block register -m prefect_together`` tells of both blocks."""
    shown = python("-m", "prefect", "block", "register", "-m", "prefect_together", home=tmp_path, api=prefect_server)
    assert "Successfully registered 2 blocks" in shown
    assert [] == [name for name in NAMES if name not in shown]


def python(*arguments: str, home: Path, api: str | None = None) -> str:
    """Run Python in a process of its own and return what it prints."""
    env = os.environ | {"PREFECT_HOME": str(home)} | ({"PREFECT_API_URL": api} if api else {})
    run = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout
