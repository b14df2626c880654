"""What tells generation types apart is in `generations/` alone: the rest of the package asks the spec."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import prefect_together
from prefect_together.generations.registry import specs

PACKAGE = Path(prefect_together.__file__).parent
OWN = {"generations", "sandbox"}
"""Where types may be told apart: their own files, and the local Together, which is independent on purpose."""

KINDS = {spec.kind for spec in specs()}
CLASSES = {
    *(spec.request.__name__ for spec in specs()),
    *(spec.result.__name__ for spec in specs()),
    *(spec.job.job.__name__ for spec in specs() if spec.job),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in OWN)


def findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find where types are told apart: by class, by name, by media type, or in a table."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}:
            if names := CLASSES & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}:
                yield node.lineno, f"{node.func.id} of {names}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            if named := {f"{kind}/" for kind in KINDS} & {one.value for one in node.args if isinstance(one, ast.Constant)}:
                yield node.lineno, f"startswith {named}"
        elif isinstance(node, ast.Compare):
            if named := KINDS & {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}:
                yield node.lineno, f"a comparison with {named}"
        elif isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant) and node.value.value in KINDS:
            yield node.lineno, f"a case of {node.value.value!r}"
        elif isinstance(node, ast.Dict):
            named = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if named and named <= KINDS:  # units of prices are called image and video too, beside megapixel and second
                yield node.lineno, f"a table of {named}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_types_are_told_apart_in_their_own_files_only(path: Path) -> None:
    """A new type must not be a case somewhere else, where it would be forgotten."""
    assert [] == list(findings(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(request, ImageRequest)",
        "isinstance(job, (str, VideoJob))",
        "kind == 'video'",
        "kind in {'image', 'other'}",
        "media_type.startswith('video/')",
        "{'image': 1, 'video': 2}",
        "match kind:\n    case 'image':\n        pass",
    ],
)
def test_the_search_finds_what_it_is_for(code: str) -> None:
    """Each way to tell types apart is found."""
    assert 1 == len(list(findings(ast.parse(code))))
