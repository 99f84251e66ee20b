import os
from pathlib import Path

import pytest

from origin.config import Config, default_cache_dir, load_config
from origin.config_values import parse_size
from origin.errors import ConfigError


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    return folder


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "origin.toml"
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    config = load_config(None, {})
    assert config == Config()
    assert config.cache == Path("/x/upscale-origin")
    assert (config.host, config.port, config.renditions) == ("127.0.0.1", 8080, ("auto",))
    assert (config.lookahead_segments, config.orphan_grace_seconds) == (2, 30)
    assert 1 <= config.threads <= (os.cpu_count() or 1)


@pytest.mark.parametrize("value", [None, "", "relative"])
def test_the_cache_home_must_be_absolute(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert default_cache_dir() == Path.home() / ".cache" / "upscale-origin"


def test_a_file_is_read_and_the_command_line_stands_above_it(tmp_path: Path, films: Path) -> None:
    path = written(
        tmp_path,
        'port = 1\ncache = "c"\ncache_size = "1.5GB"\nrenditions = ["2x:lanczos"]\n'
        'hang_seconds = 5\n[libraries]\nfilms = "films"\n',
    )
    given = {"port": 2, "device": "cuda:1", "host": None, "libraries": [f"more={films}"]}
    config = load_config(path, given)
    assert (config.port, config.device, config.host) == (2, "cuda:1", "127.0.0.1")
    assert config.cache == tmp_path / "c"
    assert config.cache_size == 1_500_000_000
    assert config.hang_seconds == 5.0
    assert config.renditions == ("2x:lanczos",)
    assert config.libraries == {"films": films, "more": films}


def test_libraries_may_be_a_mapping_and_a_source_may_hold_an_equals_sign(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert load_config(None, {"libraries": {"x": odd}}).libraries == {"x": odd}
    assert load_config(None, {"libraries": [f"x={odd}"]}).libraries == {"x": odd}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1234", 1234),
        ("20GB", 20 * 10**9),
        ("20 gb", 20 * 10**9),
        ("20G", 20 * 10**9),
        ("1.5MiB", 3 * 2**19),
        ("2Ki", 2048),
        ("1TB", 10**12),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1PB", "1 2", "1e9", "20GBs", "0x10", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        parse_size(text)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("port", "8080", "an integer from 0 to 65535, got '8080'"),
        ("port", 70000, "an integer from 0 to 65535"),
        ("port", True, "an integer"),
        ("host", "", "a text that is not empty"),
        ("cache", 7, "a path"),
        ("cache_size", "lots", "a size such as 20GB or 512MiB"),
        ("cache_size", -1, "a size such as 20GB"),
        ("ram_cache_size", 1.5, "a size such as 20GB"),
        ("device", "gpu", "auto, cpu, cuda or cuda:N"),
        ("renditions", "auto", "a list of rendition specs"),
        ("renditions", [1], "a text that is not empty"),
        ("threads", 0, "an integer from 1"),
        ("lookahead_segments", -1, "an integer from 0"),
        ("orphan_grace_seconds", 0, "a number of seconds greater than 0"),
        ("hang_seconds", float("inf"), "a number of seconds"),
        ("drain_seconds", "20", "a number of seconds"),
        ("log_format", "xml", "one of text, json"),
        ("libraries", 7, "NAME=SOURCE"),
        ("libraries", ["films"], "NAME=SOURCE"),
        ("libraries", ["=."], "a name of up to 64 letters"),
        ("libraries", ["a/b=."], "a name of up to 64 letters"),
        ("libraries", ["..=."], "starting with a letter or digit"),
        ("libraries", ["api=."], "none of api"),
        ("libraries", ["a=.", "a=."], "each library once"),
        ("libraries", ["a="], "a directory"),
        ("libraries", ["a=/no/such/folder"], "a directory that exists, not '/no/such/folder'"),
        ("libraries", ["a=https://host/x"], r"a directory .https:// sources are not supported yet"),
        ("libraries", ["a=s3://bucket"], r"a directory .s3:// sources are not supported yet"),
        ("libraries", {"a": 3}, "a directory"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_was_expected(
    key: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigError, match=f"^command line: {key}: expected .*{expected}") as caught:
        load_config(None, {key: value})
    assert "\n" not in caught.value.detail
    assert caught.value.source == key


def test_an_unknown_key_names_the_nearest_or_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"origin.toml: unknown key 'prot', expected port"):
        load_config(written(tmp_path, "prot = 1"), {})
    with pytest.raises(ConfigError, match=r"unknown key 'zzzz', expected libraries, host, port"):
        load_config(None, {"zzzz": 1})


def test_a_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a TOML file: No such file"):
        load_config(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match=r"expected TOML: .*line 1"):
        load_config(written(tmp_path, "port 8080"), {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="expected TOML"):
        load_config(tmp_path / "binary.toml", {})
