"""The endpoints of the API, one file each: what its request body must look like, and how it is answered.

What they have in common is in `prefect_together.sandbox.api`; no endpoint knows another. They are written from the API's
documentation, not from the client.
"""

from __future__ import annotations

from prefect_together.sandbox.api import Endpoint
from prefect_together.sandbox.endpoints import (
    batches,
    billing,
    chat,
    completions,
    embeddings,
    files,
    images,
    models,
    rerank,
    speech,
    supported_models,
    transcriptions,
    videos,
    voices,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *images.ENDPOINTS,
    *videos.ENDPOINTS,
    *chat.ENDPOINTS,
    *completions.ENDPOINTS,
    *embeddings.ENDPOINTS,
    *rerank.ENDPOINTS,
    *speech.ENDPOINTS,
    *voices.ENDPOINTS,
    *transcriptions.ENDPOINTS,
    *models.ENDPOINTS,
    *files.ENDPOINTS,
    *batches.ENDPOINTS,
    *billing.ENDPOINTS,
    *supported_models.ENDPOINTS,
)
"""Every route of the API; a new endpoint is a new file and a line here."""
