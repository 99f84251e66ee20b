"""What this machine sustains: measured once per model, kept on disk, used to resolve `auto`."""

import asyncio
import hashlib
import platform
from collections.abc import Iterable

import sr
from manifests.ladder import PIPELINE_VERSION, RenditionSpec
from origin.cache import StateStore
from origin.media.types import Measure, VideoFacts
from origin.worker.pool import WorkerPool

AUTO_SPECS = ("2x:anime4k-m",)
"""What `auto` may offer, best first; the first that this machine sustains is taken."""
HEADROOM = 1.25
"""Times real time that a rendition must be made in."""
PATIENCE_SECONDS = 8.0
"""The longest that a cold segment may be predicted to take."""


def model_digests(specs: Iterable[RenditionSpec]) -> dict[str, str]:
    """The digest of every model that specs may lead to, by name.

    Raises:
        UpscalerError: There is no such model, or its weights are missing.
    """
    auto = [RenditionSpec.parse(text).model for text in AUTO_SPECS]
    names = {name for spec in specs for name in (auto if spec.is_auto else [spec.model])}
    return {name: sr.model_digest(name) for name in sorted(names)}


_WIDTH, _HEIGHT, _FRAMES = 640, 360, 96


class Capability:
    """Measures and remembers. One event loop owns it."""

    def __init__(self, *, pool: WorkerPool, state: StateStore, device: str, threads: int) -> None:
        self._pool = pool
        self._state = state
        self._device = device
        self._threads = threads
        self._lock = asyncio.Lock()

    async def choose(self, video: VideoFacts, longest_frames: int) -> list[RenditionSpec]:
        """The specs that `auto` stands for, for one title on this machine.

        Args:
            video: The stream that would be upscaled.
            longest_frames: Number of frames of its longest segment.
        """
        for text in AUTO_SPECS:
            spec = RenditionSpec.parse(text)
            pace = await self.frames_per_second(spec.model, video.width, video.height)
            steady = pace >= HEADROOM * video.frame_rate
            if steady and longest_frames / pace <= PATIENCE_SECONDS:
                return [spec]
        return []

    async def frames_per_second(self, model: str, width: int, height: int) -> float:
        """Predicted pace of upscaling ×2 and encoding frames of a size."""
        async with self._lock:
            measured = await self._measured(model)
        return measured * (_WIDTH * _HEIGHT) / (width * height)

    async def _measured(self, model: str) -> float:
        key = self._key(model)
        document = await asyncio.to_thread(self._state.get, key)
        if isinstance(document, dict) and isinstance(document.get("frames_per_second"), float):
            return float(document["frames_per_second"])
        job = Measure(
            model=model,
            width=_WIDTH,
            height=_HEIGHT,
            frames=_FRAMES,
            device=self._device,
            threads=self._threads,
        )
        measured = await self._pool.run(job, key=key)
        await asyncio.to_thread(
            self._state.put, key, {"frames_per_second": measured.frames_per_second}
        )
        return measured.frames_per_second

    def _key(self, model: str) -> str:
        machine = (platform.node(), platform.processor(), platform.machine())
        digest = sr.model_digest(model)
        text = repr((model, digest, self._device, self._threads, machine, PIPELINE_VERSION))
        return "measured-" + hashlib.sha256(text.encode()).hexdigest()
