"""Prefect tasks for Together AI that pay once, keep what they paid for, and show it.

The names are loaded when they are used, so that what needs no Prefect (requests, the catalogue, the sandbox, the command
line) does not pay for importing it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from prefect_together.storage import known as _known_libraries

if TYPE_CHECKING:
    from prefect_together.batch.picture_files import pictures_in
    from prefect_together.batch.plan import Plan
    from prefect_together.batch.provider_batch import ProviderBatch
    from prefect_together.batch.request_table import RequestTable, requests_from_table
    from prefect_together.batch.results import BatchFailed, BatchItem, BatchResult
    from prefect_together.batch.table_files import check_table_path
    from prefect_together.batch.table_writer import write_table
    from prefect_together.blocks.credentials import TogetherCredentials
    from prefect_together.blocks.library import MediaLibrary
    from prefect_together.catalog.model_ids import (
        AspectRatio,
        ChatModelId,
        ImageModelId,
        SpeechModelId,
        TranscriptionModelId,
        VideoModelId,
    )
    from prefect_together.cli.flow_command import run_as_command
    from prefect_together.engine.bill import Bill
    from prefect_together.engine.reconciliation import Reconciliation
    from prefect_together.generations.answers import ToolCall, Usage
    from prefect_together.generations.chat import ChatRequest
    from prefect_together.generations.completion import Completion, CompletionRequest
    from prefect_together.generations.derived import DerivedMedia
    from prefect_together.generations.embedding import EmbeddingRequest, Embeddings
    from prefect_together.generations.generated_audio import GeneratedAudio
    from prefect_together.generations.generated_text import GeneratedText, InvalidOutput, ReasoningExhausted
    from prefect_together.generations.image import GeneratedImage, ImageLora, ImageRequest
    from prefect_together.generations.kept_file import KeptFile
    from prefect_together.generations.keyframes import Keyframe
    from prefect_together.generations.messages import Message, Tool
    from prefect_together.generations.request import MediaReference
    from prefect_together.generations.rerank import Ranking, RerankRequest
    from prefect_together.generations.result_reference import ResultReference
    from prefect_together.generations.results import GenerationTimeout
    from prefect_together.generations.speech import SpeechRequest
    from prefect_together.generations.subtitle_files import read_subtitles
    from prefect_together.generations.summary import money, summary
    from prefect_together.generations.timed_text import Segment, Word, to_srt, to_vtt
    from prefect_together.generations.transcript import Transcript
    from prefect_together.generations.transcription import TranscriptionRequest
    from prefect_together.generations.translation import TranslationRequest
    from prefect_together.generations.video import GeneratedVideo, VideoJob, VideoRequest
    from prefect_together.ledger.spend_limit import SpendLimit
    from prefect_together.tasks._editing.subtitle_track import language_code
    from prefect_together.tasks._swept import Sweep
    from prefect_together.tasks.batch import agenerate_batch, aread_batch, generate_batch, read_batch
    from prefect_together.tasks.chat import agenerate_text, generate_text
    from prefect_together.tasks.completions import agenerate_completion, generate_completion
    from prefect_together.tasks.editing import (
        acontact_sheet,
        aframes,
        ajoin_videos,
        alast_frame,
        atrim,
        contact_sheet,
        frames,
        join_videos,
        last_frame,
        trim,
    )
    from prefect_together.tasks.embeddings import aembed_texts, embed_texts
    from prefect_together.tasks.galleries import (
        apublish_gallery,
        apublish_grid,
        awrite_gallery,
        publish_gallery,
        publish_grid,
        write_gallery,
    )
    from prefect_together.tasks.images import (
        aapproved_images,
        agenerate_image,
        agenerate_images,
        approved_images,
        generate_image,
        generate_images,
    )
    from prefect_together.tasks.naming import named_after
    from prefect_together.tasks.plan import aexpected, aplan, check_requests, expected, plan
    from prefect_together.tasks.provider_batches import asubmit_batch, await_for_batch, submit_batch, wait_for_batch
    from prefect_together.tasks.ranking import arerank, rerank
    from prefect_together.tasks.reconcile import areconcile, reconcile
    from prefect_together.tasks.review import areview_images, review_images
    from prefect_together.tasks.sounds import (
        Placed,
        aadd_sound,
        add_sound,
        aextract_sound,
        ajoin_sounds,
        extract_sound,
        join_sounds,
    )
    from prefect_together.tasks.speech import agenerate_speech, alist_voices, generate_speech, list_voices, voice_for
    from prefect_together.tasks.subtitles import aadd_subtitles, aburn_subtitles, add_subtitles, burn_subtitles
    from prefect_together.tasks.sweeping import asweep, sweep
    from prefect_together.tasks.transcription import atranscribe, transcribe
    from prefect_together.tasks.translation import atranslate, translate
    from prefect_together.tasks.videos import (
        agenerate_video,
        asubmit_video,
        await_for_video,
        generate_video,
        submit_video,
        wait_for_video,
    )
    from prefect_together.ui.review_form import Decision, Review

_HOMES = {
    "prefect_together.batch.picture_files": ("pictures_in",),
    "prefect_together.batch.plan": ("Plan",),
    "prefect_together.batch.provider_batch": ("ProviderBatch",),
    "prefect_together.batch.request_table": ("RequestTable", "requests_from_table"),
    "prefect_together.batch.results": ("BatchFailed", "BatchItem", "BatchResult"),
    "prefect_together.batch.table_files": ("check_table_path",),
    "prefect_together.batch.table_writer": ("write_table",),
    "prefect_together.blocks.credentials": ("TogetherCredentials",),
    "prefect_together.blocks.library": ("MediaLibrary",),
    "prefect_together.catalog.model_ids": (
        "AspectRatio", "ChatModelId", "ImageModelId", "SpeechModelId", "TranscriptionModelId", "VideoModelId",
    ),
    "prefect_together.cli.flow_command": ("run_as_command",),
    "prefect_together.engine.bill": ("Bill",),
    "prefect_together.engine.reconciliation": ("Reconciliation",),
    "prefect_together.generations.answers": ("ToolCall", "Usage"),
    "prefect_together.generations.chat": ("ChatRequest",),
    "prefect_together.generations.completion": ("Completion", "CompletionRequest"),
    "prefect_together.generations.derived": ("DerivedMedia",),
    "prefect_together.generations.embedding": ("EmbeddingRequest", "Embeddings"),
    "prefect_together.generations.generated_audio": ("GeneratedAudio",),
    "prefect_together.generations.generated_text": ("GeneratedText", "InvalidOutput", "ReasoningExhausted"),
    "prefect_together.generations.image": ("GeneratedImage", "ImageLora", "ImageRequest"),
    "prefect_together.generations.kept_file": ("KeptFile",),
    "prefect_together.generations.keyframes": ("Keyframe",),
    "prefect_together.generations.messages": ("Message", "Tool"),
    "prefect_together.generations.request": ("MediaReference",),
    "prefect_together.generations.rerank": ("Ranking", "RerankRequest"),
    "prefect_together.generations.result_reference": ("ResultReference",),
    "prefect_together.generations.results": ("GenerationTimeout",),
    "prefect_together.generations.speech": ("SpeechRequest",),
    "prefect_together.generations.subtitle_files": ("read_subtitles",),
    "prefect_together.generations.summary": ("money", "summary"),
    "prefect_together.generations.timed_text": ("Segment", "Word", "to_srt", "to_vtt"),
    "prefect_together.generations.transcript": ("Transcript",),
    "prefect_together.generations.transcription": ("TranscriptionRequest",),
    "prefect_together.generations.translation": ("TranslationRequest",),
    "prefect_together.generations.video": ("GeneratedVideo", "VideoJob", "VideoRequest"),
    "prefect_together.ledger.spend_limit": ("SpendLimit",),
    "prefect_together.tasks._editing.subtitle_track": ("language_code",),
    "prefect_together.tasks._swept": ("Sweep",),
    "prefect_together.tasks.batch": ("agenerate_batch", "aread_batch", "generate_batch", "read_batch"),
    "prefect_together.tasks.chat": ("agenerate_text", "generate_text"),
    "prefect_together.tasks.completions": ("agenerate_completion", "generate_completion"),
    "prefect_together.tasks.editing": (
        "acontact_sheet", "aframes", "ajoin_videos", "alast_frame", "atrim", "contact_sheet", "frames", "join_videos",
        "last_frame", "trim",
    ),
    "prefect_together.tasks.embeddings": ("aembed_texts", "embed_texts"),
    "prefect_together.tasks.galleries": (
        "apublish_gallery", "apublish_grid", "awrite_gallery", "publish_gallery", "publish_grid", "write_gallery",
    ),
    "prefect_together.tasks.images": (
        "aapproved_images", "agenerate_image", "agenerate_images", "approved_images", "generate_image",
        "generate_images",
    ),
    "prefect_together.tasks.naming": ("named_after",),
    "prefect_together.tasks.plan": ("aexpected", "aplan", "check_requests", "expected", "plan"),
    "prefect_together.tasks.provider_batches": ("asubmit_batch", "await_for_batch", "submit_batch", "wait_for_batch"),
    "prefect_together.tasks.ranking": ("arerank", "rerank"),
    "prefect_together.tasks.reconcile": ("areconcile", "reconcile"),
    "prefect_together.tasks.review": ("areview_images", "review_images"),
    "prefect_together.tasks.sounds": (
        "Placed", "aadd_sound", "add_sound", "aextract_sound", "ajoin_sounds", "extract_sound", "join_sounds",
    ),
    "prefect_together.tasks.speech": (
        "agenerate_speech", "alist_voices", "generate_speech", "list_voices", "voice_for",
    ),
    "prefect_together.tasks.subtitles": ("aadd_subtitles", "aburn_subtitles", "add_subtitles", "burn_subtitles"),
    "prefect_together.tasks.sweeping": ("asweep", "sweep"),
    "prefect_together.tasks.transcription": ("atranscribe", "transcribe"),
    "prefect_together.tasks.translation": ("atranslate", "translate"),
    "prefect_together.tasks.videos": (
        "agenerate_video", "asubmit_video", "await_for_video", "generate_video", "submit_video", "wait_for_video",
    ),
    "prefect_together.ui.review_form": ("Decision", "Review"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AspectRatio", "BatchFailed", "BatchItem", "BatchResult", "Bill", "ChatModelId", "ChatRequest", "Completion",
    "CompletionRequest", "Decision", "DerivedMedia", "EmbeddingRequest", "Embeddings", "GeneratedAudio",
    "GeneratedImage", "GeneratedText", "GeneratedVideo", "GenerationTimeout", "ImageLora", "ImageModelId",
    "ImageRequest", "InvalidOutput", "KeptFile", "Keyframe", "MediaLibrary", "MediaReference", "Message", "Placed",
    "Plan", "ProviderBatch", "Ranking", "ReasoningExhausted", "Reconciliation", "RequestTable", "RerankRequest",
    "ResultReference", "Review", "Segment", "SpeechModelId", "SpeechRequest", "SpendLimit", "Sweep", "TogetherCredentials",
    "Tool", "ToolCall", "Transcript", "TranscriptionModelId", "TranscriptionRequest", "TranslationRequest", "Usage",
    "VideoJob", "VideoModelId", "VideoRequest", "Word", "aadd_sound", "aadd_subtitles", "aapproved_images",
    "aburn_subtitles", "acontact_sheet", "add_sound", "add_subtitles", "aembed_texts", "aexpected", "aextract_sound",
    "aframes", "agenerate_batch", "agenerate_completion", "agenerate_image", "agenerate_images", "agenerate_speech",
    "agenerate_text", "agenerate_video", "ajoin_sounds", "ajoin_videos", "alast_frame", "alist_voices", "aplan",
    "approved_images", "apublish_gallery", "apublish_grid", "aread_batch", "areconcile", "arerank", "areview_images",
    "asubmit_batch", "asubmit_video", "asweep", "atranscribe", "atranslate", "atrim", "await_for_batch", "await_for_video",
    "awrite_gallery", "burn_subtitles", "check_requests", "check_table_path", "contact_sheet", "embed_texts",
    "expected", "extract_sound", "frames", "generate_batch", "generate_completion", "generate_image", "generate_images",
    "generate_speech", "generate_text", "generate_video", "join_sounds", "join_videos", "language_code", "last_frame",
    "list_voices", "money", "named_after", "pictures_in", "plan", "publish_gallery", "publish_grid", "read_batch",
    "read_subtitles", "reconcile", "requests_from_table", "rerank", "review_images", "run_as_command", "submit_batch",
    "submit_video", "summary", "sweep", "to_srt", "to_vtt", "transcribe", "translate", "trim", "voice_for", "wait_for_batch",
    "wait_for_video", "write_gallery", "write_table",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _open_block(block: str) -> Any:
    return importlib.import_module("prefect_together.blocks.library").open_block(block)


# Here, because whoever unpickles a reference has imported this, and perhaps nothing of blocks.
_known_libraries.load_by(_open_block)
