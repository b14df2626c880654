"""An agent of pydantic-ai, on Together and durable by Prefect, beside the tasks here: in one flow, of one account."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow
from pydantic import BaseModel

from prefect_together import GeneratedImage, ImageRequest, agenerate_image, generate_image
from prefect_together.sandbox import Sandbox

WHY = 'needs pydantic-ai: pip install "pydantic-ai-slim[openai,prefect]>=2.68"'
MODEL = "zai-org/GLM-5.3-Flash"


class Scene(BaseModel):
    """What is to be drawn."""

    prompt: str
    mood: str


def test_an_agent_plans_what_a_task_draws(prefect_server: str, together_sandbox: Sandbox) -> None:
    """The agent calls its tool and answers by its schema; what it answers is drawn, once."""
    ai: Any = pytest.importorskip("pydantic_ai", reason=WHY)
    durable: Any = pytest.importorskip("pydantic_ai.durable_exec.prefect", reason=WHY)
    openai: Any = pytest.importorskip("openai", reason=WHY)
    models: Any = pytest.importorskip("pydantic_ai.models.openai", reason=WHY)
    together: Any = pytest.importorskip("pydantic_ai.providers.together", reason=WHY)
    looked_up: list[str] = []

    @flow
    async def picture(idea: str) -> tuple[Scene, GeneratedImage]:
        async with openai.AsyncOpenAI(base_url=f"{together_sandbox.url}/v1", api_key=together_sandbox.api_key) as client:
            director: Any = ai.Agent(
                models.OpenAIChatModel(MODEL, provider=together.TogetherProvider(openai_client=client)),
                name="director",
                output_type=Scene,
                instructions="You plan pictures for a children's book.",
                capabilities=[durable.PrefectDurability()],
            )

            @director.tool_plain
            def colour_of(animal: str) -> str:
                """Return the colour of an animal."""
                looked_up.append(animal)
                return "red"

            scene: Scene = (await director.run(idea)).output
        asked = ImageRequest(prompt=scene.prompt, model="black-forest-labs/FLUX.2-pro", width=64, height=64, seed=7)
        return scene, await agenerate_image(asked)

    scene, drawn = asyncio.run(picture("a fox in the snow"))
    assert scene.prompt == drawn.request.prompt
    assert 1 == len(looked_up)
    assert drawn.verify()
    assert generate_image(drawn.request).reused
    assert ["chat", "chat", "image"] == [charge.kind for charge in together_sandbox.charges()]
