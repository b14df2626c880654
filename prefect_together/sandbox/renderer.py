"""Render recipes to bytes, each once, and keep the last ones in memory; knows no HTTP."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from prefect_together.sandbox import clips, inputs, pictures, signatures
from prefect_together.sandbox._media import Image
from prefect_together.sandbox.recipes import Picture, Recipe
from prefect_together.sandbox.store import Store

KEPT_BYTES = 96 * 1024 * 1024


class Renderer:
    """Renders on demand; equal recipes asked for at the same time are rendered once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._at_work: dict[Recipe, threading.Lock] = {}
        self._kept: OrderedDict[Recipe, bytes] = OrderedDict()
        self._size = 0

    def render(self, recipe: Recipe) -> bytes:
        """Return the file's bytes. Takes up to seconds of CPU: call it in a thread."""
        with self._lock:
            turn = self._at_work.setdefault(recipe, threading.Lock())
        with turn:
            with self._lock:
                kept = self._kept.get(recipe)
                if kept is not None:
                    self._kept.move_to_end(recipe)
            content = kept if kept is not None else self._draw(recipe)
            with self._lock:
                self._at_work.pop(recipe, None)
                if kept is None:
                    self._keep(recipe, content)
        return content

    def _draw(self, recipe: Recipe) -> bytes:
        if isinstance(recipe, Picture):
            picture = pictures.draw(recipe, self._open)
            self._store.drew(signatures.signature(picture), recipe.prompt)
            return pictures.encode(picture, recipe.format)
        sounds = [inputs.open_sound(name, self._store, self.render) for name in recipe.sounds]
        show = partial(self._drew, recipe.prompt)
        return clips.render(recipe, self._open, show, sounds)

    def _drew(self, prompt: str, frame: Image.Image) -> None:
        self._store.drew(signatures.signature(frame), prompt)

    def _open(self, name: str) -> Image.Image:
        return inputs.open_input(name, self._store, self.render)

    def _keep(self, recipe: Recipe, content: bytes) -> None:
        old = self._kept.pop(recipe, None)
        self._size -= len(old or b"")
        self._kept[recipe] = content
        self._size += len(content)
        while self._size > KEPT_BYTES and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])
