"""Which generation type something is of is asked in ``generations`` alone; everything else asks the spec, or the value itself.

The sandbox judges the client from outside, and so has words of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import prefect_together
from prefect_together.generations.registry import specs

PACKAGE = Path(prefect_together.__file__).parent
OWN = ("generations", "sandbox")
KINDS = frozenset(spec.kind for spec in specs())
CLASSES = frozenset(
    cls.__name__ for spec in specs() for cls in (spec.request, spec.result, *([spec.job.job] if spec.job else []))
)
MODULES = [
    pytest.param(path, id=path.relative_to(PACKAGE).as_posix())
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in OWN
]


class Distinctions:
    """Finds where a module tells generation types apart.

    Args:
        source: The module's text.
    """

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        renamed = {
            alias.asname
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.name in CLASSES and alias.asname
        }
        self._classes = CLASSES | renamed

    def found(self) -> list[str]:
        """Return each as it stands there, with its line."""
        return [f"{node.lineno}: {ast.unparse(node)}" for node in ast.walk(self._tree) if self._tells(node)]  # type: ignore[attr-defined]

    def _tells(self, node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                return self._names_a_class(classes)
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith" | "removeprefix"), args=[prefix, *_]):
                return any(word.partition("/")[0] in KINDS for word in _words(prefix))
            case ast.Compare():
                sides = [node.left, *node.comparators]
                return any(self._names_a_class(side) or not KINDS.isdisjoint(_words(side)) for side in sides)
            case ast.MatchClass(cls=cls):
                return self._names_a_class(cls)
            case ast.MatchValue(value=value):
                return not KINDS.isdisjoint(_words(value))
            case ast.Dict(keys=keys):
                named = [key for key in keys if key is not None]
                return any(self._names_a_class(key) or not KINDS.isdisjoint(_words(key)) for key in named)
            case _:
                return False

    def _names_a_class(self, node: ast.AST) -> bool:
        """Tell whether a class of a type is named: itself, in a tuple or union, or as a name of its module."""
        names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        return not self._classes.isdisjoint(
            names | {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
        )


def _words(node: ast.AST) -> Iterator[str]:
    """Yield the strings that an expression is, or has in a tuple, list or set."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


@pytest.mark.parametrize("path", MODULES)
def test_nothing_but_the_types_themselves_tells_types_apart(path: Path) -> None:
    """No module asks for a request's or result's class, compares a kind or a family of files, or has a table by kind."""
    assert [] == Distinctions(path.read_text(encoding="utf-8")).found()


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(result, GeneratedImage)",
        "isinstance(result, (str, video.GeneratedVideo))",
        "isinstance(result, GeneratedImage | GeneratedVideo)",
        "issubclass(request, ImageRequest)",
        "isinstance(job, VideoJob)",
        "from prefect_together.generations.image import ImageRequest as Asked\nisinstance(request, Asked)",
        "type(request) is VideoRequest",
        "request.kind == 'image'",
        "'video' != kind",
        "kind in ('image', 'video')",
        "kind not in {'image'}",
        "media_type.startswith('video/')",
        "media_type.startswith(('audio/', 'image/'))",
        "match kind:\n    case 'image': pass",
        "match kind:\n    case 'speech' | 'video': pass",
        "match request:\n    case ImageRequest(): pass",
        "match request:\n    case image.ImageRequest(n=1): pass",
        "nouns = {'image': 'picture'}",
        "nouns = {**others, 'video': 'clip'}",
        "makers = {ImageRequest: make}",
    ],
)
def test_every_way_to_tell_types_apart_is_seen(line: str) -> None:
    """The test above would fail over each of these."""
    assert Distinctions(line).found()


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(result, (KeptFile, Generated, GeneratedMedia))",
        "spec.kind == request.kind",
        "file.is_moving",
        "found['kind'] = 'image'",
        "def task(request: ImageRequest) -> GeneratedImage: return run(request, SPEC)",
    ],
)
def test_what_holds_for_every_type_is_let_be(line: str) -> None:
    """Common classes, a spec that is asked, and annotations are no distinctions."""
    assert [] == Distinctions(line).found()
