"""ADTS headers of AAC in MPEG-TS (ISO/IEC 13818-7, 6.2)."""


def is_adts(packet: bytes) -> bool:
    """Whether an AAC packet begins with an ADTS header."""
    return len(packet) >= 7 and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0


def strip(packet: bytes) -> bytes:
    """Return the raw AAC frame of a packet, which may or may not have a header."""
    if not is_adts(packet):
        return packet
    return packet[7 if packet[1] & 1 else 9 :]


def audio_specific_config(packet: bytes) -> bytes | None:
    """Make MP4's AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of an ADTS packet's header.

    Returns:
        None where the packet has no header, or describes its channels within the frame.
    """
    if not is_adts(packet):
        return None
    object_type = (packet[2] >> 6) + 1
    frequency = packet[2] >> 2 & 0xF
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    if channels == 0:
        return None
    return (object_type << 11 | frequency << 7 | channels << 3).to_bytes(2, "big")
