"""A hundred thousand bent and broken paths: nothing but the library's own is ever served."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from origin.app import build
from origin.config import Config
from origin.errors import OriginError
from origin.routes import SERVICE
from origin.scheduler import Klass
from origin.service.answers import FileAnswer, PlaylistAnswer, ProducedAnswer
from tests.cdn.mutating import Mutations
from tests.http_client import title
from tests.media.synth import Clip, write_file, write_hls
from tests.tools import run_origin

IN_PROCESS, OVER_SOCKETS = 96_000, 4_000
CANARY = b"a-canary-from-outside-of-the-library"
MARKS = (CANARY, b"root:x:", b"[libraries]")
REFUSALS = {400, 403, 404, 405, 414, 422, 431, 502}
SECRETS = ("secret.ts", "secret.m3u8", "secret.mp4", "secret.aac", "secret.jpg")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """With links out of it, and secrets beside it."""
    root = tmp_path_factory.mktemp("mutations")
    outside, library = root / "outside", root / "library"
    outside.mkdir()
    for folder in (outside, root):
        for name in SECRETS:
            text = b"#EXTM3U\n#" if name.endswith("m3u8") else b""
            (folder / name).write_bytes(text + CANARY)
    write_hls(library / "t", Clip(frames=48), "mpegts", segment_seconds=0.9)
    write_file(library / "film.mkv", Clip(frames=48))
    (library / "inner.ts").symlink_to(library / "t" / "s000.ts")
    for name in SECRETS:
        (library / name).symlink_to(outside / name)
    (library / "out").symlink_to(outside)
    (library / "up").symlink_to("..")
    (library / "etc").symlink_to("/etc")
    (library / "round").symlink_to("round")
    os.mkfifo(library / "pipe.aac")
    return library


def targets(library: Path) -> list[str]:
    root = library.parent
    beside = [f"outside/{name}" for name in SECRETS] + list(SECRETS)
    linked = [f"{folder}/{name}" for folder in ("out", "up", "up/outside") for name in SECRETS]
    absolute = [str(root / "outside" / name) for name in SECRETS]
    system = ["/etc/passwd", "etc/passwd", "/proc/self/environ", "origin.toml", "cache"]
    return [*beside, *linked, *absolute, *system, f"{root}/origin.toml"]


def served(*, segment: str, playlist: str) -> list[str]:
    """Paths that are answered, of each kind."""
    return [
        "/lib/t/index.m3u8",
        "/lib/t/s000.ts",
        "/lib/film.mkv/index.m3u8",
        "/lib/film.mkv/source/index.m3u8",
        "/lib/inner.ts",
        segment,
        playlist,
        "/api/titles",
        "/api/shaders/anime4k-m.glsl",
        "/player/assets/index.js",
        "/",
    ]


async def test_no_path_leads_out_of_the_library(library, tmp_path):
    config = Config(
        libraries={"lib": library}, cache=tmp_path, device="cpu", renditions=("2x:lanczos",)
    )
    async with build(config) as app:
        service = app[SERVICE]
        offered = await service.answer("lib/t/index.m3u8", Klass.BLOCKING)
        assert isinstance(offered, PlaylistAnswer)
        playlist = "/lib/t/" + offered.text.splitlines()[-1]
        listed = await service.answer(playlist.removeprefix("/"), Klass.BLOCKING)
        assert isinstance(listed, PlaylistAnswer)
        segment = playlist.rpartition("/")[0] + "/" + listed.text.splitlines()[-2]
        known = served(segment=segment, playlist=playlist)
        kinds = {FileAnswer: 0, PlaylistAnswer: 0, ProducedAnswer: 0}
        for path in islice(Mutations(known, targets(library), seed=1), IN_PROCESS):
            try:
                answer = await service.answer(path.partition("?")[0].removeprefix("/"))
            except OriginError:
                continue
            kinds[type(answer)] += 1
            assert_inside(answer, library)
    assert all(kinds.values()), "some mutations hit what is served"


def assert_inside(answer: FileAnswer | PlaylistAnswer | ProducedAnswer, library: Path) -> None:
    match answer:
        case FileAnswer():
            assert answer.path == answer.path.resolve()
            assert answer.path.is_relative_to(library)
            assert answer.path.is_file()
        case PlaylistAnswer():
            assert not any(mark in answer.text.encode() for mark in MARKS)
        case ProducedAnswer():
            assert not any(mark in answer.body for mark in MARKS)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Without a client's own ideas of what a path may be."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1", "replace"))
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    return int(answer[9:12]), answer


def test_no_request_gets_a_byte_from_outside(library):
    root = library.parent
    settings = root / "origin.toml"
    settings.write_text(f'log_level = "error"\n[libraries]\nlib = "{library}"\n')
    options = ("--rendition", "2x:lanczos", "--device", "cpu", "--config", settings)
    with run_origin(*options, "--cache", root / "cache") as base:
        track = title(f"{base}/lib/t/index.m3u8").produced_track()
        segment, playlist = (url.removeprefix(base) for url in (track.segments[0], track.url))
        known = served(segment=segment, playlist=playlist)
        paths = list(islice(Mutations(known, targets(library), seed=2), OVER_SOCKETS))
        port = int(base.rpartition(":")[2])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda path: ask(port, path), paths))
    statuses = {status for status, _ in answers}
    assert {200, 400, 404} <= statuses <= {200, 501, *REFUSALS}
    for path, (_, answer) in zip(paths, answers, strict=True):
        assert not any(mark in answer for mark in MARKS), path
