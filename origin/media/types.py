"""Values that cross the border between the origin and its workers. All of them pickle."""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from manifests.color import Color
from manifests.ladder import RenditionPlan
from manifests.timeline import MAX_SEGMENT_SECONDS, SegmentFacts, SegmentSpan, TrackSpan


class Container(StrEnum):
    """Demuxers that we pin; the value is FFmpeg's name for it."""

    MPEGTS = "mpegts"
    MP4 = "mov"
    MATROSKA = "matroska"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRange:
    """A byte range of a local file. `length` None means to its end."""

    path: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsBody:
    """One segment of an HLS title, and the segments before it that its decoding borrows from."""

    name: str
    """How to name it in errors: path within the library."""
    container: Container
    body: FileRange
    init: FileRange | None = None
    preroll: tuple[FileRange, ...] = ()
    """In playlist order, same init segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBody:
    """One segment of a media file."""

    name: str
    container: Container
    path: str
    span: SegmentSpan
    previous: SegmentSpan | None = None
    """Where decoding begins when `span.leading`."""
    offset_seconds: int = 0
    """Added to every timestamp on output, so that none is negative (see FileFacts)."""


SegmentSource = HlsBody | FileBody


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """The video stream of a source, from its headers and first frames."""

    stream_index: int
    codec: str
    """FFmpeg's name: h264, hevc, vp9, av1, mpeg2video."""
    codecs: str
    """RFC 6381 string, empty where there is none to give (mpeg2video)."""
    width: int
    height: int
    sar: Fraction
    frame_rate: Fraction
    """Average; for variable frame rate the nearest that describes it."""
    time_base: Fraction
    color: Color
    bit_depth: int
    interlaced: bool
    reorders: bool
    """Every DTS lies at least one frame before the PTS of the same rank: B-frames may be used."""
    rotation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """One audio stream."""

    stream_index: int
    codec: str
    codecs: str
    """RFC 6381 string of what is *served* (`mp4a.40.2` where it becomes AAC)."""
    copied: bool
    """Whether packets go through byte for byte; else they become AAC (law 2)."""
    sample_rate: int
    channels: int
    time_base: Fraction
    language: str | None
    title: str | None
    is_default: bool
    peak_bandwidth: int
    """Largest rate of a segment, bits per second."""
    spans: tuple[TrackSpan, ...] = ()
    """Media files only."""
    sample_origin: int = 0
    """Where not copied: position of the first packet's first sample, at the source's rate."""
    sample_step: int = 1
    """Where not copied: packets begin a multiple of so many samples after the first."""


SubtitleFormat = Literal["ass", "srt", "mov_text", "webvtt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleFacts:
    """One text subtitle track of a media file that can be offered."""

    stream_index: int
    format: SubtitleFormat
    language: str | None
    title: str | None
    is_default: bool
    is_forced: bool
    is_accessible: bool
    """For viewers who cannot hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleTexts:
    """What is served of a text subtitle track."""

    webvtt: bytes
    """JSON: the WebVTT of each segment, a string each."""
    ass: bytes
    """The script of an ASS track, UTF-8; empty for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FontFacts:
    """A font that is attached to a media file."""

    stream_index: int
    name: str
    """Safe in a URL, unlike any other of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsFacts:
    """An inspected HLS media playlist: its streams, and one row per segment."""

    video: VideoFacts
    audio: tuple[AudioFacts, ...]
    segments: tuple[SegmentFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """An inspected media file."""

    container: Container
    video: VideoFacts
    audio: tuple[AudioFacts, ...]
    spans: tuple[SegmentSpan, ...]
    duration_seconds: float
    video_peak_bandwidth: int
    """Largest rate of a remuxed source segment's video, bits per second, container included."""
    video_average_bandwidth: int
    offset_seconds: int
    """Whole seconds added to all timestamps so that no DTS and no audio priming is negative."""
    subtitles: tuple[SubtitleFacts, ...] = ()
    fonts: tuple[FontFacts, ...] = ()
    warnings: tuple[str, ...] = ()
    """What a viewer misses, and why."""
    texts: tuple[SubtitleTexts, ...] = ()
    """Of each of `subtitles`, found on the way; whoever asked puts them in the cache."""


# Jobs: what a worker is asked. Results: what it answers. One result type per job type.


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectHls:
    """→ HlsFacts. Reads every segment's packets without decoding (first frames excepted)."""

    name: str
    segments: tuple[HlsBody, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectFile:
    """→ FileFacts."""

    name: str
    path: str
    max_segment_seconds: int = MAX_SEGMENT_SECONDS
    """Keyframes further apart are refused."""
    audio: bool = True
    """False: only the video matters; `audio` and `subtitles` stay empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRendition:
    """→ Prepared: parameter sets and init segment, known before any frame is encoded."""

    plan: RenditionPlan
    source: SegmentSource
    """The first segment, whose audio tracks and display matrix the fMP4 init segment carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What all segments of a produced variant have in common."""

    extradata: bytes
    """The encoder's SPS and PPS, Annex B."""
    codecs: str
    """`avc1.PPCCLL` read from the SPS."""
    init: bytes | None
    """fMP4 init segment; None for MPEG-TS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProduceSegment:
    """→ Produced. The one-segment pipeline."""

    plan: RenditionPlan
    source: SegmentSource
    prepared: Prepared
    sequence_number: int
    duration_seconds: float
    """EXTINF, which BANDWIDTH is measured against."""
    device: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemuxVideo:
    """→ Produced. The source's own video of one segment of a media file, as CMAF."""

    source: FileBody
    stream_index: int
    sequence_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAudio:
    """→ Produced. One segment of an audio rendition of a media file, as CMAF."""

    name: str
    path: str
    container: Container
    audio: AudioFacts
    span_index: int
    offset_seconds: int
    sequence_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInit:
    """→ Produced. The CMAF init segment of one stream of a media file."""

    name: str
    path: str
    container: Container
    stream_index: int
    copied: bool
    """False: the init of the AAC that the stream becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment of a title: the last keyframe of a segment that is shown by then, else its first."""

    source: SegmentSource
    pts: int
    """In the stream's time base, as demuxed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillShape:
    """How frames become still pictures."""

    width: int
    """Of the picture as it is shown: upright, in square pixels."""
    height: int
    rotation: int
    """As in VideoFacts."""
    color: Color
    """Of the frames, with nothing unspecified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePoster:
    """→ Produced. A JPEG of the keyframe that shows most; a black one only if all are."""

    name: str
    moments: tuple[Moment, ...]
    others: tuple[Moment, ...]
    """Looked at where none of `moments` is worth showing."""
    shape: StillShape


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeSheet:
    """→ Produced. A JPEG of many small pictures, row by row."""

    name: str
    moments: tuple[Moment, ...]
    shape: StillShape
    """Of one picture."""
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSubtitles:
    """→ Produced. What is served of a subtitle track of a media file; reads all of it."""

    name: str
    path: str
    container: Container
    stream_index: int
    starts: tuple[int, ...]
    """Where each segment starts, in milliseconds on the served timeline."""
    offset_seconds: int
    form: Literal["webvtt", "ass"]
    """Which of `SubtitleTexts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractFont:
    """→ Produced. A font that is attached to a media file."""

    name: str
    path: str
    container: Container
    stream_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """→ Measured. Upscale and encode synthetic frames as fast as this machine can."""

    model: str
    width: int
    height: int
    frames: int
    device: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Steady-state frames per second of decode-free upscaling and encoding together."""

    frames_per_second: float
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """A checked body, and what it cost."""

    body: bytes
    frames: int = 0
    first_pts: int = 0
    last_pts: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage: fetch, decode, upscale, encode, mux."""


OutputFormat = Literal["matroska", "mp4"]
"""FFmpeg's names of the containers that whole files are written in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutput:
    """→ OutputPlan. Whether a container takes what a media file holds beside its video."""

    name: str
    path: str
    container: Container
    prepared: Prepared
    output_format: OutputFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """What cannot be copied."""

    refused: dict[int, str]
    """Stream index → what it is, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a file that is wanted, in its own seconds."""

    start_seconds: Fraction
    end_seconds: Fraction
    shift_seconds: int
    """Subtracted from every timestamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembleFile:
    """→ Assembled. A media file whose video is replaced by produced segments."""

    name: str
    path: str
    container: Container
    output: str
    """Absolute path of the file to write."""
    output_format: OutputFormat
    prepared: Prepared
    parts: tuple[FileRange, ...]
    """Bodies of `ProduceSegment`, fMP4, in order."""
    offset_seconds: int
    """What they were shifted by (see FileFacts); it is taken off."""
    frame_rate: Fraction | None = None
    """Stated in the file where it is constant."""
    dropped: frozenset[int] = frozenset()
    """Indexes of streams that are left out."""
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A file that was written, read again and found complete."""

    packets: int


StillJob = MakePoster | MakeSheet
"""Jobs that make pictures to choose and to find one's way by."""
SubtitleJob = PackageSubtitles | ExtractFont
BodyJob = ProduceSegment | RemuxVideo | PackageAudio | BuildInit | StillJob | SubtitleJob
"""Jobs that make a body to serve."""
FileJob = CheckOutput | AssembleFile
"""Jobs of the command that upscales a whole file."""
Job = InspectHls | InspectFile | PrepareRendition | Measure | BodyJob | FileJob
Result = HlsFacts | FileFacts | Prepared | Produced | Measured | OutputPlan | Assembled
