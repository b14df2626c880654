"""Makes every picture, clip and sound of the documentation, on a local Together and a Prefect server of its own.

python docs/pictures.py                 all of them; needs Chromium and playwright, and takes a minute or two
python docs/pictures.py examples life   some of them: run, gallery, film, examples, life
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from life_of_a_request import drawing

from prefect_together import (
    GeneratedImage,
    ImageRequest,
    KeptFile,
    SpeechRequest,
    VideoRequest,
    add_sound,
    burn_subtitles,
    contact_sheet,
    frames,
    generate_image,
    generate_speech,
    generate_video,
    join_videos,
    sandbox,
    to_vtt,
)

DOCS = Path(__file__).parent
ROOT = DOCS.parent
EXAMPLES = DOCS / "examples"
PRO = "black-forest-labs/FLUX.2-pro"
KONTEXT = "black-forest-labs/FLUX.1-kontext-pro"
PATIENCE = 180


def main() -> None:
    """Make what is named on the command line, or everything."""
    wanted = sys.argv[1:] or list(MADE)
    for name in wanted:
        MADE[name]()
        print(f"made: {name}", flush=True)


def life() -> None:
    """Draw the life of a request; its colours are read on light and dark ground."""
    (DOCS / "life-of-a-request.svg").write_text(drawing(), encoding="utf-8")


def examples() -> None:
    """Make the pictures, clips and sounds of the examples' page."""
    EXAMPLES.mkdir(exist_ok=True)
    with _own_library(), sandbox.serve(render_seconds=0.2) as together:
        os.environ |= {"TOGETHER_BASE_URL": together.url, "TOGETHER_API_KEY": together.api_key}
        fox = _picture("a red fox asleep under an old oak", width=768, height=448)
        harbour = generate_image(ImageRequest(prompt="a harbour at dusk", model=KONTEXT, aspect_ratio="16:9", seed=1))
        edit = ImageRequest(prompt="the same at dawn", model=KONTEXT, aspect_ratio="16:9", image_url=harbour, seed=1)
        _small(fox, "picture")
        _small(harbour, "before")
        _small(generate_image(edit), "after")
        _small(contact_sheet([_picture(f"a teapot, {how}") for how in ("ink", "watercolour", "oil", "pencil")]), "sheet")
        clips = [_clip(fox, "slow push in, leaves moving"), _clip(harbour, "the night passes")]
        _short(clips[0], "clip")
        _short(join_videos(clips), "film")
        text = "The fox sleeps under the oak. The wood is still."
        line = SpeechRequest(input=text, model="hexgrad/Kokoro-82M", voice="bf_emma", alignment="word")
        voice = generate_speech(line)
        spoken = SpeechRequest(input=text, model="hexgrad/Kokoro-82M", voice="bf_emma", response_format="mp3")
        shutil.copyfile(generate_speech(spoken).path(), EXAMPLES / "speech.mp3")
        (EXAMPLES / "speech.vtt").write_text(to_vtt(voice.words), encoding="utf-8")
        told = add_sound(clips[0], voice)
        _short(burn_subtitles(told, voice.words), "subtitles", frame=0.25)


def _picture(prompt: str, width: int = 512, height: int = 512) -> GeneratedImage:
    return generate_image(ImageRequest(prompt=prompt, model=PRO, width=width, height=height, seed=7))


def _clip(still: GeneratedImage, motion: str) -> KeptFile:
    return generate_video(VideoRequest(prompt=motion, model="minimax/hailuo-02", frame_images=[still], seconds=6, seed=7))


def _small(file: KeptFile, name: str, side: int = 640) -> None:
    """Write a picture as WebP of some ten kilobytes."""
    from PIL import Image

    with Image.open(file.path()) as picture:
        picture.thumbnail((side, side))
        picture.convert("RGB").save(EXAMPLES / f"{name}.webp", quality=80, method=6)


def _short(file: KeptFile, name: str, *, frame: float = 0.5) -> None:
    """Write a clip small enough for a page, with its sound, and the picture that it begins with."""
    import av
    from PIL import Image

    with av.open(file.path()) as source, av.open(EXAMPLES / f"{name}.mp4", "w", options={"movflags": "+faststart"}) as made:
        pictures, sound = source.streams.video[0], next(iter(source.streams.audio), None)
        out: Any = made.add_stream("libx264", rate=12, options={"crf": "31", "preset": "slow"})
        out.width, out.height, out.pix_fmt = 480, 2 * round(240 * pictures.height / pictures.width), "yuv420p"
        spoken: Any = made.add_stream("aac", rate=44_100, options={"b": "48k"}) if sound else None
        resampler = av.AudioResampler("fltp", "mono", 44_100)
        if spoken:
            spoken.layout = "mono"
        shown = -1
        for decoded in source.decode(*filter(None, (pictures, sound))):
            if isinstance(decoded, av.AudioFrame):
                for part in resampler.resample(decoded):
                    made.mux(spoken.encode(part))
            elif int(decoded.time * 12) > shown:
                shown = int(decoded.time * 12)
                small = decoded.reformat(out.width, out.height, "yuv420p")
                small.pts, small.time_base = shown, out.time_base or small.time_base
                small.pts = None
                made.mux(out.encode(small))
        for stream in filter(None, (out, spoken)):
            made.mux(stream.encode(None))
    poster = frames(file, at=frame * (getattr(file, "seconds", None) or 1.0))[0]
    with Image.open(poster.path()) as picture:
        picture.thumbnail((480, 480))
        picture.convert("RGB").save(EXAMPLES / f"{name}.webp", quality=75, method=6)


def run() -> None:
    """Take a picture of a run in the Prefect UI."""
    with _prefect() as server, _browser() as page:
        server.command("flows/image_to_video.py", "--sandbox")
        found = server.ask("flow_runs/filter", {"limit": 1, "flows": {"name": {"any_": ["image-to-video"]}}})[0]
        page.set_viewport_size({"width": 1400, "height": 1118})
        page.goto(f"{server.url}/v2/runs/flow-run/{found['id']}?tab=Artifacts")
        page.get_by_text("Artifacts", exact=True).last.click()
        page.wait_for_function("[...document.images].filter(i => i.naturalWidth == 480).length == 2")
        page.wait_for_timeout(2000)  # the graph draws itself
        page.screenshot(path=DOCS / "run.png")
    _fewer_colours(DOCS / "run.png")


def gallery() -> None:
    """Take a picture of a library's page."""
    with _prefect() as server, _browser() as page:
        server.command("flows/storyboard.py", "--sandbox", "--review", "false", "--video-model", "sandbox/tiny")
        server.command("flows/compare_models.py", "--sandbox")
        server.command("-m", "prefect_together.cli", "gallery", "--title", "Films of November")
        page.set_viewport_size({"width": 1120, "height": 800})
        page.goto((server.library / "gallery.html").as_uri())
        page.wait_for_timeout(1500)
        page.screenshot(path=DOCS / "gallery.png")
    _fewer_colours(DOCS / "gallery.png")


def film() -> None:
    """Put two pictures of a narrated film above what its library's page shows of its recordings."""
    from PIL import Image

    with _prefect() as server, _browser() as page:
        brief = ("--brief", "how a lighthouse keeper spends a stormy night")
        server.command("flows/narrated_film.py", "--sandbox", "--review", "false", *brief)
        server.command("-m", "prefect_together.cli", "gallery")
        films = sorted(server.library.rglob("*.mp4"), key=lambda path: path.stat().st_mtime)
        page.set_viewport_size({"width": 1120, "height": 520})
        page.goto((server.library / "gallery.html").as_uri())
        page.select_option("#kind", "recording")
        page.wait_for_timeout(1500)
        page.screenshot(path=server.home / "page.png", clip={"x": 0, "y": 152, "width": 1120, "height": 358})
        with _own_library(), Image.open(server.home / "page.png") as below:
            whole = Image.new("RGB", (1120, 312 + 8 + below.height), "#f6f5f2")
            for place, picture in enumerate(frames(films[-1], count=2)):
                with Image.open(picture.path()) as shown:
                    whole.paste(shown.convert("RGB").resize((555, 312)), (565 * place, 0))
            whole.paste(below.convert("RGB"), (0, 320))
            whole.save(DOCS / "narrated-film.png")
    _fewer_colours(DOCS / "narrated-film.png")


def _fewer_colours(path: Path) -> None:
    """Write a picture with 256 colours: half as many bytes, and nobody sees it."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


class Server:
    """A Prefect server with a home and a library of its own."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home, self.library = url, home, home / "library"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": f"{url}/api",
            "PREFECT_UI_API_URL": f"{url}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_INTEGRATIONS_TOGETHER_LIBRARY": str(self.library),
            "PYTHONPATH": str(ROOT),
        }

    def command(self, *words: str) -> None:
        """Run a Python command against the server, to its end."""
        subprocess.run([sys.executable, *words], cwd=ROOT, env=self.environment, check=True, capture_output=True)

    def ask(self, path: str, body: object) -> Any:
        """Ask its API."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def answers(self) -> bool:
        """Tell whether it is there."""
        try:
            urllib.request.urlopen(f"{self.url}/api/health", timeout=2).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _prefect() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        server = Server(f"http://127.0.0.1:{port}", Path(home))
        environment = {name: value for name, value in server.environment.items() if name != "PREFECT_API_URL"}
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                ends = time.monotonic() + PATIENCE
                while not server.answers():
                    if time.monotonic() > ends:
                        raise SystemExit("The Prefect server does not start.")
                    time.sleep(0.5)
                yield server
            finally:
                process.terminate()


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_page(color_scheme="light")
        browser.close()


@contextlib.contextmanager
def _own_library() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFECT_INTEGRATIONS_TOGETHER_LIBRARY"] = folder
        yield


MADE: dict[str, Callable[[], None]] = {"life": life, "examples": examples, "run": run, "gallery": gallery, "film": film}

if __name__ == "__main__":
    main()
