"""How near the upscaled frames of a clip come to its reference, frame by frame and on average."""

import importlib
import json
import math
import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from origin.evaluate.spool import FrameFile
from origin.evaluate.types import Curve, Scores
from origin.media.compare import Comparison, LumaScores

PEAK = 255.0
IN_WORDS = {
    "psnr": "PSNR of luma in dB, from the mean squared error over all frames (FFmpeg's psnr)",
    "ssim": "SSIM of luma, mean over frames (FFmpeg's ssim)",
    "vmaf": "VMAF v0.6.1, mean over frames (libvmaf in FFmpeg): 0 to 100, what viewers would say",
    "xpsnr": "XPSNR of luma in dB, from the mean weighted error over all frames (FFmpeg's xpsnr)",
}


class VmafError(Exception):
    """VMAF cannot be had; the message says why and what to do."""


def compare_luma(
    made: FrameFile,
    reference: FrameFile,
    runs: Iterable[range],
    size: tuple[int, int],
    rate: Fraction,
) -> list[LumaScores]:
    """Score every frame; each run of consecutive frames starts anew.

    Args:
        made: What a model made.
        reference: What it should have made.
        runs: Positions of consecutive frames (see `sampling.split_runs`).
        size: Width and height of luma.
        rate: Frames per second.
    """
    scores = []
    for run in runs:
        compare = Comparison(*size, rate)
        scores += [compare(made[i], reference[i]) for i in run]
    return scores


def find_ffmpeg() -> str:
    """The FFmpeg that imageio-ffmpeg carries.

    Raises:
        VmafError: It is not installed.
    """
    try:
        module = importlib.import_module("imageio_ffmpeg")
        return str(module.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise VmafError(
            "VMAF needs an FFmpeg with libvmaf: pip install 'upscale-origin[evaluate]'"
        ) from None


def vmaf(made: Path, reference: Path, threads: int) -> list[float]:
    """VMAF of every frame of one YUV4MPEG2 file against another, in the same directory.

    Raises:
        VmafError: There is no FFmpeg, it lacks libvmaf, or it fails.
    """
    log = made.with_name("vmaf.json")
    graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path={log.name}:n_threads={threads}"
    inputs = ("-i", made.name, "-i", reference.name)
    command = (
        find_ffmpeg(),
        "-nostdin",
        "-v",
        "error",
        *inputs,
        "-lavfi",
        graph,
        "-f",
        "null",
        "-",
    )
    done = subprocess.run(command, cwd=made.parent, capture_output=True, text=True, check=False)
    if done.returncode or not log.is_file():
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
        raise VmafError(f"VMAF is left out, FFmpeg cannot compute it: {reason}")
    frames = json.loads(log.read_text())["frames"]
    log.unlink()
    return [float(frame["metrics"]["vmaf"]) for frame in frames]


def curve(luma: Sequence[LumaScores], vmafs: Sequence[float] | None) -> Curve:
    """Scores by frame."""
    return Curve(
        psnr=tuple(_psnr(frame.mse) for frame in luma),
        ssim=tuple(frame.ssim for frame in luma),
        vmaf=None if vmafs is None else tuple(vmafs),
        xpsnr=tuple(frame.xpsnr for frame in luma),
    )


def pool(luma: Sequence[LumaScores], vmafs: Sequence[float] | None) -> Scores:
    """Means over frames: of errors for PSNR and XPSNR, of scores for SSIM and VMAF.

    XPSNR's error of a frame is the root of a weighted square sum, and their mean is squared, as
    FFmpeg's own summary does it.
    """
    count = len(luma)
    weighted = sum(10 ** (-frame.xpsnr / 20) for frame in luma) / count
    return Scores(
        psnr=_psnr(sum(frame.mse for frame in luma) / count),
        ssim=sum(frame.ssim for frame in luma) / count,
        vmaf=None if vmafs is None else sum(vmafs) / count,
        xpsnr=-20 * math.log10(weighted) if weighted else math.inf,
    )


def _psnr(mse: float) -> float:
    return 10 * math.log10(PEAK**2 / mse) if mse else math.inf
