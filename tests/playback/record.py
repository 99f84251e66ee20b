"""Records hls.js sessions in Chromium, which the viewer model of the simulator is held to.

    python tests/playback/record.py [NAME...]

A title of 25 segments of 4 s in two variants is served: a low one that is there at once, and a high
one whose segments take as long as the scenario says. The page sets hls.js up as the player of the
origin does. What was asked for when, and when playback stood still, goes to recordings/NAME.json.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.media.synth import Clip, write_hls
from tests.tools import require_made

FOLDER = Path(__file__).parent / "recordings"
SEGMENTS, SEGMENT_SECONDS = 25, 4
LOW, HIGH = (600_000, 160, 90), (16_000_000, 320, 180)
"""At 16 Mbit/s hls.js buffers 30 s and no more, so that its pace shows."""
NULL_PACKET = bytes((0x47, 0x1F, 0xFF, 0x10)) + b"\xff" * 184


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is recorded."""

    seconds: float
    work_seconds: float
    """How long a segment of the high variant takes."""
    seeks: tuple[tuple[float, float], ...] = ()
    """When, and where to; seconds."""


SCENARIOS = {
    "fast": Scenario(seconds=30, work_seconds=0.3),
    "steady": Scenario(seconds=36, work_seconds=2.5),
    "seeking": Scenario(seconds=36, work_seconds=1.0, seeks=((8, 60), (16, 20), (24, 84))),
    "slow": Scenario(seconds=60, work_seconds=6.0),
}

PAGE = """<!doctype html><video muted autoplay playsinline></video>
<script src="/hls.js"></script><script>
const job = %s;
const video = document.querySelector("video");
const stalls = [], began = performance.now();
const now = () => (performance.now() - began) / 1000;
const Base = Hls.DefaultConfig.loader;
class Patient extends Base {
  load(context, config, callbacks) {
    super.load(context, config, { ...callbacks, onSuccess: (response, stats, loaded, xhr) => {
      const cache = xhr instanceof XMLHttpRequest ? xhr.getResponseHeader("X-Cache") : null;
      if (cache && cache !== "hit")
        stats.loading.start = Math.max(stats.loading.start, stats.loading.first - 100);
      callbacks.onSuccess(response, stats, loaded, xhr);
    } });
  }
}
const retry = { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 };
const policy = { default: { maxTimeToFirstByteMs: 60000, maxLoadTimeMs: 120000,
  timeoutRetry: retry, errorRetry: retry } };
const hls = new Hls({ fLoader: Patient, manifestLoadPolicy: policy, playlistLoadPolicy: policy,
  fragLoadPolicy: policy, cmcd: { contentId: "title", useHeaders: false } });
hls.on(Hls.Events.MANIFEST_PARSED, () => { hls.startLevel = hls.firstLevel; });
let waiting = null;
video.addEventListener("waiting", () => { waiting ??= now(); });
video.addEventListener("playing", () => {
  if (waiting !== null) stalls.push([waiting, now()]);
  waiting = null;
});
for (const [at, to] of job.seeks) setTimeout(() => { video.currentTime = to; }, at * 1000);
setTimeout(async () => {
  if (waiting !== null) stalls.push([waiting, now()]);
  const report = { stalls, position: video.currentTime };
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
}, job.seconds * 1000);
hls.loadSource("/multivariant.m3u8");
hls.attachMedia(video);
</script>"""


class Recorder:
    """Serves one session and notes what is asked for."""

    def __init__(self, scenario: Scenario, media: Path) -> None:
        self.requests: list[dict[str, Any]] = []
        self.report: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._scenario = scenario
        self._media = media
        self._began = 0.0
        self._made: set[str] = set()

    def app(self) -> web.Application:
        app = web.Application(handler_args={"handler_cancellation": True})
        app.router.add_get("/", self._page)
        app.router.add_get("/hls.js", self._library)
        app.router.add_get("/multivariant.m3u8", self._multivariant)
        app.router.add_get("/{level:low|high}/{name}", self._media_file)
        app.router.add_post("/report", self._reported)
        return app

    async def _page(self, _: web.Request) -> web.Response:
        self._began = time.monotonic()
        job = {"seconds": self._scenario.seconds, "seeks": self._scenario.seeks}
        return web.Response(text=PAGE % json.dumps(job), content_type="text/html")

    async def _library(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(require_made("origin/player/node_modules/hls.js/dist/hls.min.js"))

    async def _multivariant(self, _: web.Request) -> web.Response:
        lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for name, (bandwidth, width, height) in (("low", LOW), ("high", HIGH)):
            size = f"RESOLUTION={width}x{height}"
            codecs = 'CODECS="avc1.64000d"'
            lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},{size},{codecs}")
            lines.append(f"{name}/index.m3u8")
        return web.Response(text="\n".join(lines), content_type="application/vnd.apple.mpegurl")

    async def _media_file(self, request: web.Request) -> web.StreamResponse:
        level, name = request.match_info["level"], request.match_info["name"]
        path = self._media / level / name
        if not name.endswith((".m4s", ".ts")):
            return web.FileResponse(path)
        began = time.monotonic() - self._began
        row = {
            "at": round(began, 3),
            "level": level,
            "index": int(path.stem.lstrip("s")),
            "cmcd": request.query.get("CMCD", ""),
            "took": None,
        }
        self.requests.append(row)
        is_made = level == "low" or name in self._made
        if not is_made:
            await asyncio.sleep(self._scenario.work_seconds)
            self._made.add(name)
        row["took"] = round(time.monotonic() - self._began - began, 3)
        headers = {"X-Cache": "hit" if is_made else "miss"}
        return web.FileResponse(path, headers=headers)

    async def _reported(self, request: web.Request) -> web.Response:
        self.report.set_result(json.loads(await request.text()))
        return web.Response()


async def record(name: str, media: Path) -> None:
    """Play one session and write it down."""
    scenario = SCENARIOS[name]
    recorder = Recorder(scenario, media)
    runner = web.AppRunner(recorder.app(), handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            "chromium",
            *("--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run"),
            *("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"),
            *("--disable-background-networking", "--disable-component-update"),
            "--remote-debugging-port=0",
            f"http://127.0.0.1:{port}/",
            stderr=subprocess.DEVNULL,
        )
        try:
            report = await asyncio.wait_for(recorder.report, scenario.seconds + 60)
        finally:
            browser.terminate()
            await browser.wait()
    await runner.cleanup()
    document = {
        "work_seconds": scenario.work_seconds,
        "seconds": scenario.seconds,
        "seeks": scenario.seeks,
        "stalls": [[round(at, 3) for at in stall] for stall in report["stalls"]],
        "position": round(report["position"], 3),
        "requests": recorder.requests,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{name}: {len(recorder.requests)} requests, {len(report['stalls'])} stalls")


def _pad(path: Path, size: int) -> None:
    """Fill a segment up to the rate that its playlist states: players measure it."""
    with path.open("ab") as file:
        file.write(NULL_PACKET * ((size * 9 // 10 - path.stat().st_size) // len(NULL_PACKET)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    names = parser.parse_args().names or list(SCENARIOS)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for level, (_, width, height) in (("low", LOW), ("high", HIGH)):
            frames = SEGMENTS * SEGMENT_SECONDS * 25
            clip = Clip(frames=frames, gop=SEGMENT_SECONDS * 25, width=width, height=height)
            write_hls(Path(folder) / level, clip, "mpegts", segment_seconds=SEGMENT_SECONDS - 0.1)
        for path in (Path(folder) / "high").glob("*.ts"):
            _pad(path, HIGH[0] * SEGMENT_SECONDS // 8)
        for name in names:
            asyncio.run(record(name, Path(folder)))


if __name__ == "__main__":
    main()
