"""Titles with subtitles, good and broken ones, over a small dark picture; and an origin of these.

`film` is listed as a media file with its subtitle streams would be; `hls` as an HLS title, of which
the origin knows no more than the playlist.
"""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from origin.pages import add_pages
from tests.browser.block_font import block_font
from tests.browser.closed_captions import caption, with_captions
from tests.tools import ffmpeg, require_made

SECONDS = 20
WIDTH, HEIGHT = 160, 90
# Two segments of ten seconds.
ENGLISH = (
    """\
00:00.000 --> 00:03.000
HIHIHI

00:03.000 --> 00:04.000 line:10% position:20%,line-left align:left size:50%
Top left

00:04.000 --> 00:05.000
<i>It</i> <b>bo</b> <u>un</u> <c.yellow>yellow</c> <v Ann>Hi</v> &lt;img src=x&gt; 1 &lt; 2

00:05.000 --> 00:06.000 align:start
שלום עולם!

00:06.000 --> 00:07.000
One

00:06.200 --> 00:07.000
Two

00:07.000 --> 00:08.000 vertical:rl line:0 align:start
縦書き

00:08.000 --> 00:09.000 line:0
First line

00:08.000 --> 00:09.000 line:50%,end position:100%,line-right align:right size:60%
End at half
""",
    """\
00:10.000 --> 00:12.000
After the seek

00:12.000 --> 00:12.040
A single frame
""",
)

ASS = f"""\
[Script Info]
ScriptType: v4.00+
PlayResX: {WIDTH}
PlayResY: {HEIGHT}
WrapStyle: 0

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BorderStyle, Outline, Shadow, Alignment, Encoding
Style: Default,Blocks,18,&H00FFFFFF,1,0,0,2,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:04.00,Default,,0,0,0,,{{\\an5\\pos(40,45)}}A
Dialogue: 0,0:00:01.00,0:00:04.00,Default,,0,0,0,,{{\\an7\\pos(110,10)\\c&H0000FF&}}B
Dialogue: 0,0:00:10.00,0:00:12.00,Default,,0,0,0,,{{\\an5\\pos(120,60)}}C
"""


def _row(name: str, ass: str | None = None, fonts: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "id": f"subs-{name.lower()}",
        "name": name,
        "language": "en",
        "default": False,
        "forced": False,
        "format": "ass" if ass else "srt",
        "ass": ass and f"/demo/{ass}",
        "fonts": [{"name": font, "url": f"/demo/{font}"} for font in fonts],
    }


# In the order of the playlist.
ROWS = (
    _row("English"),
    _row("Styled", "styled.ass", ("Blocks.ttf",)),
    _row("Fontless", "styled.ass", ("missing.ttf",)),
    _row("Broken style", "broken.ass"),
    _row("Broken"),
    _row("Holed"),
    _row("Gone"),
)


def make_titles(directory: Path) -> None:
    """Writes everything that `origin_of` serves."""
    _make_video(directory)
    (directory / "Blocks.ttf").write_bytes(block_font("Blocks"))
    (directory / "styled.ass").write_text(ASS)
    (directory / "broken.ass").write_text("<html>502</html>")
    for row in ROWS:
        _make_rendition(directory / row["name"].replace(" ", "-").lower())
    broken = directory / "broken" / "0.vtt"
    broken.write_bytes(b"\x00\x01 not WebVTT\n\n00:00.000 --> 00:09.000\nnever shown\n")
    (directory / "holed" / "0.vtt").unlink()
    (directory / "gone" / "index.m3u8").unlink()
    (directory / "master.m3u8").write_text(_multivariant())
    _make_captioned(directory / "captioned")


def make_film(path: Path) -> None:
    """Writes a Matroska file with a SubRip track “Plain”, an ASS track “Styled”, and its font."""
    directory = path.parent / f"{path.stem}-parts"
    directory.mkdir()
    (directory / "Blocks.ttf").write_bytes(block_font("Blocks"))
    (directory / "styled.ass").write_text(ASS)
    (directory / "plain.srt").write_text("1\n00:00:00,500 --> 00:00:03,000\nFrom <i>SubRip</i>\n")
    inputs = [*_picture(), "-i", "plain.srt", "-i", "styled.ass", "-attach", "Blocks.ttf"]
    names = ["-metadata:s:t:0", "mimetype=font/ttf", "-metadata:s:t:0", "filename=Blocks.ttf"]
    names += ["-metadata:s:s:0", "title=Plain", "-metadata:s:s:1", "title=Styled"]
    streams = ["-map", "0", "-map", "1", "-map", "2", *_CODEC, "-c:s", "copy"]
    _run_ffmpeg(directory, *inputs, *names, *streams, str(path))


def _make_video(directory: Path) -> None:
    segments = ["-hls_time", "4", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    _run_ffmpeg(directory, *_picture(), *_CODEC, *segments, "index.m3u8")


def _make_captioned(directory: Path) -> None:
    directory.mkdir()
    options = ["-x264-params", "slices=1:sliced-threads=0"]
    _run_ffmpeg(directory, *_picture(), *_CODEC, *options, "plain.h264")
    pairs = caption("CAPTIONS", shown_at=25, until=100, frames=SECONDS * 25)
    stream = with_captions((directory / "plain.h264").read_bytes(), pairs)
    (directory / "captioned.h264").write_bytes(stream)
    source = ["-framerate", "25", "-i", "captioned.h264", "-c", "copy"]
    _run_ffmpeg(directory, *source, "-hls_time", "4", "-hls_playlist_type", "vod", "index.m3u8")


_CODEC = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50", "-bf", "0")


def _picture() -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"color=c=0x101010:s={WIDTH}x{HEIGHT}:r=25:d={SECONDS}")


def _run_ffmpeg(directory: Path, *arguments: str) -> None:
    subprocess.run([ffmpeg(), "-v", "error", *arguments], cwd=directory, check=True)


def _make_rendition(directory: Path) -> None:
    directory.mkdir()
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:10", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for index, cues in enumerate(ENGLISH):
        head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
        (directory / f"{index}.vtt").write_text(head + cues)
        lines += ["#EXTINF:10.0,", f"{index}.vtt"]
    (directory / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))


def _multivariant() -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
    for row in ROWS:
        uri = row["name"].replace(" ", "-").lower() + "/index.m3u8"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="{row["name"]}",LANGUAGE="en",'
            f'AUTOSELECT=NO,DEFAULT=NO,URI="{uri}"'
        )
    lines.append(
        f'#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.640014",RESOLUTION={WIDTH}x{HEIGHT},'
        'SUBTITLES="subs"'
    )
    return "\n".join([*lines, "index.m3u8", ""])


def _titles() -> list[dict[str, Any]]:
    film = {
        "id": "film",
        "name": "film",
        "url": "/demo/master.m3u8",
        "duration_seconds": float(SECONDS),
        "source": {"width": WIDTH, "height": HEIGHT, "codec": "h264", "frame_rate": "25/1"},
        "renditions": [],
        "poster": None,
        "thumbnails": None,
        "subtitles": list(ROWS),
        "ass_offset_seconds": 0,
        "error": None,
    }
    shifted = {**film, "id": "shifted", "name": "shifted", "ass_offset_seconds": 2}
    hls = {**film, "id": "hls", "name": "hls", "subtitles": []}
    captioned = {**hls, "id": "captioned", "url": "/demo/captioned/index.m3u8"}
    return [film, shifted, hls, captioned]


async def _list_titles(_request: web.Request) -> web.Response:
    return web.json_response(_titles())


@contextmanager
def origin_of(titles: Path) -> Iterator[str]:
    """Serves what `make_titles` wrote, and the page as an origin does; yields the base URL."""
    app = web.Application()
    add_pages(app.router, require_made("origin/player/dist"), ())
    app.router.add_get("/api/titles", _list_titles)
    app.router.add_static("/demo", titles)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(app, shutdown_timeout=1)
    try:
        yield asyncio.run_coroutine_threadsafe(_start(runner), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(runner: web.AppRunner) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return f"http://{host}:{port}"
