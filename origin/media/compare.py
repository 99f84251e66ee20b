"""Full-reference metrics of FFmpeg's filters: psnr, ssim and xpsnr, of luma, frame by frame."""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, cast

import av
from av.filter import Graph
from av.filter.context import FilterContext

from origin.errors import ProductionError
from origin.media.frames import frame_of
from origin.media.reference import Frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_FILTERS = ("psnr", "ssim", "xpsnr")


class LumaScores(NamedTuple):
    """How near a frame's luma comes to its reference's."""

    mse: float
    """Mean squared error, in squared 8-bit code values."""
    ssim: float
    xpsnr: float
    """dB; infinite where the frames are equal."""


class Comparison:
    """Compares runs of consecutive frames; xpsnr remembers the frames before. Not thread-safe."""

    def __init__(self, width: int, height: int, frame_rate: Fraction) -> None:
        """Build the filters.

        Args:
            width: Of luma.
            height: Of luma.
            frame_rate: xpsnr looks further back above 32 fps.

        Raises:
            ProductionError: FFmpeg cannot compare frames of this size.
        """
        self._size, self._time_base, self._pts = (width, height), 1 / frame_rate, 0
        self._graph = Graph()
        self._graph.threads = 1
        shape = f"video_size={width}x{height}:pix_fmt=yuv420p:pixel_aspect=1/1"
        source = f"{shape}:time_base={1 / frame_rate}:frame_rate={frame_rate}"
        self._inputs = [self._graph.add("buffer", source) for _ in range(2)]
        self._outputs = self._connected()
        try:
            self._graph.configure()
        except (av.FFmpegError, ValueError) as error:
            raise ProductionError(f"cannot compare {width}x{height}: {error}") from error

    def __call__(self, made: Frame, reference: Frame) -> LumaScores:
        """Score the next frame."""
        for entry, planes in zip(self._inputs, (made, reference), strict=True):
            frame = frame_of(planes, *self._size)
            frame.pts, frame.time_base = self._pts, self._time_base
            entry.push(frame)
        self._pts += 1
        found: dict[str, str] = {}
        for output in self._outputs:
            found |= cast("VideoFrame", output.pull()).metadata
        mse, ssim, xpsnr = (
            float(found[f"lavfi.{key}"]) for key in ("psnr.mse.y", "ssim.Y", "xpsnr.xpsnr.y")
        )
        return LumaScores(mse, ssim, xpsnr)

    def _connected(self) -> list[FilterContext]:
        splits = [self._graph.add("split", str(len(_FILTERS))) for _ in self._inputs]
        for entry, split in zip(self._inputs, splits, strict=True):
            entry.link_to(split)
        outputs = []
        for pad, name in enumerate(_FILTERS):
            measured, output = self._graph.add(name), self._graph.add("buffersink")
            for side, split in enumerate(splits):
                split.link_to(measured, pad, side)
            measured.link_to(output)
            outputs.append(output)
        return outputs
