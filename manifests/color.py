"""Colour description of a video signal, in the code points of ITU-T H.273 (2 = unspecified)."""

from dataclasses import dataclass, replace

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

    @property
    def is_bt601(self) -> bool:
        """Whether the matrix is that of BT.601, in either of its two code points."""
        return self.matrix in (BT470BG, SMPTE170M)

    def resolved(self, height: int) -> "Color":
        """What players take for unspecified: BT.601 below `HD_HEIGHT`, BT.709 from there on."""
        default = BT709 if height >= HD_HEIGHT else SMPTE170M
        return replace(
            self,
            matrix=default if self.matrix == UNSPECIFIED else self.matrix,
            primaries=default if self.primaries == UNSPECIFIED else self.primaries,
            transfer=default if self.transfer == UNSPECIFIED else self.transfer,
        )


HD_HEIGHT = 720


def output_color(source: Color, *, source_height: int, height: int) -> Color:
    """The colour of a produced variant (law 10).

    An HD picture made of SDR BT.601 becomes BT.709, since that is how players show HD; the range
    stays. Everything else keeps the source's colour, tagged.
    """
    color = source.resolved(source_height)
    if height >= HD_HEIGHT and color.is_sdr and color.is_bt601:
        return replace(color, matrix=BT709, primaries=BT709, transfer=BT709)
    return color
