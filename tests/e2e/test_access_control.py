"""Signed paths, a CDN's secret and administrators, against a running origin."""

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from origin.access import sign
from tests.ffmpeg_client import decode
from tests.http_client import get
from tests.media.synth import Clip, write_file, write_hls
from tests.nginx import checking_proxy
from tests.tools import ROOT, free_port, run_origin

KEY, MD5, CDN, ADMIN = ("sixteen letters " + name for name in ("key", "md5", "cdn", "admin"))
CLIP = Clip(frames=48)
HLS, FILE = "/lib/ts/index.m3u8", "/lib/film.mkv/index.m3u8"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("access")
    write_hls(root / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_file(root / "film.mkv", CLIP)
    return root


def settings(folder: Path, library: Path, **more: object) -> Path:
    lines = [f"{key} = {value!r}" for key, value in more.items()]
    text = "\n".join([f"cache = {str(folder / 'cache')!r}", 'renditions = ["2x:lanczos"]', *lines])
    path = folder / "origin.toml"
    path.write_text(f"{text}\n[libraries]\nlib = {str(library)!r}\n[signing_keys]\nk1 = {KEY!r}\n")
    return path


def signed(path: str, config: Path, *options: str) -> str:
    command = [sys.executable, "-m", "origin", "sign", path, "--config", str(config), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def config(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    return settings(folder, library, secure_link_secret=MD5, admin_keys=[ADMIN])


@pytest.fixture(scope="module")
def base(config: Path) -> str:
    with run_origin("--config", config) as url:
        while any(row["status"] == "preparing" for row in listed(url)):
            time.sleep(0.1)
        yield url


def listed(url: str) -> list[dict[str, str]]:
    reply = get(f"{url}/api/titles", Authorization=f"Bearer {ADMIN}")
    assert reply.status == 200
    return reply.json


@pytest.mark.parametrize("path", [HLS, FILE])
def test_a_client_that_follows_a_signed_playlist_gets_everything(
    base: str, config: Path, path: str
) -> None:
    url = base + signed(path, config)
    played = decode(url)
    assert played.problems == ()
    assert [len(stream.pts) for stream in played.video] == [CLIP.frames] * 2


@pytest.mark.parametrize("path", [HLS, FILE, "/lib/ts/0.ts"])
def test_without_a_token_nothing_of_a_title_is_served(base: str, path: str) -> None:
    reply = get(base + path)
    assert reply.status == 403
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_token_is_good_for_its_title_and_its_time(base: str, config: Path) -> None:
    path = signed(HLS, config)
    assert get(base + path.replace("/lib/ts/", "/lib/film.mkv/")).status == 403
    expired = sign(HLS, key="k1", secret=KEY, expires=int(time.time()) - 1, depth=2)
    assert get(base + expired).status == 403
    assert "expired" in get(base + expired).json["detail"]
    whole = sign(HLS, key="k1", secret=KEY, expires=int(time.time()) + 60, depth=0)
    assert get(base + whole).status == 200


def test_tokens_are_in_no_key_of_the_cache_and_no_line_of_the_log(
    library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = settings(tmp_path, library, log_format="json")
    with run_origin("--config", config) as url:
        found = set()
        for hours in ("1h", "2h"):
            path = signed(FILE, config, "--valid", hours)
            token = path.split("/")[1]
            lines = get(url + path).body.decode().splitlines()
            variant = next(line for line in lines if line.startswith("up-"))
            playlist = url + path.replace("index.m3u8", variant)
            lines = get(playlist).body.decode().splitlines()
            segment = next(line for line in lines if line.endswith(".m4s"))
            reply = get(playlist.replace("index.m3u8", segment))
            assert reply.status == 200
            found.add((reply.headers["X-Cache"], reply.headers["ETag"]))
            assert get(f"{url}/{token}/lib/missing.m3u8").status == 403
    assert {cache for cache, _ in found} == {"miss", "hit"}
    assert len({etag for _, etag in found}) == 1
    log = capfd.readouterr().err
    assert "/~*/lib/film.mkv" in log
    assert token.split(".")[-1] not in log
    assert KEY not in log


def test_administrators_bear_a_key_or_have_a_port(base: str, library: Path, tmp_path: Path) -> None:
    assert get(f"{base}/metrics").status == 403
    assert get(f"{base}/metrics", Authorization="Bearer wrong").status == 403
    assert get(f"{base}/metrics", Authorization=f"Bearer {ADMIN}").status == 200
    assert get(f"{base}/api/titles").status == 403
    assert get(f"{base}/healthz").status == 200

    port = free_port()
    config = settings(tmp_path, library, admin_port=port)
    with run_origin("--config", config) as url:
        assert get(f"{url}/metrics").status == 404
        assert get(f"{url}/api/titles").status == 403
        assert get(f"http://127.0.0.1:{port}/metrics").status == 200
        assert get(f"http://127.0.0.1:{port}/api/titles").status == 200
        assert get(f"http://127.0.0.1:{port}/").status == 404


def test_with_neither_nobody_is_an_administrator(library: Path, tmp_path: Path) -> None:
    with run_origin("--config", settings(tmp_path, library)) as url:
        for path in ("/metrics", "/api/warm", "/api/titles"):
            reply = get(url + path)
            assert reply.status == 403
            assert "set admin_keys or admin_port" in reply.json["detail"]
            assert get(url + path, X_Forwarded_For="127.0.0.1").status == 403
        assert get(f"{url}/healthz").status == 200


def test_a_cdn_shows_its_secret(library: Path, tmp_path: Path) -> None:
    with run_origin("--config", settings(tmp_path, library, cdn_secrets=[CDN, CDN + "2"])) as url:
        path = sign(HLS, key="k1", secret=KEY, expires=int(time.time()) + 60, depth=2)
        assert get(url + path).status == 403
        assert get(url + path, X_Origin_Secret="wrong").status == 403
        assert get(url + path, X_Origin_Secret=CDN).status == 200
        assert get(url + path, X_Origin_Secret=CDN + "2").status == 200
        assert get(url + HLS, X_Origin_Secret=CDN).status == 403
        deadline = time.monotonic() + 60
        while get(f"{url}/readyz").status == 503 and time.monotonic() < deadline:
            time.sleep(0.1)  # its workers may be about to start
        assert get(f"{url}/readyz").status == 200


def test_nginx_agrees_on_what_secure_link_is(base: str, config: Path, tmp_path: Path) -> None:
    """The very same URL is checked by nginx's module in front and by the origin behind."""
    path = signed(HLS, config, "--key", "md5")
    assert urlsplit(path).path.startswith("/~md5.")
    with checking_proxy(tmp_path, base, MD5) as front:
        assert get(front + path).status == 200
        assert get(front + path).body == get(base + path).body
        altered = path.replace("/lib/ts/", "/lib/other/")
        assert get(front + altered).status == 403
        assert get(base + altered).status == 403


def test_a_signature_needs_a_key(library: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, library)
    command = [sys.executable, "-m", "origin", "sign", HLS, "--config", str(config), "--key", "k2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "upscale-origin: no such key: k2; there are: k1\n"
