"""What playlists say, in the words of RFC 8216bis. Values only; every one of them pickles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """A sub-range of a resource, both in bytes."""

    length: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTag:
    """EXT-X-MAP: where the init segment is. `byterange` None means the whole resource."""

    uri: str
    byterange: ByteRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One EXT-X-STREAM-INF and the URI after it."""

    uri: str
    bandwidth: int
    average_bandwidth: int | None = None
    codecs: str | None = None
    resolution: tuple[int, int] | None = None
    """Display width and height."""
    frame_rate: Fraction | None = None
    video_range: str | None = None
    audio: str | None = None
    subtitles: str | None = None
    video: str | None = None
    closed_captions: str | None = None
    """A group, or `NONE` as the source wrote it (`attributes` tells `NONE` from `"NONE"`)."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Every attribute verbatim, quotes included."""
    line: int
    """Index of its EXT-X-STREAM-INF among the lines of the playlist's text, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One EXT-X-MEDIA."""

    type: str
    """AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS."""
    group_id: str
    name: str
    language: str | None = None
    uri: str | None = None
    """None: the media is in the variants themselves."""
    default: bool = False
    autoselect: bool = False
    channels: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariantPlaylist:
    """A playlist that lists variants and renditions."""

    text: str
    """As the source wrote it, less a byte order mark."""
    variants: tuple[Variant, ...]
    renditions: tuple[Rendition, ...] = ()
    i_frame_uris: tuple[str, ...] = ()
    independent_segments: bool = False
    version: int = 1
    uris: tuple[str, ...] = ()
    """Every URI that it refers to, in order, whatever the tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One media segment."""

    uri: str
    duration: Decimal
    """EXTINF in seconds, exactly."""
    duration_text: str
    """EXTINF's number as the source wrote it."""
    byterange: ByteRange | None = None
    map: MapTag | None = None
    discontinuity: bool = False
    """An EXT-X-DISCONTINUITY stands before this segment."""
    sequence: int
    """Media sequence number."""
    key_method: str | None = None
    """METHOD of the EXT-X-KEY in force; None where it is NONE or there is none."""
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A playlist that lists segments."""

    text: str
    """As the source wrote it, less a byte order mark."""
    segments: tuple[Segment, ...]
    target_duration: int
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    version: int = 1
    playlist_type: str | None = None
    """VOD, EVENT or None."""
    ended: bool = False
    """Whether EXT-X-ENDLIST is there: nothing will be added."""
    i_frames_only: bool = False
    independent_segments: bool = False
    encrypted: bool = False
    uris: tuple[str, ...] = ()
    """Every URI that it refers to, in order, whatever the tag."""

    @property
    def duration(self) -> Decimal:
        """Sum of the EXTINF durations in seconds."""
        return sum((segment.duration for segment in self.segments), Decimal())
