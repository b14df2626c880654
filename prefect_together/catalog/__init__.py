"""What is known about Together's image, video and audio models, dated and sourced; it never asks the server.

`find`, `models` and `sources` look things up, `estimate` prices a request, `preflight` says what speaks against one.
A model that is not here is not wrong: it has no findings, and its price is None.
"""

from __future__ import annotations

from .data import as_of, find, models, sources
from .finding import Finding
from .findings import preflight
from .model import Model, Price, Source
from .prices import estimate

__all__ = ["Finding", "Model", "Price", "Source", "as_of", "estimate", "find", "models", "preflight", "sources"]
