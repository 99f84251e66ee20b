"""What tests of sr share."""

from pathlib import Path

import pytest

from sr import Planes
from tests.sr.frames import decode, split_planes


@pytest.fixture(scope="session")
def film(clip: Path) -> Planes:
    """A 160x90 frame of the real clip."""
    return split_planes(decode(clip, "crop=640:360,scale=160:90:flags=area", "yuv420p"), 160, 90)
