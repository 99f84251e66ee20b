"""The torch path: the reference of the CPU kernels, and what runs on a GPU.

Planes go up as integers, everything happens on the device, planes come down as integers: uint8, or
int16 in place of uint16 for 10-bit signals, whose codes it holds and which torch knows better.
Shapes are static: every batch is computed full, so that a frame's result does not depend on how
many came with it, and a CUDA graph can replay the whole of it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from sr.color import Affine, codes_from_codes
from sr.dither import thresholds
from sr.errors import UpscalerError
from sr.planes import check_planes, plane_shapes, top_code
from sr.resample import CHROMA_X, CHROMA_Y, LUMA, Kernel, Siting, Taps, luma_grid_taps, make_taps
from sr.types import Plane, Planes, Signal

FrameFunction = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]
]
"""Y, Cb and Cr planes to those of the target, all NHW on the device, in their signals' types."""
TensorFunction = Callable[[torch.Tensor], torch.Tensor]
MAX_PIXELS = {"cpu": 1 << 18, "cuda": 1 << 21}
"""Input pixels that are worked on at a time: what bounds memory, for a network of 256 features to
less than 1 GiB on the CPU. 512x512; and 1920x1080, or eight frames of 640x360."""
_WARM_RUNS = 3


def axis_resampler(taps: Taps, size: int, dim: int, device: str) -> TensorFunction:
    """A function that resizes the dimension `dim`, of `size` samples, of float32 tensors."""
    count = taps.weights.shape[1]
    offsets = np.clip(taps.first[None] + np.arange(count)[:, None], 0, size - 1)
    indices = torch.from_numpy(offsets.astype(np.int64)).to(device)
    trailing = (-1,) + (1,) * (-1 - dim)
    weights = [torch.from_numpy(w.copy()).to(device).view(trailing) for w in taps.weights.T]

    def resample(x: torch.Tensor) -> torch.Tensor:
        total = x.index_select(dim, indices[0]) * weights[0]
        for k in range(1, count):
            total = total + x.index_select(dim, indices[k]) * weights[k]
        return total

    return resample


def plane_resampler(
    kernel: Kernel,
    source: Signal,
    target: Signal,
    device: str,
    siting: tuple[Siting, Siting] = (LUMA, LUMA),
) -> TensorFunction:
    """A function that resizes ...HW float32: vertically, then horizontally."""
    columns, rows = (
        -(-size // s.step) for size, s in zip((source.width, source.height), siting, strict=True)
    )
    x = make_taps(kernel, source.width, target.width, siting[0])
    y = make_taps(kernel, source.height, target.height, siting[1])
    vertical = axis_resampler(y, rows, -2, device)
    horizontal = axis_resampler(x, columns, -1, device)
    return lambda planes: horizontal(vertical(planes))


def chroma_to_luma_grid(source: Signal, device: str) -> TensorFunction:
    """A function that brings NHW chroma to the size of its own luma, left siting respected."""
    rows, columns = plane_shapes(source)[1]
    y, x = luma_grid_taps(source.height, CHROMA_Y), luma_grid_taps(source.width, CHROMA_X)
    vertical = axis_resampler(y, rows, -2, device)
    horizontal = axis_resampler(x, columns, -1, device)
    return lambda planes: horizontal(vertical(planes))


def affine(row: Affine, *planes: torch.Tensor) -> torch.Tensor:
    """`row[0] * planes[0] + ... + row[-1]`, skipping zeros."""
    total = torch.full_like(planes[0], float(row[-1]))
    for weight, plane in zip(row[:-1], planes, strict=True):
        if weight:
            total = total + float(np.float32(weight)) * plane
    return total


def chroma_converter(kernel: Kernel, source: Signal, target: Signal, device: str) -> FrameFunction:
    """A function of (Y, Cb, Cr) codes that returns Y untouched and chroma in the target signal."""
    resample = plane_resampler(kernel, source, target, device, (CHROMA_X, CHROMA_Y))
    quantise = quantiser(target, device)
    maps = codes_from_codes(source, target)[1:3, 1:]

    def convert(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cb, cr = u.float(), v.float()
        u_row, v_row = maps
        return (
            y,
            quantise(resample(affine(u_row, cb, cr))),
            quantise(resample(affine(v_row, cb, cr))),
        )

    return convert


def quantise(codes: torch.Tensor) -> torch.Tensor:
    """To uint8: nearest, halves up, as the CPU kernels do."""
    return (codes + 0.5).clamp(0, 255).to(torch.uint8)


def quantiser(target: Signal, device: str) -> TensorFunction:
    """A function from fractional codes ...HW to those of the target, as the CPU kernels have it."""
    top, kind = top_code(target), _tensor_type(target)
    if not target.dithered:
        return lambda codes: (codes + 0.5).clamp(0, top).to(kind)
    tile = torch.from_numpy(thresholds(target)).to(device)
    side = len(tile)

    def dither(codes: torch.Tensor) -> torch.Tensor:
        height, width = codes.shape[-2:]
        pattern = tile.repeat(-(-height // side), -(-width // side))[:height, :width]
        return (codes + pattern).clamp(0, top).to(kind)

    return dither


def _tensor_type(signal: Signal) -> torch.dtype:
    return torch.uint8 if signal.depth == 8 else torch.int16


def resampling_frames(kernel: Kernel, source: Signal, target: Signal, device: str) -> FrameFunction:
    """Plain interpolation of whole frames."""
    grid = chroma_to_luma_grid(source, device)
    resample = plane_resampler(kernel, source, target, device)
    chroma = chroma_converter(kernel, source, target, device)
    quantise = quantiser(target, device)
    row = codes_from_codes(source, target)[0]

    def frames(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        luma = affine(row, y.float(), grid(u.float()), grid(v.float()))
        _, cb, cr = chroma(y, u, v)
        return quantise(resample(luma)), cb, cr

    return frames


def in_steps(frames: FrameFunction, step: int) -> FrameFunction:
    """The same, `step` frames at a time."""

    def stepped(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if len(y) == step:
            return frames(y, u, v)
        parts = [slice(first, first + step) for first in range(0, len(y), step)]
        ys, us, vs = zip(*(frames(y[part], u[part], v[part]) for part in parts), strict=True)
        return torch.cat(ys), torch.cat(us), torch.cat(vs)

    return stepped


def frames_at_a_time(batch: int, source: Signal, device: str) -> int:
    """The largest divisor of the batch whose frames fit: all steps have one shape."""
    most = MAX_PIXELS[torch.device(device).type] // (source.width * source.height)
    return max(n for n in range(1, batch + 1) if batch % n == 0 and (n <= most or n == 1))


class TorchUpscaler:
    """`Upscaler` of a frame function on a torch device. One call at a time."""

    concurrency = 1

    def __init__(
        self,
        frames: FrameFunction,
        source: Signal,
        device: str,
        batch: int,
        *,
        threads: int | None = None,
    ) -> None:
        """Set up; on CUDA, record.

        Args:
            frames: What to do.
            source: What comes in.
            device: A torch device.
            batch: Frames per call.
            threads: Of torch, on the CPU; None: what torch is set to.
        """
        self.batch = batch
        self._source = source
        self._threads = threads
        self._cuda = torch.device(device).type == "cuda"
        luma, chroma = plane_shapes(source)
        kind = _tensor_type(source)
        self._host = [self._host_buffer((batch, *s), kind) for s in (luma, chroma, chroma)]
        self._inputs = [plane.to(device) for plane in self._host]
        frames = in_steps(frames, frames_at_a_time(batch, source, device))
        self._run = self._captured(frames) if self._cuda else lambda: frames(*self._inputs)
        self._results = (
            [self._host_buffer(r.shape, r.dtype) for r in self._run()] if self._cuda else []
        )

    @torch.inference_mode()
    def __call__(self, frames: list[Planes]) -> list[Planes]:
        """Upscale up to `batch` frames at once."""
        if len(frames) > self.batch:
            raise UpscalerError(f"{len(frames)} frames in a call; the batch is {self.batch}")
        for index, frame in enumerate(frames):
            check_planes(frame, self._source)
            for buffer, plane in zip(self._host, frame, strict=True):
                buffer.numpy()[index] = plane
        y, u, v = (_codes(result) for result in (self._on_cuda() if self._cuda else self._on_cpu()))
        return [Planes(y[i].copy(), u[i].copy(), v[i].copy()) for i in range(len(frames))]

    def _on_cuda(self) -> Sequence[torch.Tensor]:
        _copy_all(self._host, self._inputs)
        _copy_all(self._run(), self._results)
        torch.cuda.current_stream(self._inputs[0].device).synchronize()
        return self._results

    def _on_cpu(self) -> Sequence[torch.Tensor]:
        """The inputs are the host's buffers themselves."""
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        return self._run()

    def _host_buffer(self, shape: Sequence[int], kind: torch.dtype) -> torch.Tensor:
        return torch.zeros(tuple(shape), dtype=kind, pin_memory=self._cuda)

    @torch.inference_mode()
    def _captured(
        self, frames: FrameFunction
    ) -> Callable[[], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Record the frame function once as a CUDA graph; the result replays it."""
        stream = torch.cuda.Stream(self._inputs[0].device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._inputs[0].device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_RUNS):
                frames(*self._inputs)
        torch.cuda.current_stream(self._inputs[0].device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            outputs = frames(*self._inputs)

        def replay() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            graph.replay()
            return outputs

        return replay


def _codes(result: torch.Tensor) -> Plane:
    plane = result.numpy()
    return plane.view(np.uint16) if plane.dtype == np.int16 else plane


def _copy_all(sources: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source, non_blocking=True)
