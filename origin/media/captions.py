"""CEA-608/708 captions, which live in the pictures of H.264, HEVC and MPEG-2: carried over."""

from av.video.frame import VideoFrame

from origin.media.frames import side_data

_ATSC_HEADER = b"\xb5\x00\x31GA94\x03"
"""Country (USA), provider (ATSC), user identifier, cc_data (ATSC A/53 part 4, 6.2.3)."""


def captions_of(frame: VideoFrame) -> bytes:
    """Return the cc_data triples that a decoded frame carries; empty for none."""
    return side_data(frame, "A53_CC") or b""


def sei(triples: bytes) -> bytes:
    """Make the SEI unit (user_data_registered_itu_t_t35) that H.264 carries cc_data in."""
    count = len(triples) // 3
    payload = _ATSC_HEADER + bytes((0x40 | count, 0xFF)) + triples + b"\xff"
    size = b"\xff" * (len(payload) // 255) + bytes((len(payload) % 255,))
    return b"\x06" + _escape(b"\x04" + size + payload + b"\x80")


def _escape(data: bytes) -> bytes:
    """Insert emulation prevention bytes (H.264 7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in data:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
