"""What all tests share."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from origin import demo
from origin.errors import ConfigError

settings.register_profile(
    "patient",  # timings never decide whether a test passes
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)
settings.register_profile(
    "fuzz",  # `make fuzz`
    parent=settings.get_profile("patient"),
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "2000")),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))


def pytest_configure() -> None:
    """What is written where there is no terminal shall not depend on who runs the tests."""
    os.environ["TERM"] = "xterm"
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI=true nothing may be missing but a GPU: a skip is a failure."""
    report = yield
    expected = hasattr(report, "wasxfail") or item.get_closest_marker("needs_cuda")
    if report.skipped and not expected and os.environ.get("CI") == "true":
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def clip() -> Path:
    """Big Buck Bunny: 1280x720, 25 fps, 132 frames, with sound."""
    try:
        return demo.find_clip()
    except ConfigError as error:
        pytest.skip(error.detail)


@pytest.fixture(scope="session")
def small_library(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo library in miniature: 256x144 and 128x72, 40 s, segments of 4 s."""
    library = tmp_path_factory.mktemp("library") / "small"
    demo.prepare(clip, library, height=144, seconds=40)
    return library


@pytest.fixture(scope="session")
def cuda() -> str:
    """A CUDA device; without one the test is skipped, or fails where FAIL_WITHOUT_CUDA=1."""
    import torch  # noqa: PLC0415 (heavy)

    if torch.cuda.is_available():
        return "cuda:0"
    if os.environ.get("FAIL_WITHOUT_CUDA") == "1":
        pytest.fail("FAIL_WITHOUT_CUDA=1, and torch sees no CUDA device")
    pytest.skip("no CUDA device: needs an NVIDIA GPU and a CUDA build of torch")
