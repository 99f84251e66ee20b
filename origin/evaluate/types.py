"""What is asked, and what is found. The document that `--json` prints is an `Evaluation`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Downscale = Literal["bicubic", "area", "lanczos"]

VIEWER_MODEL = "bilinear"
"""What the viewer gets today: a browser or a television stretches the low-resolution variant so."""
VERSION = 1
"""Of the document; raised when a field changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How references are made small, and what enlarges them again."""

    models: tuple[str, ...]
    """In the order of the rows, `VIEWER_MODEL` first."""
    scale: int
    downscale: Downscale
    bitrate: int | None
    """Bits per second of the low-resolution encode; None: lossless."""
    frames: int | None
    """Of each reference, spread over it; None: all."""
    start_seconds: float
    duration_seconds: float | None
    device: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Means over all frames of all clips, as FFmpeg's filters and libvmaf take theirs."""

    psnr: float
    """dB, of luma, from the mean squared error; infinite (null in JSON) where nothing differs."""
    ssim: float
    """Of luma, 0 to 1."""
    vmaf: float | None
    """0 to 100; None where it could not be had."""
    xpsnr: float
    """dB, of luma, from the mean weighted error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The scores of each frame of one clip; infinite PSNR and XPSNR are null in JSON."""

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]
    vmaf: tuple[float, ...] | None
    xpsnr: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model on all clips."""

    model: str
    is_viewer: bool
    """Whether this is what the viewer gets today."""
    scores: Scores
    fps: float
    """Frames per second of upscaling alone, planes to planes: by the median over calls."""
    kmac_per_pixel: float
    """Thousand multiply-accumulates per low-resolution pixel."""
    radius: int
    curves: tuple[Curve, ...]
    """One for each clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One reference, and what became of it."""

    name: str
    codec: str
    bit_depth: int
    width: int
    height: int
    """Cropped to whole multiples."""
    cropped_from: tuple[int, int] | None
    low_width: int
    low_height: int
    frame_rate: float
    matrix: str
    full_range: bool
    bitrate: int | None
    """Bits per second that the low-resolution encode has in the end."""
    frames: tuple[int, ...]
    """Which of the part's frames are measured."""
    seconds: tuple[float, ...]
    """When each is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A model that could not be run."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the speeds were measured on."""

    device: str
    """`cpu` or the name of the GPU."""
    processor: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that was found."""

    version: int
    command: str
    made_by: str
    machine: Machine
    scale: int
    downscale: str
    compression: str
    """`none`, or the encoder and its settings in words."""
    metrics: dict[str, str]
    """What each of them is, in words."""
    notes: tuple[str, ...]
    clips: tuple[Clip, ...]
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One place of one frame, in every version of it, as PNG files."""

    clip: str
    frame: int
    seconds: float
    whole: bool
    """The whole frame, not a crop."""
    left: int
    top: int
    width: int
    height: int
    images: dict[str, bytes]
    """By model; `reference` and `low-res` (at its own size) too."""


REFERENCE, LOW = "reference", "low-res"

Stills = Sequence[Still]
