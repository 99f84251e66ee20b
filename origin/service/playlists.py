"""The text of every playlist that we write or edit. Pure."""

from fractions import Fraction

from manifests import build, urls
from manifests.codecs import join_codecs
from manifests.ladder import siblings
from manifests.languages import language_name
from manifests.stream_inf import AudioRendition, StreamInf, display_size, upscaled_stream_inf
from manifests.timeline import target_duration
from manifests.types import Variant
from origin.media.types import AudioFacts, VideoFacts
from origin.service import jobs, subtitles
from origin.service.plans import NOT_PLAYED_IN_HLS
from origin.service.titles import FileTitle, HlsTitle, Offer, Title, find_offer


def multivariant(title: Title) -> str:
    """The multivariant playlist of a title: the source's variants, then the produced ones."""
    if isinstance(title, FileTitle):
        return _file_multivariant(title)
    additions = [
        _hls_addition(title, offer, rank, variant)
        for rank, offer in enumerate(title.offers)
        for variant in _made_from(title)
    ]
    playlist = title.source.multivariant
    if playlist is None:
        return build.lone_multivariant(_lone_source(title), additions)
    if not additions:
        return playlist.text
    has_init = any(offer.prepared.init for offer in title.offers)
    version = build.MAP_VERSION if has_init else build.FRACTIONS_VERSION
    return build.edit_multivariant(playlist, additions, version=version)


def _made_from(title: HlsTitle) -> tuple[Variant | None, ...]:
    """The source's lines that a produced variant answers: one for each audio group."""
    source = title.source
    if source.multivariant is None or source.variant is None:
        return (None,)
    return siblings(source.variant, source.multivariant.variants)


def _hls_addition(title: HlsTitle, offer: Offer, rank: int, variant: Variant | None) -> StreamInf:
    playlist = title.source.multivariant
    has_codecs = variant is not None and variant.codecs is not None
    muxed = [] if has_codecs else [audio.codecs for audio in title.facts.audio]
    return upscaled_stream_inf(
        offer.plan,
        uri=urls.playlist_uri(title.title_path, offer.plan.rendition_id),
        codecs=join_codecs(offer.prepared.codecs, *muxed),
        source=variant,
        variants=playlist.variants if playlist is not None else (),
        rank=rank,
        rotation=title.facts.video.rotation,
    )


def _lone_source(title: HlsTitle) -> StreamInf:
    """The source's own line, measured, where it has no multivariant playlist to say it."""
    facts, media = title.facts, title.source.media
    sizes = [row.video_bytes + row.audio_bytes for row in facts.segments]
    durations = [max(float(segment.duration), 0.001) for segment in media.segments]
    peak = max(size * 8 / seconds for size, seconds in zip(sizes, durations, strict=True))
    path = urls.source_playlist_path(title.title_path)
    codecs = join_codecs(facts.video.codecs, *(audio.codecs for audio in facts.audio))
    return StreamInf(
        uri=urls.encode_path(path.rpartition("/")[2]),
        bandwidth=round(peak * 1.1),
        average_bandwidth=round(sum(sizes) * 8 / sum(durations) * 1.1),
        codecs=codecs,
        resolution=_display_size(facts.video),
        frame_rate=facts.video.frame_rate,
    )


def _file_multivariant(title: FileTitle) -> str:
    variants = [_produced(title, offer) for offer in title.offers]
    if title.facts.video.codec not in NOT_PLAYED_IN_HLS:
        variants.insert(0, _file_source(title))
    audio = [_audio_rendition(i, track) for i, track in enumerate(title.facts.audio)]
    return build.file_multivariant(variants, audio, subtitles.group(title))


def _file_source(title: FileTitle) -> StreamInf:
    facts = title.facts
    return StreamInf(
        uri=urls.playlist_uri(title.title_path, urls.SOURCE_TRACK),
        bandwidth=facts.video_peak_bandwidth,
        average_bandwidth=facts.video_average_bandwidth,
        codecs=facts.video.codecs,
        resolution=_display_size(facts.video),
        frame_rate=facts.video.frame_rate,
    )


def _produced(title: FileTitle, offer: Offer) -> StreamInf:
    return upscaled_stream_inf(
        offer.plan,
        uri=urls.playlist_uri(title.title_path, offer.plan.rendition_id),
        codecs=offer.prepared.codecs,
        rotation=title.facts.video.rotation,
    )


def _audio_rendition(index: int, audio: AudioFacts) -> AudioRendition:
    return AudioRendition(
        uri=f"audio-{index}/index.m3u8",
        codecs=audio.codecs,
        bandwidth=audio.peak_bandwidth,
        name=audio.title or language_name(audio.language) or f"Audio {index + 1}",
        language=audio.language,
        default=audio.is_default,
        channels=audio.channels,
    )


def _display_size(video: VideoFacts) -> tuple[int, int]:
    return display_size(video.width, video.height, video.sar, video.rotation)


def media(title: Title, track_id: str, digest: str) -> str:
    """The media playlist of a produced variant, or of a track of a media file."""
    offer = find_offer(title, track_id)
    extension = jobs.extension(title, track_id)
    if not isinstance(title, FileTitle):
        has_init = offer is not None and offer.prepared.init is not None
        return build.upscaled_media_playlist(
            title.source.media,
            segment_uri=lambda index: urls.segment_uri(digest, index, extension),
            init_uri=urls.init_uri(digest) if has_init else None,
        )
    rows = _file_rows(title, track_id, is_video=offer is not None or track_id == urls.SOURCE_TRACK)
    indexes = [index for index, _ in rows]
    return build.file_media_playlist(
        [duration for _, duration in rows],
        target_duration(duration for _, duration in _video_rows(title)),
        urls.init_uri(digest),
        lambda row: urls.segment_uri(digest, indexes[row], extension),
        independent=offer is not None or not any(span.leading for span in title.facts.spans),
    )


def subtitles_media(title: FileTitle, digest: str) -> str:
    """The media playlist of a subtitle track: a segment for each of the video's."""
    durations = [duration for _, duration in _video_rows(title)]
    return build.file_media_playlist(
        durations,
        target_duration(durations),
        None,
        lambda index: urls.segment_uri(digest, index, "vtt"),
        independent=True,
    )


def _file_rows(title: FileTitle, track_id: str, *, is_video: bool) -> list[tuple[int, Fraction]]:
    """Index and duration in seconds of each segment that has packets."""
    if is_video:
        return _video_rows(title)
    audio = jobs.audio_track(title, track_id)
    return [
        (span.index, (span.end_pts - span.first_pts) * audio.time_base)
        for span in audio.spans
        if span.packet_count
    ]


def _video_rows(title: FileTitle) -> list[tuple[int, Fraction]]:
    time_base = title.facts.video.time_base
    return [(span.index, (span.end_pts - span.first_pts) * time_base) for span in title.facts.spans]
