"""One origin, nginx and Varnish in front of it with their defaults, and nginx to send files."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import nginx, varnish
from tests.http_client import get, title, titles
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.tools import run_origin

CLIP = Clip(frames=100, gop=25, sounds=(Sound(),))
FRONTS = ("direct", "nginx", "varnish", "sending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    base: str
    library: Path
    outside: Path
    """Beside the library; no byte of it may be served."""
    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    path: str
    kind: str
    """`produced` for ever, `file` of the library, or `text`."""
    body: bytes
    """As the origin itself sends it."""


@pytest.fixture(scope="session")
def origin(tmp_path_factory) -> Iterator[Origin]:
    root = tmp_path_factory.mktemp("cdn")
    library = root / "library"
    write_hls(library / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_hls(library / "fmp4", CLIP, "fmp4", segment_seconds=0.9)
    write_file(library / "film.mkv", replace(CLIP, frames=250))
    (root / "outside").mkdir()
    settings = root / "origin.toml"
    settings.write_text('log_level = "warning"\nx_accel_prefix = "/upscale-cache/"\n')
    options = ("--rendition", "2x:lanczos", "--device", "cpu", "--cache", root / "cache")
    with run_origin(f"lib={library}", *options, "--config", settings) as base:
        titles(base)
        yield Origin(base=base, library=library, outside=root / "outside", cache=root / "cache")


@pytest.fixture(scope="session")
def fronts(origin, tmp_path_factory) -> Iterator[dict[str, str]]:
    """Base URLs by the name of what stands in front."""
    with (
        nginx.caching_proxy(tmp_path_factory.mktemp("nginx"), origin.base) as by_nginx,
        varnish.caching_proxy(tmp_path_factory.mktemp("varnish"), origin.base) as by_varnish,
        nginx.sending_proxy(
            tmp_path_factory.mktemp("sending"), origin.base, origin.cache / "bodies-2"
        ) as sending,
    ):
        yield {
            "direct": origin.base,
            "nginx": by_nginx,
            "varnish": by_varnish,
            "sending": sending,
        }


@pytest.fixture(scope="session")
def resources(origin) -> dict[str, Resource]:
    """One of each kind, by name."""
    base = origin.base
    ts = title(f"{base}/lib/ts/index.m3u8").produced_track()
    fmp4 = title(f"{base}/lib/fmp4/index.m3u8").produced_track()
    film = title(f"{base}/lib/film.mkv/index.m3u8")
    row = titles(base)["lib/film.mkv"]
    assert fmp4.init is not None
    produced = {
        "segment": ts.segments[1],
        "fragment": fmp4.segments[0],
        "init": fmp4.init,
        "packaged": film.source_track().segments[0],
        "poster": base + row["poster"],
        "thumbnails": base + row["thumbnails"],
    }
    texts = {
        "multivariant": f"{base}/lib/ts/index.m3u8",
        "playlist": ts.url,
        "titles": f"{base}/api/titles",
        "shader": f"{base}/api/shaders/anime4k-m.glsl",
    }
    files = {"source": f"{base}/lib/ts/s001.ts"}
    kinds = {"produced": produced, "text": texts, "file": files}
    return {
        name: Resource(path=url.removeprefix(base), kind=kind, body=get(url).body)
        for kind, urls in kinds.items()
        for name, url in urls.items()
    }
