"""Playlists out: read back by our parser and by the m3u8 package, and held to RFC 8216bis."""

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.build import (
    edit_multivariant,
    file_media_playlist,
    file_multivariant,
    lone_multivariant,
    upscaled_media_playlist,
)
from manifests.color import Color
from manifests.errors import ManifestError
from manifests.ladder import plan_rendition
from manifests.parse import parse
from manifests.stream_inf import (
    AudioRendition,
    StreamInf,
    display_size,
    language_tag,
    upscaled_stream_inf,
)
from manifests.types import MediaPlaylist, MultivariantPlaylist

SOURCE = """#EXTM3U
#EXT-X-VERSION:4
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",URI="en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,\
AUDIO="aac",SUBTITLES="subs",CLOSED-CAPTIONS=NONE,VIDEO-RANGE=SDR,SCORE=2.0,PATHWAY-ID="A",X-ODD=1
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,AUDIO="aac",VIDEO-RANGE=SDR,SCORE=1
# said in between
lower.m3u8

#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="iframes.m3u8"
# the end
"""
SEGMENTS = """#EXTM3U
#EXT-X-VERSION:4
## made by hand
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-START:TIME-OFFSET=1
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-KEY:METHOD=NONE
#EXT-X-BITRATE:900
#EXT-X-MAP:URI="all.mp4",BYTERANGE="800@0"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:4.1708330,a title
#EXT-X-BYTERANGE:1000@800
all.mp4

#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:05Z"
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="b.mp4"
#EXTINF:4.6
b.m4s
#EXT-X-GAP
#EXTINF:2.0,
c.m4s
#EXT-X-ENDLIST
"""
PLAN = plan_rendition(
    model="lanczos",
    model_digest="m",
    source_digest="s",
    container="fmp4",
    width=1280,
    height=720,
    source_height=360,
    sar=Fraction(1),
    frame_rate=Fraction(24000, 1001),
    time_base=Fraction(1, 90_000),
    source_color=Color(),
)


def multivariant(text: str) -> MultivariantPlaylist:
    playlist = parse(text, name="a")
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def media(text: str) -> MediaPlaylist:
    playlist = parse(text, name="a")
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def stream_inf(**changes: Any) -> StreamInf:
    base = {"uri": "up/index.m3u8", "bandwidth": 5_000_000, "codecs": "avc1.64001f"}
    return StreamInf(**base | changes)


def check_multivariant(text: str) -> MultivariantPlaylist:
    """RFC 8216bis 4.4.6: what all variants and groups have to agree on."""
    playlist = multivariant(text)
    assert len(m3u8.loads(text).playlists) == len(playlist.variants)
    groups = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    for variant in playlist.variants:
        assert variant.audio is None or ("AUDIO", variant.audio) in groups
        assert variant.average_bandwidth is None or variant.average_bandwidth <= variant.bandwidth
    assert len({"SCORE" in variant.attributes for variant in playlist.variants}) == 1
    names = Counter((r.type, r.group_id, r.name) for r in playlist.renditions)
    assert not names or max(names.values()) == 1
    defaults = Counter((r.type, r.group_id) for r in playlist.renditions if r.default)
    assert not defaults or max(defaults.values()) == 1
    automatic = Counter((r.group_id, r.language) for r in playlist.renditions if r.autoselect)
    assert not automatic or max(automatic.values()) == 1
    assert all(r.autoselect for r in playlist.renditions if r.default)
    return playlist


def check_media(text: str) -> MediaPlaylist:
    """RFC 8216bis 4.4.3 and 8: target duration and version."""
    playlist = media(text)
    theirs = m3u8.loads(text)
    assert [segment.uri for segment in theirs.segments] == [s.uri for s in playlist.segments]
    assert theirs.is_endlist
    assert (playlist.ended, playlist.playlist_type) == (True, "VOD")
    longest = max(segment.duration for segment in playlist.segments)
    assert int(longest + Decimal("0.5")) <= playlist.target_duration
    assert playlist.version >= 3
    assert playlist.version >= 6 or not any(s.map for s in playlist.segments)
    assert text.endswith("#EXT-X-ENDLIST\n")
    return playlist


def test_source_lines_stay_verbatim_and_ours_follow_the_last_variant() -> None:
    source = multivariant(SOURCE)
    ours = upscaled_stream_inf(
        PLAN,
        uri="m.m3u8/up-720p-lanczos/index.m3u8",
        codecs="avc1.64001f",
        source=source.variants[0],
        variants=source.variants,
    )
    text = edit_multivariant(source, [ours])
    added = ours.lines()
    lines = text.split("\n")
    assert [line for line in lines if line not in added] == SOURCE.split("\n")
    at = lines.index(added[0])
    assert lines[at - 1 : at + 2] == ["lower.m3u8", *added]
    last = check_multivariant(text).variants[-1]
    assert last.uri == "m.m3u8/up-720p-lanczos/index.m3u8"
    assert last.codecs == "avc1.64001f,mp4a.40.2"
    assert (last.resolution, last.frame_rate) == ((1280, 720), Fraction("23.976"))
    assert (last.audio, last.subtitles, last.video_range) == ("aac", "subs", "SDR")
    attributes = last.attributes
    assert attributes["STABLE-VARIANT-ID"] == '"up-720p-lanczos"'
    assert attributes["CLOSED-CAPTIONS"] == "NONE"
    assert attributes["PATHWAY-ID"] == '"A"'
    assert float(attributes["SCORE"]) > 2
    assert "X-ODD" not in attributes
    assert (last.bandwidth, last.average_bandwidth) == (PLAN.bandwidth, PLAN.average_bandwidth)


def test_score_and_video_range_only_where_the_source_has_them() -> None:
    source = multivariant(SOURCE.replace(",SCORE=1\n", "\n").replace("VIDEO-RANGE=SDR,", ""))
    ours = upscaled_stream_inf(PLAN, uri="u", codecs="avc1.64001f", variants=source.variants)
    assert ours.score is None
    assert ours.video_range == "SDR"
    plain = upscaled_stream_inf(PLAN, uri="u", codecs="avc1.64001f,mp4a.40.2")
    assert (plain.score, plain.video_range, plain.audio) == (None, None, None)
    assert plain.codecs == "avc1.64001f,mp4a.40.2"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_editing_a_playlist_that_ends_with_its_last_variant(end: str) -> None:
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8".replace("\n", end or "\n") + end
    edited = edit_multivariant(multivariant(text), [stream_inf(), stream_inf(uri="up2")])
    assert [v.uri for v in multivariant(edited).variants] == ["a.m3u8", "up/index.m3u8", "up2"]
    assert edited.startswith(text.rstrip("\r\n"))
    assert edited.count("\r") == (edited.count("\n") if end == "\r\n" else 0)


def test_version_is_raised_only_if_needed() -> None:
    source = multivariant(SOURCE)
    assert edit_multivariant(source, [], version=4) == SOURCE
    raised = edit_multivariant(source, [], version=7)
    assert raised == SOURCE.replace("#EXT-X-VERSION:4", "#EXT-X-VERSION:7")
    bare = multivariant(SOURCE.replace("#EXT-X-VERSION:4\n", ""))
    assert edit_multivariant(bare, [], version=7) == raised


def test_the_upscaled_playlist_has_the_segmentation_of_the_source() -> None:
    source = media(SEGMENTS)
    text = upscaled_media_playlist(source, segment_uri="d/{}.m4s".format, init_uri="d/init.mp4")
    assert text == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:5\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI="d/init.mp4"\n## made by hand\n'
        "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-START:TIME-OFFSET=1\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:4.1708330,a title\nd/0.m4s\n"
        '#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:05Z"\n#EXT-X-DISCONTINUITY\n'
        "#EXTINF:4.6\nd/1.m4s\n#EXT-X-GAP\n#EXTINF:2.0,\nd/2.m4s\n#EXT-X-ENDLIST\n"
    )
    made = check_media(text)
    for ours, theirs in zip(made.segments, source.segments, strict=True):
        assert ours.duration_text == theirs.duration_text
        assert (ours.discontinuity, ours.gap) == (theirs.discontinuity, theirs.gap)
        assert ours.sequence == theirs.sequence
        assert ours.byterange is None
        assert ours.map is not None


def test_the_upscaled_playlist_of_a_transport_stream_has_no_map() -> None:
    text = "#EXTM3U\r\n#EXT-X-TARGETDURATION:9\r\n#EXTINF:4.004,\r\na.ts\r\n#EXT-X-ENDLIST\r\n"
    made = upscaled_media_playlist(media(text), segment_uri="d/{}.ts".format, init_uri=None)
    assert made == (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXTINF:4.004,\nd/0.ts\n#EXT-X-ENDLIST\n"
    )
    check_media(made)


@pytest.mark.parametrize("tag", ["#EXT-X-I-FRAMES-ONLY\n#EXT-X-ENDLIST\n", ""])
def test_only_whole_vod_playlists_are_upscaled(tag: str) -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\na.ts\n" + tag
    with pytest.raises(ManifestError):
        upscaled_media_playlist(media(text), segment_uri=str, init_uri=None)


@given(st.lists(st.fractions(0, 20, max_denominator=90_000), min_size=1, max_size=40))
def test_extinf_sums_stay_within_a_microsecond(durations: list[Fraction]) -> None:
    text = file_media_playlist(durations, 4, "i.mp4", "{}.m4s".format, independent=True)
    made = check_media(text)
    assert made.target_duration >= 4
    assert made.independent_segments
    ours = accumulate(Fraction(segment.duration) for segment in made.segments)
    for total, exact in zip(ours, accumulate(durations), strict=True):
        assert abs(total - exact) <= Fraction(1, 1_000_000)


def test_a_file_playlist_reads_well() -> None:
    durations = [Fraction(96 * 1001, 24000), Fraction(1, 3)]
    text = file_media_playlist(durations, 5, None, "{}.ts".format, independent=False)
    assert text == (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:4.004000,\n0.ts\n#EXTINF:0.333333,\n1.ts\n"
        "#EXT-X-ENDLIST\n"
    )


def audio(uri: str, **changes: Any) -> AudioRendition:
    base = {"codecs": "mp4a.40.2", "bandwidth": 130_000, "name": "Stereo", "channels": 2}
    return AudioRendition(**base | {"uri": uri} | changes)


def test_each_variant_is_listed_with_each_audio_codec() -> None:
    tracks = [
        audio("1", language="eng", name='The "best"'),
        audio("2", language="eng", name='The "best"', bandwidth=200_000),
        audio("3", language="jpn", name="", default=True),
        audio("4", language="jpn", codecs="ac-3", channels=6, bandwidth=640_000),
    ]
    variants = [
        stream_inf(uri="source", bandwidth=1_000_000, average_bandwidth=900_000),
        stream_inf(uri="up", stable_variant_id="up-720p-m"),
    ]
    made = check_multivariant(file_multivariant(variants, tracks))
    rows = [(v.uri, v.audio, v.codecs, v.bandwidth, v.average_bandwidth) for v in made.variants]
    assert rows == [
        ("source", "audio-mp4a.40.2", "avc1.64001f,mp4a.40.2", 1_200_000, 1_100_000),
        ("source", "audio-ac-3", "avc1.64001f,ac-3", 1_640_000, 1_540_000),
        ("up", "audio-mp4a.40.2", "avc1.64001f,mp4a.40.2", 5_200_000, None),
        ("up", "audio-ac-3", "avc1.64001f,ac-3", 5_640_000, None),
    ]
    listed = [(r.name, r.language, r.default, r.autoselect, r.channels) for r in made.renditions]
    assert listed == [
        ("The 'best'", "en", False, True, "2"),
        ("The 'best' (2)", "en", False, False, "2"),
        ("Audio 3", "ja", True, True, "2"),
        ("Stereo", "ja", True, True, "6"),
    ]


@given(
    st.lists(
        st.builds(
            audio,
            st.just("uri"),
            name=st.text(max_size=3),
            language=st.sampled_from([None, "und", "eng", "en", "jpn"]),
            default=st.booleans(),
            codecs=st.sampled_from(["mp4a.40.2", "ac-3"]),
        ),
        max_size=8,
    )
)
def test_any_set_of_audio_tracks_makes_valid_groups(tracks: list[AudioRendition]) -> None:
    made = check_multivariant(file_multivariant([stream_inf()], tracks))
    assert len(made.renditions) == len(tracks)
    groups = {rendition.group_id for rendition in made.renditions}
    assert {r.group_id for r in made.renditions if r.default} == groups


def test_a_lone_playlist_gets_a_multivariant_one() -> None:
    source = stream_inf(uri="index.source.m3u8", resolution=(640, 360))
    made = check_multivariant(lone_multivariant(source, [stream_inf()]))
    assert [v.uri for v in made.variants] == ["index.source.m3u8", "up/index.m3u8"]


def test_frame_rates_have_three_decimals() -> None:
    rates = [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)]
    texts = ["23.976", "25.000", "59.940"]
    for rate, text in zip(rates, texts, strict=True):
        assert f",FRAME-RATE={text}" in stream_inf(frame_rate=rate).lines()[0]


def test_every_attribute_is_written_as_its_type() -> None:
    line, uri = stream_inf(
        average_bandwidth=1,
        resolution=(2, 4),
        frame_rate=Fraction(25),
        video_range="SDR",
        score="1.000",
        stable_variant_id="up-1",
        audio="a",
        subtitles="s",
        closed_captions='"cc"',
        pathway_id="P",
    ).lines()
    assert uri == "up/index.m3u8"
    assert line == (
        '#EXT-X-STREAM-INF:BANDWIDTH=5000000,AVERAGE-BANDWIDTH=1,SCORE=1.000,CODECS="avc1.64001f",'
        'RESOLUTION=2x4,FRAME-RATE=25.000,VIDEO-RANGE=SDR,STABLE-VARIANT-ID="up-1",AUDIO="a",'
        'SUBTITLES="s",CLOSED-CAPTIONS="cc",PATHWAY-ID="P"'
    )
    assert re.fullmatch(r'#EXT-X-STREAM-INF:([A-Z-]+=("[^"]*"|[^",]+),?)+', line)
    assert replace(stream_inf(), uri="x").lines()[0].count(",") == 1


def test_unknown_codecs_are_left_out() -> None:
    assert stream_inf(codecs="").lines()[0] == "#EXT-X-STREAM-INF:BANDWIDTH=5000000"


def test_resolution_is_the_display_size() -> None:
    turned = upscaled_stream_inf(PLAN, uri="u", codecs="avc1.64001f", rotation=90)
    assert turned.resolution == (720, 1280)
    assert display_size(1280, 720, Fraction(1)) == (1280, 720)
    assert display_size(1440, 960, Fraction(32, 27)) == (1707, 960)
    assert display_size(1280, 720, Fraction(1), rotation=270) == (720, 1280)
    assert display_size(1280, 720, Fraction(1), rotation=180) == (1280, 720)


def test_language_tags() -> None:
    codes = [None, "", "und", "eng", "GER", "pt-BR", "tlh"]
    assert [language_tag(c) for c in codes] == [None, None, None, "en", "de", "pt-BR", "tlh"]
