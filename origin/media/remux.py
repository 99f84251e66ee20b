"""Serves a media file's own video as CMAF, packet by packet, and any of its streams' init segments.

Passive and synchronous; nothing is shared between calls.
"""

import time
from dataclasses import replace

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from origin.errors import BrokenSourceError
from origin.media import aac, fmp4, streams
from origin.media.demux import demux, open_file
from origin.media.fmp4 import Sample
from origin.media.packets import open_segment
from origin.media.track import Track
from origin.media.types import BuildInit, Produced, RemuxVideo


def remux_video(job: RemuxVideo) -> Produced:
    """Make the CMAF fragment that holds exactly the packets of a file's segment.

    Parameter sets that the init segment holds are left out of the samples; nothing else changes.

    Raises:
        BrokenSourceError: The file does not hold what its span says.
        ProductionError: A timestamp is negative in spite of the offset.
    """
    started = time.perf_counter()
    # Decoding borrows from the segment before; copying does not.
    with open_segment(replace(job.source, previous=None)) as segment:
        ticks = segment.time_base.numerator
        samples = [
            Sample(
                data=bytes(packet),
                pts=row.pts * ticks,
                dts=row.dts * ticks,
                duration=row.duration * ticks,
                is_key=row.is_key,
            )
            for packet, row in zip(segment.packets, segment.timing, strict=True)
        ]
        track = Track.from_stream(segment.video)
        fetched = time.perf_counter()
        body = fmp4.build_fragment([(track, samples)], sequence_number=job.sequence_number)
        shown = [row.pts for row in segment.timing]
    return Produced(
        body=body,
        frames=len(samples),
        first_pts=min(shown),
        last_pts=max(shown),
        stages={"fetch": fetched - started, "mux": time.perf_counter() - fetched},
    )


def build_init(job: BuildInit) -> Produced:
    """Make the CMAF init segment of one stream of a file, or of the AAC that it becomes.

    Raises:
        BrokenSourceError: The stream is gone, or nothing of it can be read.
        ProductionError: MP4 cannot carry its codec.
    """
    with open_file(job.path, job.container, job.name) as container:
        if job.stream_index >= len(container.streams):
            raise BrokenSourceError("has changed since it was inspected", source=job.name)
        stream = container.streams[job.stream_index]
        if isinstance(stream, VideoStream):
            track = _video_track(container, stream, job.name)
        elif isinstance(stream, AudioStream):
            track = _audio_track(container, stream, job)
        else:
            raise BrokenSourceError("has changed since it was inspected", source=job.name)
    return Produced(body=fmp4.build_init([track]))


def _video_track(container: InputContainer, stream: VideoStream, name: str) -> Track:
    first = streams.decode_first(stream, streams.from_key(container, stream, name), name)
    return replace(Track.from_stream(stream), matrix=first.matrix)


def _audio_track(container: InputContainer, stream: AudioStream, job: BuildInit) -> Track:
    if not job.copied:
        return aac.track_of(stream)
    packet = next(demux(container, job.name, stream), None)
    if packet is None:
        raise BrokenSourceError("has an audio track without packets", source=job.name)
    return Track.from_stream(stream, first_packet=bytes(packet))
