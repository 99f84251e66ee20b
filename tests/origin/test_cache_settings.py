from pathlib import Path

import pytest

from origin.config import load_config
from origin.errors import ConfigError


@pytest.fixture
def libraries(tmp_path: Path) -> dict[str, str]:
    return {"a": str(tmp_path), "b": str(tmp_path)}


def test_budgets_by_library(libraries: dict[str, str]) -> None:
    given = {"libraries": libraries, "library_cache_sizes": {"a": "5GB", "b": 7}}
    assert load_config(None, given).library_cache_sizes == {"a": 5 * 10**9, "b": 7}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("library_cache_sizes", {"c": "1GB"}, "names of libraries, got 'c'"),
        ("library_cache_sizes", {"a": "30GB"}, "no more than cache_size in all"),
        ("library_cache_sizes", {"a": "large"}, "a size such as 20GB"),
        ("library_cache_sizes", "5GB", "a table of sizes by library"),
        ("x_accel_prefix", "upscale-cache", "a path such as /upscale-cache/"),
        ("x_accel_prefix", "/a b/", "a path such as /upscale-cache/"),
        ("x_accel_seconds", -1, "an integer from 0 to 3600"),
        ("cache_bucket_seconds", 0, "a number of seconds greater than 0"),
        ("cache_scrub_rate", "fast", "a size such as 20GB"),
    ],
)
def test_a_mistake_is_one_line(
    libraries: dict[str, str], key: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as raised:
        load_config(None, {"libraries": libraries, key: value})
    assert key in raised.value.detail
    assert "\n" not in raised.value.detail
