"""What operators are given: metrics, their documentation, a dashboard, a deployment."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from tests.http_client import get, get_many
from tests.tools import ROOT, free_port, require, run_origin, stopping, wait_for_port

DOCKER = ROOT / "docker"
_SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict[str, str]:
    """Type by name of all metrics of a running origin."""
    folder = tmp_path_factory.mktemp("published")
    (library := folder / "library").mkdir()
    with run_origin(f"lib={library}", "--device", "cpu", "--cache", folder / "cache") as base:
        lines = get(f"{base}/metrics").body.decode().splitlines()
    types = [line.split()[2:] for line in lines if line.startswith("# TYPE ")]
    return {name: kind for name, kind in types if not name.endswith("_created")}


def sample_names(published: dict[str, str]) -> set[str]:
    return {name + suffix for name, kind in published.items() for suffix in _SUFFIXES[kind]}


def test_the_dashboard_asks_for_metrics_that_exist(published):
    dashboard = json.loads((DOCKER / "grafana/dashboards/upscale-origin.json").read_text())
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            assert target["expr"].count("(") == target["expr"].count(")")
            asked |= set(re.findall(r"(?:upscale_origin|process)_\w+", target["expr"]))
    assert asked - sample_names(published) == set()
    ours = {name for name in published if name.startswith("upscale_origin_")}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert ours - families == set(), "what is published is shown"


def test_panels_do_not_overlap():
    dashboard = json.loads((DOCKER / "grafana/dashboards/upscale-origin.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)


def test_every_metric_is_documented(published):
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("### Metrics\n")[2].partition("\n#")[0]
    documented = set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    ours = {name for name in published if name.startswith("upscale_origin_")}
    assert documented == {name.removeprefix("upscale_origin_") for name in ours}


def test_the_deployment_refers_to_what_exists():
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"origin", "cdn", "prometheus", "grafana"}
    build = services["origin"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
    for service in services.values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).exists(), source
            elif not source.startswith("$"):
                assert source in compose["volumes"]
        assert set(service.get("depends_on", ())) <= set(services)
    dashboard = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DOCKER / "grafana/dashboards" / Path(dashboard).name).is_file()


def test_prometheus_and_grafana_find_each_other():
    scraped = yaml.safe_load((DOCKER / "prometheus.yaml").read_text())["scrape_configs"]
    assert scraped[0]["static_configs"][0]["targets"] == ["origin:8080"]
    provisioning = DOCKER / "grafana/provisioning"
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())
    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090"
    dashboard = json.loads((DOCKER / "grafana/dashboards/upscale-origin.json").read_text())
    uids = {panel["datasource"]["uid"] for panel in dashboard["panels"] if "datasource" in panel}
    assert uids == {source["uid"]}
    files = yaml.safe_load((provisioning / "dashboards/files.yaml").read_text())
    assert files["providers"][0]["options"]["path"] == "/var/lib/grafana/dashboards"


class _Slow(BaseHTTPRequestHandler):
    """Answers with a body that may be kept, and notes who asked for what."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = f"body of {self.path.partition('?')[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "public, max-age=31536000, immutable")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cdn(tmp_path) -> Iterator[tuple[str, list[str]]]:
    """nginx by docker/nginx.conf, its names and folders replaced; and what its origin was asked."""
    nginx = require("nginx")
    handler = type("Handler", (_Slow,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    text = (DOCKER / "nginx.conf").read_text()
    for old, new in {
        "server origin:8080": f"server 127.0.0.1:{server.server_port}",
        "listen 80;": f"listen 127.0.0.1:{port};",
        "/tmp/nginx.pid": str(tmp_path / "nginx.pid"),
        "/dev/stderr": str(tmp_path / "error.log"),
        "/var/cache/nginx": str(tmp_path),
    }.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "nginx.conf").write_text(text)
    command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    command += ["-e", str(tmp_path / "error.log")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    user = "user root; " if os.geteuid() == 0 else ""
    command += ["-g", f"{user}daemon off;"]
    process = subprocess.Popen(command, text=True, start_new_session=True)
    with server, stopping(process):
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}", handler.asked
        server.shutdown()


def test_the_cdn_asks_once_for_all_players_whatever_they_tell_of_themselves(cdn):
    base, asked = cdn
    replies = get_many([f"{base}/lib/a/1.ts?CMCD=bl%3D{at}" for at in range(40)])
    assert {reply.body for reply in replies} == {b"body of /lib/a/1.ts"}
    assert len(asked) == 1
    assert get(f"{base}/lib/a/2.ts").headers["X-CDN-Cache"] == "MISS"
    assert get(f"{base}/lib/a/2.ts").headers["X-CDN-Cache"] == "HIT"


def test_the_cdn_keeps_operators_pages_to_itself(cdn):
    base, asked = cdn
    assert get(f"{base}/metrics").status == get(f"{base}/api/warm").status == 404
    assert get(f"{base}/api/warm/1").status == 404
    assert asked == []
