"""Colour description of a video signal, in the code points of ITU-T H.273 (2 = unspecified)."""

from dataclasses import dataclass

UNSPECIFIED = 2
BT709 = 1
BT470BG = 5
SMPTE170M = 6
BT2020_NCL = 9
TRANSFER_PQ = 16
TRANSFER_HLG = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """How YUV samples are to be understood."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False

    @property
    def is_sdr(self) -> bool:
        """Whether the transfer is neither PQ nor HLG."""
        return self.transfer not in (TRANSFER_PQ, TRANSFER_HLG)
