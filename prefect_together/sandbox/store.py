"""Remember charges, jobs, hosted files, uploads and inputs, in memory or in a folder that survives kill -9; draws nothing.

In a folder everything small goes into one append-only `journal.jsonl`, all entries of one acceptance in a single write,
and pictures that were sent in go into `inputs/`. Hosted files are not kept: they are drawn again from their recipes.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_together.sandbox import recipes, signatures
from prefect_together.sandbox.batch_jobs import BatchJob
from prefect_together.sandbox.chat.counting import Prefixes
from prefect_together.sandbox.recipes import Recipe
from prefect_together.sandbox.records import Charge, Job, Request
from prefect_together.sandbox.uploads import Incoming, Upload

KEPT_REQUESTS = 20_000


class Store:
    """Everything the sandbox knows; safe to use from any thread."""

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.RLock()
        self._folder = folder
        self._inputs: dict[str, bytes] = {}
        self.charges: list[Charge] = []
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, Recipe] = {}
        self.uploads: dict[str, Upload] = {}
        self.incoming: dict[str, Incoming] = {}
        """By the token in the address to which the bytes are sent."""
        self.batches: dict[str, BatchJob] = {}
        self.prefixes = Prefixes()
        """Beginnings of prompts in words, as servers keep them for a while."""
        self._drawn: dict[bytes, str] = {}
        self.requests: deque[Request] = deque(maxlen=KEPT_REQUESTS)
        self.counts: Counter[tuple[str, str]] = Counter()
        if folder is not None:
            (folder / "inputs").mkdir(parents=True, exist_ok=True)
            self._read(folder / "journal.jsonl")

    def accept(self, *, charge: Charge | None, job: Job | None = None, files: Mapping[str, Recipe]) -> None:
        """Remember one accepted request with everything that follows from it.

        Args:
            charge: What it costs; None for a job that is known to fail.
            job: What it started, if the answer is not the result.
            files: The recipes of what it made, by the tokens under which they are hosted.
        """
        entries: list[dict[str, Any]] = [
            {"entry": "file", "token": key, **recipes.to_json(recipe)} for key, recipe in files.items()
        ]
        if job is not None:
            entries.append({"entry": "job", **vars(job)})
        if charge is not None:
            entries.append({"entry": "charge", **charge.to_json()})
        with self._lock:
            self._write(entries)
            self.files.update(files)
            if job is not None:
                self.jobs[job.id] = job
            if charge is not None:
                self.charges.append(charge)

    def keep_upload(self, upload: Upload) -> None:
        """Remember a file of the Files API."""
        with self._lock:
            self._write([{"entry": "upload", **vars(upload)}])
            self.uploads[upload.id] = upload

    def forget_upload(self, id: str) -> None:
        """Forget a file of the Files API; its bytes stay, as others may be the same."""
        with self._lock:
            self._write([{"entry": "upload_deleted", "id": id}])
            self.uploads.pop(id, None)

    def add_batch(self, job: BatchJob) -> None:
        """Remember a new batch."""
        with self._lock:
            self._write([{"entry": "batch", **vars(job)}])
            self.batches[job.id] = job

    def keep_batch(self, job: BatchJob, *, files: Sequence[Upload] = ()) -> None:
        """Remember a batch as it is now, with the files that it wrote; one that was forgotten meanwhile stays forgotten."""
        with self._lock:
            if job.id not in self.batches:
                return
            # The files first: a job that speaks of them is never without them.
            self._write([*({"entry": "upload", **vars(one)} for one in files), {"entry": "batch", **vars(job)}])
            self.uploads.update({one.id: one for one in files})
            self.batches[job.id] = job

    def advance_batch(self, job: BatchJob) -> None:
        """Show how far a batch is; a process that starts again begins it from what `keep_batch` wrote."""
        with self._lock:
            if job.id in self.batches:
                self.batches[job.id] = job

    def keep_input(self, content: bytes) -> str:
        """Keep a picture or film that was sent in; return the name under which recipes speak of it."""
        name = hashlib.sha256(content).hexdigest()
        if self._folder is None:
            self._inputs[name] = content
        elif not (path := self._folder / "inputs" / name).exists():
            partial = path.with_name(f"{name}.{os.getpid()}-{threading.get_ident()}.partial")
            partial.write_bytes(content)
            partial.replace(path)
        return f"input:{name}"

    def input(self, name: str) -> bytes:
        """Return the bytes behind a name that `keep_input` gave."""
        key = name.removeprefix("input:")
        return self._inputs[key] if self._folder is None else (self._folder / "inputs" / key).read_bytes()

    def drew(self, looks: bytes, prompt: str) -> None:
        """Remember how a picture looks that was drawn from a prompt.

        Args:
            looks: What `signatures.signature` makes of it.
            prompt: What it shows.
        """
        with self._lock:
            if looks not in self._drawn:
                self._drawn[looks] = prompt
                self._write([{"entry": "drawn", "looks": looks.hex(), "prompt": prompt}])

    def recognise(self, looks: bytes) -> str | None:
        """Return the prompt of the picture that looks like this, or None for one that was not drawn here."""
        with self._lock:
            known = dict(self._drawn)
        return signatures.nearest(looks, known)

    def saw(self, request: Request) -> None:
        """Remember a request, from before it is answered."""
        with self._lock:
            self.requests.append(request)
            self.counts[request.method, request.path] += 1

    def count(self, path_prefix: str, method: str) -> int:
        """Count the requests to paths that begin so."""
        with self._lock:
            return sum(n for (verb, path), n in self.counts.items() if verb == method and path.startswith(path_prefix))

    def reset(self) -> None:
        """Forget everything, on disk too."""
        with self._lock:
            for memory in (
                self._inputs,
                self.charges,
                self.jobs,
                self.files,
                self.uploads,
                self.incoming,
                self.batches,
                self._drawn,
                self.prefixes,
                self.requests,
                self.counts,
            ):
                memory.clear()
            if self._folder is not None:
                (self._folder / "journal.jsonl").unlink(missing_ok=True)
                for path in (self._folder / "inputs").iterdir():
                    path.unlink()

    def _write(self, entries: list[dict[str, Any]]) -> None:
        if self._folder is None or not entries:
            return
        text = "".join(f"{json.dumps(entry, separators=(',', ':'))}\n" for entry in entries)
        with (self._folder / "journal.jsonl").open("ab", buffering=0) as journal:
            journal.write(text.encode())

    def _read(self, path: Path) -> None:
        """Read the journal; a last line that was cut short by a power failure is dropped."""
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            entry: dict[str, Any] = json.loads(line)
            kind = entry.pop("entry")
            if kind == "file":
                token = entry.pop("token")
                self.files[token] = recipes.from_json(entry)
            elif kind == "job":
                self.jobs[entry["id"]] = Job(**entry)
            elif kind == "drawn":
                self._drawn[bytes.fromhex(entry["looks"])] = entry["prompt"]
            elif kind == "upload":
                self.uploads[entry["id"]] = Upload(**entry)
            elif kind == "upload_deleted":
                self.uploads.pop(entry["id"], None)
            elif kind == "batch":
                self.batches[entry["id"]] = BatchJob(**entry)
            else:
                self.charges.append(Charge.from_json(entry))
