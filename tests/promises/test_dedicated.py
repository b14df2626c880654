"""Completions, embeddings and rankings by models on endpoints of one's own: paid once, kept, and read again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_together import (
    BatchResult,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    Ranking,
    RerankRequest,
    aembed_texts,
    agenerate_completion,
    arerank,
    embed_texts,
    generate_completion,
    generate_image,
    rerank,
    write_gallery,
)
from prefect_together.errors import BadRequest, InvalidRequest, MediaError, ServerError, TogetherError
from prefect_together.generations import embedding
from prefect_together.generations import rerank as ranks
from prefect_together.generations.numpy_files import npy_header, read_npy
from prefect_together.sandbox import Sandbox, serve

from .asking import picture, run_batch

MODEL = "my-team/words-1a2b3c4d"
EMBED = "/v1/embeddings"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a local Together with a model on an endpoint of one's own."""
    with serve(render_seconds=0, dedicated=[MODEL]) as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", running.api_key)
        yield running


def texts(*given: str, **fields: Any) -> EmbeddingRequest:
    """Ask for vectors."""
    return EmbeddingRequest(input=given or ("a fox in the snow", "a harbour at dusk"), model=MODEL, **fields)


ASKED: dict[str, Any] = {
    "completion": CompletionRequest(prompt="Once upon a time", model=MODEL, max_tokens=20, seed=7),
    "embedding": texts(),
    "rerank": RerankRequest(query="a fox", documents=["a harbour", "a fox in the snow"], model=MODEL),
}
TASKS: dict[str, tuple[Any, Any]] = {
    "completion": (generate_completion, agenerate_completion),
    "embedding": (embed_texts, aembed_texts),
    "rerank": (rerank, arerank),
}


@pytest.mark.parametrize("kind", ASKED)
def test_what_is_asked_twice_is_asked_once(kind: str, own: Sandbox) -> None:
    """Two runs, one of them async, are one POST; what it cost is not known, for the endpoint's time is what is paid for."""
    task, twin = TASKS[kind]

    @flow
    def first() -> Any:
        return task(ASKED[kind])

    @flow
    async def second() -> Any:
        return await twin(ASKED[kind])

    made, again = first(), asyncio.run(second())
    assert (False, True) == (made.reused, again.reused)
    assert made == again.model_copy(update={"reused": False})
    assert (None, None) == (made.cost, made.estimated_cost)
    assert 1 == len(own.charges())


def test_a_completion_goes_on_with_the_text(own: Sandbox) -> None:
    """Text, usage and the reason for its end; with `n` all ways to go on."""
    made = generate_completion(ASKED["completion"].model_copy(update={"n": 2}))
    assert isinstance(made, Completion)
    assert made.text
    assert 2 == len(made.choices)
    assert made.finish_reason in {"stop", "eos", "length"}
    assert made.usage is not None
    assert made.usage.output_tokens > 0


@pytest.mark.parametrize("count", [1, 63, 64, 1000])
def test_vectors_are_what_numpy_reads(count: int, own: Sandbox) -> None:
    """A row of 32-bit floats for each text, in order, in a file that `numpy.load` and `vectors()` read alike."""
    made = embed_texts(texts(*(f"text {number}" for number in range(count))))
    rows = made.vectors()
    assert (count, made.dimensions) == (made.count, len(rows[0]))
    assert math.isclose(1, sum(number * number for number in rows[0]), rel_tol=1e-3)
    assert "application/x-npy" == made.media_type
    numpy: Any = pytest.importorskip("numpy", reason="needs numpy")
    read = numpy.load(made.path())
    assert ((count, made.dimensions), "float32") == (read.shape, str(read.dtype))
    assert [list(row) for row in rows] == read.tolist()
    assert rows[count - 1] == embed_texts(texts(f"text {count - 1}")).vectors()[0]


def test_many_texts_are_few_requests_and_one_file(own: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for each limit, all vectors in one file and in the texts' order, and a second run that pays nothing."""
    monkeypatch.setattr(embedding, "LIMIT", 4)
    words = [f"text {number}" for number in range(10)]
    made = embed_texts(texts(*words))
    assert [3, 10] == [own.count(EMBED), made.count]
    assert [embed_texts(texts(word)).vectors()[0] for word in (words[0], words[9])] == [made.vectors()[0], made.vectors()[9]]
    assert made.request == texts(*words)
    sent = own.count(EMBED)
    again = embed_texts(texts(*words))
    assert again.reused
    assert (made.uri, made.vectors(), sent) == (again.uri, again.vectors(), own.count(EMBED))


def test_the_limit_is_that_of_a_request(own: Sandbox) -> None:
    """2,048 texts are one POST and one more is two, in a batch too; what a batch had made is there for a task."""
    assert 2048 == embed_texts(texts(*map(str, range(2048)))).count
    assert 1 == own.count(EMBED)
    many = texts(*(f"n {number}" for number in range(2049)))
    (item,) = run_batch([many], fail_on="never").items
    assert "kept" == item.outcome
    assert 3 == own.count(EMBED)
    made = embed_texts(many)
    assert (2049, True) == (made.count, made.reused)
    assert 3 == own.count(EMBED)


def test_a_part_that_fails_is_asked_for_again_alone(own: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three requests one is refused: two are kept, and the next run sends one."""
    monkeypatch.setattr(embedding, "LIMIT", 2)
    asked = texts("a", "b", "c", "d", "e")
    own.fault(f"POST {EMBED}", "400")
    with pytest.raises(BadRequest):
        embed_texts(asked)
    assert 3 == own.count(EMBED)
    assert 5 == embed_texts(asked).count
    assert [4, 3] == [own.count(EMBED), len(own.charges())]


def test_documents_are_ranked(own: Sandbox) -> None:
    """The best first, with its score; objects come back as they were given."""
    documents: list[Any] = ["a harbour", "a fox in the snow", {"text": "a fox", "id": 7}]
    made = rerank(RerankRequest(query="a fox", documents=documents, model=MODEL))
    assert isinstance(made, Ranking)
    assert 2 == made.order[0]
    assert {"text": "a fox", "id": 7} == made.documents[0]
    assert sorted(made.scores, reverse=True) == list(made.scores)
    assert 3 == len(made.text.splitlines())
    assert 1 == len(rerank(RerankRequest(query="a fox", documents=documents, model=MODEL, top_n=1)).results)


@pytest.mark.parametrize("name", ["results", "choices"])
def test_both_spellings_of_a_ranking_are_read(name: str) -> None:
    """The specification calls the list `results`, the documentation shows `choices`; whichever comes first, the best is first."""
    places = [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 1, "document": {"text": "b"}}]
    found: Any = ranks.SPEC.parse({name: places, "id": "r1"})
    assert [1, 0] == [one["index"] for one in found.content["results"]]
    assert "r1" == found.content["request_id"]


@pytest.mark.parametrize(
    ("task", "asked", "answer", "said"),
    [
        (embed_texts, texts("a", "b"), {"data": [{"index": 0, "embedding": [1.0]}]}, "answered 1 vectors to 2 texts"),
        (rerank, ASKED["rerank"], {"results": [{"index": 1, "relevance_score": 1.0}]}, "ranked 1 of 2 documents"),
        (
            rerank,
            ASKED["rerank"],
            {"results": [{"index": 0, "relevance_score": 1.0}, {"index": 7, "relevance_score": 1.0}]},
            "ranked 1 of 2 documents",
        ),
    ],
)
def test_an_answer_that_leaves_something_out_is_an_error(
    task: Any, asked: Any, answer: Any, said: str, own: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid for and is kept; it says so, and the next run says the same without asking again."""
    spec = embedding.SPEC if isinstance(asked, EmbeddingRequest) else ranks.SPEC
    read = spec.parse

    def instead(_: Any) -> Any:
        return read(answer)

    object.__setattr__(spec, "parse", instead)
    try:
        for _ in range(2):
            with pytest.raises(ServerError, match=said) as raised:
                task(asked)
            assert "yes" == raised.value.paid
        assert 1 == len(own.charges())
    finally:
        object.__setattr__(spec, "parse", read)


@pytest.mark.parametrize("model", [LLAMA, "my-team/other-1a2b3c4d"], ids=["catalogue", "unknown"])
@pytest.mark.parametrize("kind", ASKED)
def test_a_model_that_nobody_serves_is_told_how_to_be_served(kind: str, model: str, own: Sandbox) -> None:
    """One of the catalogue, or one that nobody knows: Together serves none of these to all, so an endpoint has to be started."""
    with pytest.raises(BadRequest, match=r"Together serves no model for .* to all: start a dedicated endpoint") as raised:
        TASKS[kind][0](ASKED[kind].model_copy(update={"model": model}))
    assert "nothing" == raised.value.paid
    assert [] == own.charges()


def test_a_picture_s_model_is_told_so_as_well(own: Sandbox) -> None:
    """Rules of the catalogue for what a model draws say nothing about texts."""
    with pytest.raises(TogetherError, match=r"Together serves no model for embeddings to all"):
        embed_texts(texts().model_copy(update={"model": "black-forest-labs/FLUX.2-pro"}))


@pytest.mark.parametrize("kind", ASKED)
def test_a_request_needs_a_model(kind: str) -> None:
    """There is no default, since Together serves none."""
    fields = {name: value for name, value in ASKED[kind].model_dump(exclude_unset=True).items() if name != "model"}
    with pytest.raises(InvalidRequest, match="model"):
        type(ASKED[kind])(**fields)


def test_a_batch_makes_them_all(own: Sandbox, tmp_path: Path) -> None:
    """One batch of the three types: each is kept, and its table has the columns of each."""
    result: BatchResult = run_batch(list(ASKED.values()))
    assert 3 == result.kept
    for kind, columns in {
        "completion": {"text", "finish_reason"},
        "embedding": {"uri", "count"},
        "rerank": {"order", "scores"},
    }.items():
        table = run_batch([ASKED[kind]]).to_table()
        assert columns <= set(table.columns), kind
    assert 3 == len(own.charges())


def test_the_gallery_shows_them(own: Sandbox) -> None:
    """Vectors are a tile without a picture, and stop no page."""
    made = embed_texts(texts())
    rerank(ASKED["rerank"])
    page = Path(str(write_gallery()).removeprefix("file://")).read_text(encoding="utf-8")
    assert made.sha256[:16] in page
    assert "set of vectors" in page


def test_a_file_that_was_changed_is_not_read(own: Sandbox) -> None:
    """Half a file is said to be other than what was kept, and no vectors come of it."""
    made = embed_texts(texts())
    path = made.path()
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(MediaError, match="is not what was kept"):
        made.vectors()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x93NUMPY\x01\x00", npy_header(1, 2), npy_header(1, 2) + b"\0" * 12, npy_header(1, 2).replace(b"<f4", b"<f8")],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    """Cut off, too long, of other numbers: a ValueError, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        read_npy(data)


def test_vectors_are_no_picture(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A file of vectors where a picture is wanted is refused by what it is, before anything is sent."""
    file = tmp_path / "vectors.npy"
    file.write_bytes(npy_header(1, 1) + b"\0\0\0\0")
    with pytest.raises(InvalidRequest, match="application/x-npy"):
        generate_image(picture(image_url=str(file)))
    assert [] == together_sandbox.requests()


def test_a_reference_is_small(own: Sandbox) -> None:
    """What Prefect keeps of a result has the texts and no vectors."""
    made = embed_texts(texts())
    assert isinstance(made, Embeddings)
    assert len(made.model_dump_json()) < 2000
