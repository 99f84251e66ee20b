"""What a worker process runs: any job to its result."""

from collections.abc import Callable

from origin.media.line import JobCancelledError
from origin.media.types import (
    AssembleFile,
    BuildInit,
    CheckOutput,
    ExtractFont,
    InspectFile,
    InspectHls,
    Job,
    MakePoster,
    MakeSheet,
    Measure,
    PackageAudio,
    PackageSubtitles,
    PrepareRendition,
    ProduceSegment,
    RemuxVideo,
    Result,
)

__all__ = ["JobCancelledError", "run"]

# Each kind of job imports what it needs: a worker that only packages never loads a model.
# ruff: noqa: PLC0415, PLR0912


def run(job: Job, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> Result:
    """Do a job. Blocks; one at a time per process.

    Args:
        job: See `origin.media.types`.
        progress: Told the number of frames done, as it grows; jobs that take long call it.
        cancelled: Asked between batches of frames.

    Raises:
        OriginError: What a user must be told.
        JobCancelledError: `cancelled` said so.
    """
    result: Result
    match job:
        case ProduceSegment():
            from origin.media.pipeline import produce_segment

            result = produce_segment(job, progress, cancelled)
        case Measure():
            from origin.media.measure import measure

            result = measure(job, progress, cancelled)
        case PrepareRendition():
            from origin.media.prepare import prepare_rendition

            result = prepare_rendition(job)
        case InspectHls():
            from origin.media.inspect_hls import inspect_hls

            result = inspect_hls(job)
        case InspectFile():
            from origin.media.inspect_file import inspect_file

            result = inspect_file(job)
        case RemuxVideo():
            from origin.media.remux import remux_video

            result = remux_video(job)
        case BuildInit():
            from origin.media.remux import build_init

            result = build_init(job)
        case PackageAudio():
            from origin.media.audio import package_audio

            result = package_audio(job)
        case MakePoster():
            from origin.media.stills import make_poster

            result = make_poster(job, progress, cancelled)
        case MakeSheet():
            from origin.media.stills import make_sheet

            result = make_sheet(job, progress, cancelled)
        case PackageSubtitles():
            from origin.media.subtitles import package_subtitles

            result = package_subtitles(job)
        case ExtractFont():
            from origin.media.fonts import extract_font

            result = extract_font(job)
        case CheckOutput():
            from origin.media.outputs import check_output

            result = check_output(job)
        case AssembleFile():
            from origin.media.assemble import assemble

            result = assemble(job, progress, cancelled)
    return result
