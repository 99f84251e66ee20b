import json
import resource
from pathlib import Path

import pytest

from origin.cli import main
from origin.config import Config
from origin.doctor import State, checks, examine


def states(config: Config) -> dict[str, State]:
    return {finding.name: finding.state for finding in examine(config)}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(cache=tmp_path / "not yet" / "cache", cache_size=1, renditions=("2x:lanczos",))


def test_a_machine_that_passes_these_tests_is_well(config: Config) -> None:
    assert State.BAD not in states(config).values()
    assert not config.cache.exists()


def test_a_rendition_that_cannot_be_made_is_bad(tmp_path: Path) -> None:
    found = states(Config(cache=tmp_path, renditions=("2x:nothing", "gibberish")))
    assert found["rendition 2x:nothing"] is State.BAD
    assert found["rendition gibberish"] is State.BAD


def test_a_device_that_is_not_there_is_bad(tmp_path: Path) -> None:
    assert states(Config(cache=tmp_path, device="cuda:99"))["device"] is State.BAD


def test_a_cache_that_cannot_be_written_is_bad(config: Config, monkeypatch) -> None:
    def full(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(checks.tempfile, "NamedTemporaryFile", full)
    assert states(config)["cache"] is State.BAD


def test_too_small_a_disk_and_too_few_files_are_noted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    found = states(Config(cache=tmp_path, cache_size=10**18, ram_cache_size=10**15))
    assert found["cache"] is found["open files"] is found["memory"] is State.NOTE


def test_a_clock_that_is_off_is_told(config: Config, monkeypatch) -> None:
    now = checks.time.time()
    monkeypatch.setattr(checks.time, "time", lambda: now + 60)
    assert states(config)["clock"] is State.NOTE
    monkeypatch.setattr(checks.time, "time", lambda: 0)
    assert states(config)["clock"] is State.BAD


def test_a_library_that_cannot_be_read_is_bad(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checks.os, "access", lambda *_: False)
    found = states(Config(cache=tmp_path, libraries={"films": tmp_path}))
    assert found["library films"] is State.BAD


def test_it_is_noted_if_nobody_may_read_the_metrics(tmp_path: Path) -> None:
    secrets = ("sixteen letters or more",)
    assert states(Config(cache=tmp_path))["access"] is State.OK
    assert states(Config(cache=tmp_path, cdn_secrets=secrets))["access"] is State.NOTE
    for more in ({"admin_keys": secrets}, {"admin_port": 8081}):
        assert states(Config(cache=tmp_path, cdn_secrets=secrets, **more))["access"] is State.OK


def test_the_command_tells_scripts_and_people(tmp_path: Path, capsys) -> None:
    options = ["doctor", "--quick", "--cache", str(tmp_path), "--rendition"]
    assert main([*options, "2x:anime4k-m", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"name", "state", "detail"} == rows[0].keys()
    assert main([*options, "2x:nothing"]) == 1
    assert "no such model: nothing" in capsys.readouterr().out


def test_bench_measures_each_model_at_each_size(capsys) -> None:
    assert main(["bench", "--models", "bilinear,lanczos", "--sizes", "32x18,64x36", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = document["rows"]
    assert [(row["model"], row["width"]) for row in rows] == [
        ("bilinear", 32),
        ("bilinear", 64),
        ("lanczos", 32),
        ("lanczos", 64),
    ]
    for row in rows:
        assert row["frames_per_second"] > 0
        assert row["real_time"] == pytest.approx(row["frames_per_second"] / 23.976, rel=1e-4)
        assert {"upscale", "encode"} <= row["stages"].keys()


@pytest.mark.parametrize(
    "options",
    [
        ["--models", "nothing"],
        ["--models", "identity"],
        ["--sizes", "33x18"],
        ["--sizes", "big"],
        ["--threads", "0"],
        ["--device", "cuda:99"],
    ],
)
def test_bench_refuses_what_it_cannot_measure_in_a_line(options: list[str], capsys) -> None:
    assert main(["bench", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("are_large", [True, False])
def test_large_pages_are_worth_a_note(config: Config, monkeypatch, are_large: bool) -> None:
    monkeypatch.setattr(checks, "has_large_pages", lambda: are_large)
    assert states(config).get("pages") == (State.NOTE if are_large else None)
