"""A whole media file through inspection, remuxing and audio packaging, for tests to judge."""

from pathlib import Path

from origin.media.audio import package_audio
from origin.media.inspect_file import inspect_file
from origin.media.remux import build_init, remux_video
from origin.media.types import (
    AudioFacts,
    BuildInit,
    FileBody,
    FileFacts,
    InspectFile,
    PackageAudio,
    RemuxVideo,
)


def inspect(path: Path) -> FileFacts:
    return inspect_file(InspectFile(name=path.name, path=str(path)))


def init(path: Path, facts: FileFacts, stream_index: int, *, copied: bool = True) -> bytes:
    job = BuildInit(
        name=path.name,
        path=str(path),
        container=facts.container,
        stream_index=stream_index,
        copied=copied,
    )
    return build_init(job).body


def file_body(path: Path, facts: FileFacts, index: int) -> FileBody:
    return FileBody(
        name=path.name,
        container=facts.container,
        path=str(path),
        span=facts.spans[index],
        previous=facts.spans[index - 1] if index else None,
        offset_seconds=facts.offset_seconds,
    )


def video_segment(path: Path, facts: FileFacts, index: int) -> bytes:
    job = RemuxVideo(
        source=file_body(path, facts, index),
        stream_index=facts.video.stream_index,
        sequence_number=index + 1,
    )
    return remux_video(job).body


def audio_segment(path: Path, facts: FileFacts, audio: AudioFacts, index: int) -> bytes:
    job = PackageAudio(
        name=path.name,
        path=str(path),
        container=facts.container,
        audio=audio,
        span_index=index,
        offset_seconds=facts.offset_seconds,
        sequence_number=index + 1,
    )
    return package_audio(job).body


def write_video(target: Path, path: Path, facts: FileFacts) -> Path:
    """All fragments behind their init segment, as a player appends them."""
    parts = [video_segment(path, facts, index) for index in range(len(facts.spans))]
    target.write_bytes(init(path, facts, facts.video.stream_index) + b"".join(parts))
    return target


def write_audio(target: Path, path: Path, facts: FileFacts, audio: AudioFacts) -> Path:
    parts = [audio_segment(path, facts, audio, index) for index in range(len(audio.spans))]
    head = init(path, facts, audio.stream_index, copied=audio.copied)
    target.write_bytes(head + b"".join(parts))
    return target
