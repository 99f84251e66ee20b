import io
import pickle
import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from manifests.color import Color
from origin.errors import ProductionError
from origin.media import adts, boxes, nal
from origin.media.fmp4 import Sample, Track, build_fragment, build_init, fragment_size

TURNED = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
EDIT_LIST = boxes.box(b"edts", boxes.full_box(b"elst", 0, 0, struct.pack(">IIiI", 1, 0, 2000, 1)))


def encode(codec: str, frames: int = 12, *, global_header: bool = True, **attributes):
    """An open encoder's context and its packets, in a time base of 1/24000."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 160, 90, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 24000), Fraction(24)
    context.thread_count = 1
    if global_header:
        context.flags |= av.codec.context.Flags.global_header
    for name, value in attributes.items():
        setattr(context, name, value)
    packets = []
    for index in range(frames):
        frame = av.VideoFrame.from_ndarray(
            np.full((135, 160), 16 + 9 * index, np.uint8), format="yuv420p"
        )
        frame.pts, frame.time_base = 48000 + 1000 * index, context.time_base
        packets += context.encode(frame)
    return context, packets + context.encode(None)


def encode_sound(codec: str, frames: int = 4, layout: str = "stereo", size: int = 1536):
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout = 48000, layout
    context.format = av.Codec(codec, "w").audio_formats[0]
    context.time_base = Fraction(1, 48000)
    context.flags |= av.codec.context.Flags.global_header
    context.open()
    size = context.frame_size or size
    packets = []
    for index in range(frames):
        frame = av.AudioFrame(context.format.name, layout, size)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.time_base, frame.pts = 48000, context.time_base, index * size
        packets += context.encode(frame)
    return context, packets


def samples_of(packets, shift: int = 0) -> list[Sample]:
    return [
        Sample(
            data=bytes(packet),
            pts=packet.pts + shift,
            dts=packet.dts + shift,
            duration=1000,
            is_key=packet.is_keyframe,
        )
        for packet in packets
    ]


def video_track(context, **more) -> Track:
    return Track(
        kind="video",
        codec="h264",
        timescale=24000,
        extradata=context.extradata,
        width=160,
        height=90,
        sar=Fraction(32, 27),
        color=Color(matrix=1, primaries=1, transfer=1),
        frame_rate=Fraction(24),
        **more,
    )


def read(data: bytes, kind: str = "video"):
    with av.open(io.BytesIO(data), options={"ignore_editlist": "1"}) as container:
        stream = getattr(container.streams, kind)[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return stream, packets


def test_every_timestamp_and_flag_comes_back_as_it_was_given():
    context, packets = encode("libx264", max_b_frames=2)
    track, samples = video_track(context), samples_of(packets)
    data = build_init([track]) + build_fragment([(track, samples)], sequence_number=7)
    stream, found = read(data)
    rows = [(p.pts, p.dts, p.duration, p.is_keyframe) for p in found]
    assert rows == [(s.pts, s.dts, 1000, s.is_key) for s in samples]
    assert stream.time_base == Fraction(1, 24000)
    assert stream.sample_aspect_ratio == Fraction(32, 27)
    context = stream.codec_context
    assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    assert context.color_range == 1


def test_the_decode_time_is_the_first_dts_in_64_bits_and_nothing_follows_the_mdat():
    context, packets = encode("libx264")
    track = video_track(context)
    far = 2**40
    data = build_fragment([(track, samples_of(packets, far))], sequence_number=9)
    assert [item.kind for item in boxes.walk(data)] == [b"moof", b"mdat"]
    tfdt = boxes.find(data, b"moof", b"traf", b"tfdt")
    assert tfdt == boxes.full_box(b"tfdt", 1, 0, struct.pack(">Q", packets[0].dts + far))
    assert boxes.find(data, b"moof", b"mfhd") == boxes.full_box(b"mfhd", 0, 0, b"\0\0\0\x09")


def test_a_negative_or_falling_dts_is_refused():
    context, packets = encode("libx264")
    track, samples = video_track(context), samples_of(packets)
    with pytest.raises(ProductionError, match="negative"):
        build_fragment([(track, samples_of(packets, -48001))], sequence_number=1)
    with pytest.raises(ProductionError, match="falls"):
        build_fragment([(track, [samples[1], samples[0]])], sequence_number=1)


def test_the_last_sample_lasts_as_long_as_it_says_and_others_until_the_next():
    context, packets = encode("libx264", frames=3)
    track = video_track(context)
    samples = samples_of(packets)
    moved = [samples[0], replace(samples[1], dts=samples[1].dts + 70), samples[2]]
    moved[2] = replace(samples[2], duration=55)
    data = build_fragment([(track, moved)], sequence_number=1)
    run = boxes.find(data, b"moof", b"traf", b"trun")
    durations = [struct.unpack_from(">I", run, 20 + 16 * row)[0] for row in range(3)]
    assert durations == [1070, 930, 55]


def test_annex_b_becomes_length_prefixed_without_the_parameter_sets_of_the_sample_entry():
    _, with_sets = encode("libx264", global_header=False)
    known, _ = encode("libx264")
    assert 7 in {nal.nal_type("h264", unit) for unit in nal.split_annex_b(bytes(with_sets[0]))}
    track = video_track(known)
    data = build_init([track]) + build_fragment([(track, samples_of(with_sets))], sequence_number=1)
    _, found = read(data)
    kinds = set()
    for packet in found:
        payload, at = bytes(packet), 0
        while at < len(payload):
            size = int.from_bytes(payload[at : at + 4], "big")
            kinds.add(payload[at + 4] & 0x1F)
            at += 4 + size
        assert at == len(payload)
    assert {1, 5} <= kinds
    assert not kinds & nal.PARAMETER_SETS["h264"]


def test_the_decoder_gives_the_same_pictures_from_mp4_as_from_the_encoder():
    context, packets = encode("libx264", max_b_frames=2)
    track = video_track(context)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = context.extradata
    direct = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    data = build_init([track]) + build_fragment([(track, samples_of(packets))], sequence_number=1)
    with av.open(io.BytesIO(data)) as container:
        stored = list(container.decode(video=0))
    assert len(stored) == len(direct) == 12
    assert all(
        (a.to_ndarray() == b.to_ndarray()).all() for a, b in zip(direct, stored, strict=True)
    )


def test_hevc_gets_an_hvc1_entry():
    context, packets = encode(
        "libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"}
    )
    track = replace(video_track(context), codec="hevc")
    data = build_init([track]) + build_fragment([(track, samples_of(packets))], sequence_number=1)
    assert b"hvc1" in data
    assert b"hev1" not in data
    stream, found = read(data)
    assert stream.codec_context.codec.canonical_name == "hevc"
    assert len(found) == 12


def test_init_segments_are_the_same_each_time_and_carry_no_edit_list_of_their_own():
    context, _ = encode("libx264", max_b_frames=2)
    sound, _ = encode_sound("aac")
    tracks = [
        video_track(context),
        Track(
            kind="audio",
            codec="aac",
            timescale=48000,
            extradata=sound.extradata,
            sample_rate=48000,
            language="deu",
        ),
    ]
    first = build_init(tracks)
    assert build_init(pickle.loads(pickle.dumps(tracks))) == first
    assert b"elst" not in first
    assert b"Lavf" not in first
    header = boxes.find(first, b"moov", b"mvhd")
    assert header[12:20] == bytes(8)  # creation and modification time
    traks = boxes.children(first, b"moov", b"trak")
    numbers = [struct.unpack_from(">I", first, trak.body + 8 + 12)[0] for trak in traks]
    assert numbers == [1, 2]
    with av.open(io.BytesIO(first)) as container:
        assert container.streams.audio[0].language == "deu"


def test_two_tracks_share_a_fragment():
    context, packets = encode("libx264")
    sound, sounds = encode_sound("aac")
    video = video_track(context)
    audio = Track(
        kind="audio",
        codec="aac",
        timescale=48000,
        extradata=sound.extradata,
        sample_rate=48000,
    )
    heard = [replace(sample, duration=1024) for sample in samples_of(sounds, 2048)]
    data = build_init([video, audio])
    data += build_fragment([(video, samples_of(packets)), (audio, heard)], sequence_number=1)
    _, seen = read(data)
    stream, found = read(data, "audio")
    assert [bytes(packet) for packet in found] == [bytes(packet) for packet in sounds]
    assert [packet.pts for packet in found] == [sample.pts for sample in heard]
    assert len(seen) == 12
    assert stream.time_base == Fraction(1, 48000)


def test_edit_list_and_matrix_are_carried_over():
    context, _ = encode("libx264")
    made = build_init([video_track(context, edit_list=EDIT_LIST, matrix=TURNED)])
    trak = boxes.children(made, b"moov", b"trak")[0]
    kinds = [item.kind for item in boxes.walk(made, trak.body, trak.end)]
    assert kinds == [b"tkhd", b"edts", b"mdia"]
    with av.open(io.BytesIO(made)) as container:
        again = Track.from_stream(container.streams.video[0], init=made)
    assert (again.edit_list, again.matrix) == (EDIT_LIST, TURNED)
    assert build_init([again]) == made


@pytest.mark.parametrize(
    ("codec", "encoder", "layout"),
    [
        ("ac3", "ac3", "5.1"),
        ("eac3", "eac3", "stereo"),
        ("flac", "flac", "stereo"),
        ("alac", "alac", "stereo"),
        ("mp3", "libmp3lame", "stereo"),
        ("aac", "aac", "5.1"),
    ],
)
def test_audio_codecs_are_described_so_that_they_decode(codec: str, encoder: str, layout: str):
    context, packets = encode_sound(encoder, layout=layout)
    track = Track(
        kind="audio",
        codec=codec,
        timescale=48000,
        extradata=context.extradata,
        sample_rate=48000,
        layout=layout,
        first_packet=bytes(packets[0]) if codec in ("ac3", "eac3") else b"",
    )
    samples = samples_of(packets, 4096)
    data = build_init([track]) + build_fragment([(track, samples)], sequence_number=1)
    stream, found = read(data, "audio")
    assert stream.codec_context.codec.canonical_name == codec
    assert stream.codec_context.layout.nb_channels == av.AudioLayout(layout).nb_channels
    assert [bytes(packet) for packet in found] == [bytes(packet) for packet in packets]
    with av.open(io.BytesIO(data)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 0


def test_a_codec_that_mp4_cannot_carry_is_refused():
    with pytest.raises(ProductionError, match="wmav2"):
        build_init([Track(kind="audio", codec="wmav2", timescale=48000, sample_rate=48000)])


def test_the_size_of_a_fragment_is_known_beforehand():
    context, packets = encode("libx264")
    track = video_track(context)
    data = build_fragment([(track, samples_of(packets))], sequence_number=1)
    payload = len(boxes.find(data, b"mdat")) - 8
    assert len(data) == fragment_size(payload, len(packets))


def test_adts_headers_are_read_and_stripped():
    frame = b"\x21\x10\x04\x60\x8c\x1c"
    header = bytes([0xFF, 0xF1, 0x4C, 0x80, 0x01, 0xBF, 0xFC])
    assert adts.strip(header + frame) == frame
    assert adts.strip(frame) == frame
    assert adts.audio_specific_config(header + frame) == bytes.fromhex("1190")  # LC, 48 kHz, 2
    assert adts.audio_specific_config(frame) is None
    own_channels = bytes([0xFF, 0xF1, 0x4C, 0x00, 0x01, 0xBF, 0xFC])
    assert adts.audio_specific_config(own_channels + frame) is None
