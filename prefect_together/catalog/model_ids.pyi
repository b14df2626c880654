# Written from the catalogue by tests/catalog/test_model_ids.py: run it as a program after a change of the catalogue.
# ruff: noqa: PYI051 - a type checker sees a string; an editor completes the ids
from typing import Literal, TypeAlias

ImageModelId: TypeAlias = (
    Literal[
        "black-forest-labs/FLUX.1-kontext-max",
        "black-forest-labs/FLUX.1-kontext-pro",
        "black-forest-labs/FLUX.1.1-pro",
        "black-forest-labs/FLUX.2-dev",
        "black-forest-labs/FLUX.2-flex",
        "black-forest-labs/FLUX.2-max",
        "black-forest-labs/FLUX.2-pro",
        "ByteDance-Seed/Seedream-3.0",
        "ByteDance-Seed/Seedream-4.0",
        "ByteDance/Seedream-5.0-lite",
        "google/flash-image-2.5",
        "google/flash-image-3.1",
        "google/flash-image-3.1-lite",
        "google/gemini-3-pro-image",
        "ideogram/ideogram-3.0",
        "ideogram/ideogram-4.0",
        "openai/gpt-image-1.5",
        "openai/gpt-image-2",
        "prunaai/p-image-ideogram",
        "Qwen/Qwen-Image",
        "Qwen/Qwen-Image-2.0",
        "Qwen/Qwen-Image-2.0-Pro",
        "Rundiffusion/Juggernaut-Lightning-Flux",
        "RunDiffusion/Juggernaut-pro-flux",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "Wan-AI/Wan2.6-image",
    ]
    | str
)

VideoModelId: TypeAlias = (
    Literal[
        "alibaba/happyhorse-1.1-i2v",
        "alibaba/happyhorse-1.1-r2v",
        "alibaba/happyhorse-1.1-t2v",
        "black-forest-labs/FLUX-3",
        "ByteDance/Seedance-1.0-lite",
        "ByteDance/Seedance-1.0-pro",
        "ByteDance/Seedance-2.0",
        "ByteDance/Seedance-2.5",
        "google/veo-3.1",
        "google/veo-3.1-lite",
        "minimax/hailuo-02",
        "minimax/video-01-director",
        "MiniMaxAI/MiniMax-H3",
        "pixverse/pixverse-v5",
        "pixverse/pixverse-v5.6",
        "pixverse/pixverse-v6",
        "vidu/vidu-q1",
        "vidu/vidu-q3",
        "vidu/vidu-q3-turbo",
        "Wan-AI/wan2.7-i2v",
        "Wan-AI/wan2.7-r2v",
        "Wan-AI/wan2.7-t2v",
    ]
    | str
)

ChatModelId: TypeAlias = (
    Literal[
        "deepseek-ai/DeepSeek-V4-Flash-0731",
        "deepseek-ai/DeepSeek-V4-Pro-0813",
        "deepseek-ai/DeepSeek-V4.1-Flash",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "meta-models/Muse-Glimmer-30B",
        "MiniMaxAI/MiniMax-M3",
        "moonshotai/Kimi-K3",
        "openai/gpt-oss-120b",
        "Prism-ML/Ternary-Bonsai-27B",
        "Qwen/Qwen3.5-9B",
        "Qwen/Qwen3.6-Plus",
        "Qwen/Qwen3.7-Max",
        "Qwen/Qwen3.7-Plus",
        "Qwen/Qwen3.8-2.4T-A95B",
        "Qwen/Qwen3.8-Flash",
        "thinkingmachines/Inkling",
        "together/Tev1-4B-experimental",
        "zai-org/GLM-5.2",
        "zai-org/GLM-5.3",
        "zai-org/GLM-5.3-Flash",
    ]
    | str
)

SpeechModelId: TypeAlias = (
    Literal[
        "canopylabs/orpheus-3b-0.1-ft",
        "cartesia/sonic",
        "cartesia/sonic-2",
        "cartesia/sonic-3",
        "hexgrad/Kokoro-82M",
    ]
    | str
)

TranscriptionModelId: TypeAlias = (
    Literal[
        "nvidia/nemotron-3-asr-streaming-0.6b",
        "nvidia/nemotron-3.5-asr-streaming-0.6b",
        "nvidia/parakeet-tdt-0.6b-v3",
        "openai/whisper-large-v3",
    ]
    | str
)

AspectRatio: TypeAlias = (
    Literal[
        "16:9",
        "1:1",
        "2:3",
        "3:2",
        "3:4",
        "4:3",
        "9:16",
    ]
    | str
)
