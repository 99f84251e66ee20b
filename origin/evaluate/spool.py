"""Frames on disk, so that memory holds but a few of them: YUV4MPEG2 files, which FFmpeg reads."""

from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from sr.types import Planes

_FRAME = b"FRAME\n"


class FrameFile:
    """8-bit 4:2:0 frames of one size, written one after the other, read in any order.

    For one thread. Sizes are even. As a context manager, it deletes the file at the end.
    """

    def __init__(
        self, path: Path, width: int, height: int, rate: Fraction, *, full_range: bool
    ) -> None:
        """Create the file."""
        self.path, self._shape = path, (height, width)
        tag = "FULL" if full_range else "LIMITED"
        size = f"W{width} H{height} F{rate.numerator}:{rate.denominator}"
        header = f"YUV4MPEG2 {size} Ip A1:1 C420mpeg2 XCOLORRANGE={tag}\n".encode()
        self._first = len(header)
        self._frame_bytes = len(_FRAME) + width * height * 3 // 2
        self._file = path.open("w+b")
        self._file.write(header)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, planes: Planes) -> None:
        """Write the next frame."""
        self._file.seek(self._first + self._count * self._frame_bytes)
        self._file.write(_FRAME)
        for plane in planes:
            self._file.write(np.ascontiguousarray(plane).data)
        self._count += 1

    def __getitem__(self, index: int) -> Planes:
        """Read a frame, as an array of its own."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        height, width = self._shape
        self._file.seek(self._first + index * self._frame_bytes + len(_FRAME))
        data = np.frombuffer(self._file.read(self._frame_bytes - len(_FRAME)), np.uint8)
        luma, chroma = height * width, height * width // 4
        u, v = data[luma : luma + chroma], data[luma + chroma :]
        half = (height // 2, width // 2)
        return Planes(data[:luma].reshape(height, width), u.reshape(half), v.reshape(half))

    def flush(self) -> None:
        """Let other programs read what was written."""
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give the disk its room back."""
        self._file.close()
        self.path.unlink(missing_ok=True)
