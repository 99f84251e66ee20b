"""What tests of sr share."""

import os
from pathlib import Path

import pytest

from sr import Planes
from tests.sr.frames import decode, split_planes


@pytest.fixture(scope="session")
def film(clip: Path) -> Planes:
    """A 160x90 frame of the real clip."""
    return split_planes(decode(clip, "crop=640:360,scale=160:90:flags=area", "yuv420p"), 160, 90)


@pytest.fixture(scope="session")
def cuda() -> str:
    """A CUDA device; without one the test is skipped, or fails where FAIL_WITHOUT_CUDA=1."""
    import torch  # noqa: PLC0415 (heavy)

    if torch.cuda.is_available():
        return "cuda:0"
    if os.environ.get("FAIL_WITHOUT_CUDA") == "1":
        pytest.fail("FAIL_WITHOUT_CUDA=1, and torch sees no CUDA device")
    pytest.skip("no CUDA device: needs an NVIDIA GPU and a CUDA build of torch")
