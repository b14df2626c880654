"""The Files API: announced, sent at once or in parts; the same bytes are one file; what is sent comes back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import batch_line, jsonl, message, upload

FILES = "/v1/files"
LINES = jsonl([batch_line("a"), batch_line("b")])


def announcement(**fields: str) -> dict[str, Any]:
    """Return the form with which a file is announced: no part of it is a file."""
    said = {
        "purpose": "batch-api",
        "file_name": "b.jsonl",
        "file_type": "jsonl",
        "checksum": hashlib.sha256(LINES).hexdigest(),
    }
    return {"files": {name: (None, value) for name, value in {**said, **fields}.items()}}


def test_a_file_is_announced_sent_and_finished(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """302 with an address at the file host that needs no key; then the file is there with what it holds."""
    announced = client.post(FILES, follow_redirects=False, **announcement())
    assert (302, True) == (announced.status_code, announced.headers["location"].startswith(together.files_url))
    file_id = announced.headers["x-together-file-id"]
    assert 404 == client.get(f"{FILES}/{file_id}").status_code
    assert ["PENDING"] == [one["processing_status"] for one in client.get(FILES).json()["data"]]
    sent = httpx.put(announced.headers["location"], content=LINES)
    assert (200, False) == (sent.status_code, "authorization" in sent.request.headers)
    file = client.post(f"{FILES}/{file_id}/preprocess").json()
    assert {
        "id": file_id, "object": "file", "filename": "b.jsonl", "bytes": len(LINES), "purpose": "batch-api", "FileType": "jsonl",
        "Processed": True, "LineCount": 2, "processing_status": "COMPLETED", "created_at": file["created_at"],
    } == file  # fmt: skip
    assert [file] == client.get(FILES).json()["data"]
    assert file == client.get(f"{FILES}/{file_id}").json() == client.post(f"{FILES}/{file_id}/preprocess").json()
    assert LINES == client.get(f"{FILES}/{file_id}/content").content
    assert [] == together.charges()


def test_a_file_can_be_sent_in_one_form(client: httpx.Client) -> None:
    """`/v1/files/upload` takes any bytes, those that look like line ends and boundaries too."""
    content = b'\r\n--x--\r\n{"a": 1}\r\n\x00\xff\n--'
    file = upload(client, content)
    assert content == client.get(f"{FILES}/{file['id']}/content").content
    assert {"file": f"{len(content)} bytes"}.items() <= upload_record(client).items()


def upload_record(client: httpx.Client) -> dict[str, Any]:
    """Return what was written down of the last upload."""
    seen = client.get("/sandbox/requests").json()["requests"]
    body: dict[str, Any] = next(one["body"] for one in reversed(seen) if one["path"] == f"{FILES}/upload")
    return body


def test_a_file_can_be_sent_in_parts(client: httpx.Client) -> None:
    """Each part has an address and gets an ETag; other parts than those that came are refused."""
    said = {"file_name": "b.jsonl", "file_size": 6, "num_parts": 2, "purpose": "eval", "file_type": "jsonl"}
    begun = client.post(
        f"{FILES}/multipart/initiate", json={**said, "checksum": hashlib.sha256(b"abcdef").hexdigest()}
    ).json()
    tags = [
        httpx.put(part["URL"], content=piece).headers["etag"].strip('"')
        for part, piece in zip(reversed(begun["parts"]), (b"def", b"abc"), strict=True)
    ]
    parts = [{"part_number": 1, "etag": tags[1]}, {"part_number": 2, "etag": tags[0]}]
    end = {"upload_id": begun["upload_id"], "file_id": begun["file_id"], "parts": parts}
    assert 400 == client.post(f"{FILES}/multipart/complete", json={**end, "parts": parts[:1]}).status_code
    assert begun["file_id"] == client.post(f"{FILES}/multipart/complete", json=end).json()["id"]
    assert b"abcdef" == client.get(f"{FILES}/{begun['file_id']}/content").content


def test_parts_can_be_given_up(client: httpx.Client) -> None:
    """After an abort the addresses are gone, and no file is left."""
    said = {"file_name": "b.csv", "file_size": 3, "num_parts": 1, "purpose": "eval", "file_type": "csv"}
    begun = client.post(f"{FILES}/multipart/initiate", json=said).json()
    ids = {"upload_id": begun["upload_id"], "file_id": begun["file_id"]}
    assert 200 == client.post(f"{FILES}/multipart/abort", json=ids).status_code
    assert 404 == httpx.put(begun["parts"][0]["URL"], content=b"abc").status_code
    assert [] == client.get(FILES).json()["data"]


def test_the_same_bytes_are_one_file(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """409 with the id of the file that has them, in each of the three ways, until it is deleted; other accounts have their own."""
    file = upload(client, LINES)
    said = {
        "file_name": "b",
        "num_parts": 1,
        "purpose": "eval",
        "file_type": "csv",
        "checksum": hashlib.sha256(LINES).hexdigest(),
    }
    again = (
        client.post(FILES, follow_redirects=False, **announcement()),
        client.post(f"{FILES}/upload", data={"purpose": "eval"}, files={"file": ("other.jsonl", LINES)}),
        client.post(f"{FILES}/multipart/initiate", json=said),
    )
    assert [(409, {"file_id": file["id"]})] * 3 == [(answer.status_code, answer.json()) for answer in again]
    with httpx.Client(base_url=together.url, headers={"Authorization": "Bearer other"}) as other:
        assert [] == other.get(FILES).json()["data"]
        assert 404 == other.get(f"{FILES}/{file['id']}").status_code
        assert file["id"] != upload(other, LINES)["id"]
    assert {"id": file["id"], "deleted": True} == client.delete(f"{FILES}/{file['id']}").json()
    assert 404 == client.get(f"{FILES}/{file['id']}/content").status_code
    assert file["id"] != upload(client, LINES)["id"]


def test_content_can_be_read_on(client: httpx.Client) -> None:
    """A range is answered with that part, as a download that goes on asks for."""
    file = upload(client, LINES)
    rest = client.get(f"{FILES}/{file['id']}/content", headers={"Range": "bytes=10-"})
    assert (206, LINES[10:], f"bytes 10-{len(LINES) - 1}/{len(LINES)}") == (
        rest.status_code, rest.content, rest.headers["content-range"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"file_type": "txt"}, "file_type"),
        ({"file_type": "", "file_name": "picture.png"}, "file_type"),
        ({"purpose": "assistants"}, "purpose"),
        ({"file_name": ""}, "file_name"),
    ],
)
def test_what_is_no_data_is_refused(client: httpx.Client, fields: dict[str, str], says: str) -> None:
    """Only csv, jsonl and parquet, and only for what files are for."""
    refused = client.post(FILES, follow_redirects=False, **announcement(**fields))
    assert 400 == refused.status_code
    assert says in message(refused)


def test_wrong_bytes_are_refused(client: httpx.Client) -> None:
    """What was announced with another checksum, or never sent, is no file."""
    announced = client.post(FILES, follow_redirects=False, **announcement())
    finish = f"{FILES}/{announced.headers['x-together-file-id']}/preprocess"
    assert "not uploaded" in message(client.post(finish))
    httpx.put(announced.headers["location"], content=b"else")
    assert "checksum" in message(client.post(finish))


def test_a_form_must_be_one(client: httpx.Client) -> None:
    """JSON where a form belongs is refused, and a form without a file too."""
    assert "multipart/form-data" in message(client.post(FILES, json={}))
    assert "'file'" in message(client.post(f"{FILES}/upload", files={"purpose": (None, "eval")}))


@pytest.mark.parametrize(("fault", "there"), [("close_before_accepting", 0), ("accept_then_close", 1)])
def test_an_upload_can_be_cut(together: sandbox.Sandbox, client: httpx.Client, fault: str, there: int) -> None:
    """What was taken before the answer was lost is a file, and sending it again says so."""
    together.fault("POST /v1/files/upload", fault)
    with pytest.raises(httpx.RemoteProtocolError):
        upload(client, LINES)
    assert there == len(client.get(FILES).json()["data"])


def test_bytes_can_be_lost_on_the_way(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The file host has faults of its own."""
    announced = client.post(FILES, follow_redirects=False, **announcement())
    together.fault("PUT file", "503")
    assert [503, 200] == [httpx.put(announced.headers["location"], content=LINES).status_code for _ in range(2)]


def test_content_can_be_empty_short_or_gone(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """200 without a byte, half of it with or without a trace, and a 404 that passes."""
    address = f"{FILES}/{upload(client, LINES)['id']}/content"
    route = "GET /v1/files/{id}/content"
    for fault in ("empty", "truncated_silently", "404"):
        together.fault(route, fault)
    empty, half, gone = (client.get(address) for _ in range(3))
    assert (200, b"", 200, LINES[: len(LINES) // 2], 404) == (
        empty.status_code, empty.content, half.status_code, half.content, gone.status_code,
    )  # fmt: skip
    together.fault(route, "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        client.get(address)
    assert LINES == client.get(address).content


def test_files_survive_a_restart(tmp_path: Path) -> None:
    """With a folder, what was uploaded is there again, what was deleted is not."""
    headers = {"Authorization": "Bearer k"}
    with sandbox.serve(state=tmp_path) as first, httpx.Client(base_url=first.url, headers=headers) as client:
        kept, dropped = upload(client, LINES), upload(client, b"{}\n")
        client.delete(f"{FILES}/{dropped['id']}")
    with sandbox.serve(state=tmp_path) as again, httpx.Client(base_url=again.url, headers=headers) as client:
        assert [kept] == client.get(FILES).json()["data"]
        assert LINES == client.get(f"{FILES}/{kept['id']}/content").content
