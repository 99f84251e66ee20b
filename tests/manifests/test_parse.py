"""Playlists in: what is read, and what is refused in one clear line."""

import pickle
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.parse import MAX_TEXT_LENGTH, parse
from manifests.types import ByteRange, MapTag, MediaPlaylist, MultivariantPlaylist

MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Director's, cut",LANGUAGE="en",DEFAULT=YES,\
AUTOSELECT=YES,CHANNELS="2",URI="audio/en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="English",INSTREAM-ID="CC1"

## a comment
#EXT-X-STREAM-INF:BANDWIDTH=800000,AVERAGE-BANDWIDTH=700000,CODECS="avc1.64001e,mp4a.40.2",\
RESOLUTION=640x360,FRAME-RATE=23.976,VIDEO-RANGE=SDR,AUDIO="aac",CLOSED-CAPTIONS="cc",SCORE=1.5,\
X-OURS=0x1F,PATHWAY-ID="CDN-A"
low/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,CLOSED-CAPTIONS=NONE
# between
lower/index.m3u8?token=a,b
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="low/iframes.m3u8"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",URI="title.json"
"""

MEDIA = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:5
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="all.mp4",BYTERANGE="800@0"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:4.170833,first, with a comma
#EXT-X-BYTERANGE:1000@800
all.mp4
#EXTINF:4.00400,
#EXT-X-BYTERANGE:2000
all.mp4
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="other's.mp4"
#EXT-X-KEY:METHOD=NONE
#EXT-X-GAP
#EXTINF:5
other.m4s
#EXT-X-ENDLIST
"""


def multivariant(text: str) -> MultivariantPlaylist:
    playlist = parse(text, name="a.m3u8")
    assert isinstance(playlist, MultivariantPlaylist)
    return playlist


def media(text: str) -> MediaPlaylist:
    playlist = parse(text, name="a.m3u8")
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def test_multivariant_playlist_is_read_whole() -> None:
    playlist = multivariant(MULTIVARIANT)
    low, lower = playlist.variants
    assert (playlist.version, playlist.independent_segments) == (7, True)
    assert playlist.i_frame_uris == ("low/iframes.m3u8",)
    assert playlist.uris == (
        "audio/en.m3u8",
        "low/index.m3u8",
        "lower/index.m3u8?token=a,b",
        "low/iframes.m3u8",
        "title.json",
    )
    assert (low.uri, low.bandwidth, low.average_bandwidth) == ("low/index.m3u8", 800000, 700000)
    assert (low.codecs, low.resolution) == ("avc1.64001e,mp4a.40.2", (640, 360))
    assert (low.frame_rate, low.video_range) == (Fraction("23.976"), "SDR")
    assert (low.audio, low.subtitles, low.closed_captions) == ("aac", None, "cc")
    assert low.attributes["SCORE"] == "1.5"
    assert low.attributes["PATHWAY-ID"] == '"CDN-A"'
    assert MULTIVARIANT.split("\n")[low.line].startswith("#EXT-X-STREAM-INF:BANDWIDTH=800000")
    assert lower.attributes["CLOSED-CAPTIONS"] == "NONE"
    assert (lower.resolution, lower.frame_rate, lower.codecs) == (None, None, None)
    audio, captions = playlist.renditions
    assert (audio.name, audio.language, audio.channels) == ("Director's, cut", "en", "2")
    assert (audio.default, audio.autoselect, captions.default) == (True, True, False)
    assert (captions.type, captions.uri) == ("CLOSED-CAPTIONS", None)


def test_media_playlist_is_read_whole() -> None:
    playlist = media(MEDIA)
    one, two, three = playlist.segments
    assert (playlist.target_duration, playlist.media_sequence) == (5, 100)
    assert (playlist.discontinuity_sequence, playlist.version) == (3, 6)
    assert (playlist.playlist_type, playlist.ended, playlist.encrypted) == ("VOD", True, False)
    assert (one.duration, one.duration_text) == (Decimal("4.170833"), "4.170833")
    assert (two.duration_text, three.duration_text) == ("4.00400", "5")
    assert playlist.duration == Decimal("13.174833")
    assert one.byterange == ByteRange(length=1000, offset=800)
    assert two.byterange == ByteRange(length=2000, offset=1800)
    assert three.byterange is None
    assert one.map == two.map == MapTag(uri="all.mp4", byterange=ByteRange(length=800, offset=0))
    assert three.map == MapTag(uri="other's.mp4")
    assert [s.discontinuity for s in playlist.segments] == [False, False, True]
    assert [s.gap for s in playlist.segments] == [False, False, True]
    assert [s.sequence for s in playlist.segments] == [100, 101, 102]
    assert playlist.uris == ("all.mp4", "all.mp4", "all.mp4", "other's.mp4", "other.m4s")


@pytest.mark.parametrize("text", [MULTIVARIANT, MEDIA])
def test_crlf_and_byte_order_mark_change_nothing_but_the_text(text: str) -> None:
    plain = parse(text, name="a")
    windows = parse("\ufeff" + text.replace("\n", "\r\n"), name="a")
    assert windows.text == text.replace("\n", "\r\n")
    fields = [field for field in plain.__slots__ if field != "text"]
    assert [getattr(plain, f) for f in fields] == [getattr(windows, f) for f in fields]


@pytest.mark.parametrize("text", [MULTIVARIANT, MEDIA])
def test_playlists_pickle(text: str) -> None:
    playlist = parse(text, name="a")
    assert pickle.loads(pickle.dumps(playlist)) == playlist


def test_keys_apply_until_the_next_one() -> None:
    key = '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x1\n'
    text = MEDIA.replace("#EXTINF:4.00400", key + "#EXTINF:4.00400")
    assert [s.key_method for s in media(text).segments] == [None, "AES-128", None]
    assert media(text).encrypted
    assert "key" in media(text).uris


def test_no_end_means_not_ended() -> None:
    assert not media(MEDIA.replace("#EXT-X-ENDLIST\n", "")).ended


def media_with(old: str, new: str) -> str:
    assert old in MEDIA
    return MEDIA.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: does not begin with #EXTM3U"),
        ("\x00\x01\x02", "line 1: does not begin with #EXTM3U"),
        ("G@\x11\x10" * 400, "does not begin with #EXTM3U"),
        ("#EXTM3U\n#EXT-X-VERSION:3\n\x00", "line 3: control character"),
        ("#EXTM3U\nfoo\rbar", "line 2: control character"),
        ("#EXTM3U\n#EXT-X-VERSION:3\n", "neither variants nor segments"),
        ("#EXTM3U" + " " * MAX_TEXT_LENGTH, "longer than"),
        ("#EXTM3U" + "\n" * 500_000, "more than 500000 lines"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "#EXTINF:4,\na.ts\n" * 50_001, "more than 50000"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST\n", "has no segment"),
        ('#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="b"\n', "has no variant"),
        (MULTIVARIANT + "#EXTINF:4,\na.ts\n", "line 15: tags of both kinds"),
        (MEDIA + "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n", "line 22: tags of both kinds"),
        (media_with("#EXT-X-TARGETDURATION:5\n", ""), "EXT-X-TARGETDURATION is missing"),
        (media_with("TARGETDURATION:5", "TARGETDURATION:5.5"), "line 3: .* whole number"),
        (media_with("TARGETDURATION:5", "TARGETDURATION:1_0"), "line 3: .* whole number"),
        (media_with("TARGETDURATION:5", "TARGETDURATION:99999999"), "line 3: .* whole number"),
        (media_with("#EXT-X-VERSION:6", "#EXT-X-VERSION"), "line 2: .* whole number"),
        (media_with("SEQUENCE:100", "SEQUENCE:-1"), "line 4: .* whole number"),
        (media_with("SEQUENCE:100", "SEQUENCE:" + "9" * 5000), "line 4: .* whole number"),
        (media_with("PLAYLIST-TYPE:VOD", "PLAYLIST-TYPE:LIVE"), "line 6: expected VOD or EVENT"),
        (media_with("4.170833", "nan"), "line 9: EXTINF: expected a number"),
        (media_with("4.170833", "-4"), "line 9: EXTINF: expected a number"),
        (media_with("4.170833", "1e3"), "line 9: EXTINF: expected a number"),
        (media_with("4.170833", "inf"), "line 9: EXTINF: expected a number"),
        (media_with("4.170833", "86401"), "line 9: EXTINF: expected a number"),
        (media_with("4.170833", ""), "line 9: EXTINF: expected a number"),
        (media_with("1000@800", "1000@"), "line 9: expected a byte range"),
        (media_with("1000@800", "0@800"), "line 9: byte range .* out of bounds"),
        (media_with("1000@800", "9999999999999999999@1"), "line 9: byte range .* out of bounds"),
        (media_with("1000@800", "1000"), "line 9: a byte range without an offset"),
        (media_with('BYTERANGE="800@0"', 'BYTERANGE="x"'), "line 7: expected a byte range"),
        (media_with('URI="all.mp4",', ""), "line 7: EXT-X-MAP without URI"),
        (media_with("METHOD=NONE", "IV=0x1"), "line 17: EXT-X-KEY without METHOD"),
        (media_with('URI="all.mp4"', 'URI="all.mp4'), "line 7: .* malformed attribute list"),
        (media_with("all.mp4\n#EXTINF", "#EXTINF"), "line 9: EXTINF without a URI"),
        (media_with("#EXTINF:5\n", ""), "line 19: a URI without EXTINF"),
        (media_with("other.m4s\n", ""), "line 19: EXTINF without a URI"),
        (media_with("#EXT-X-GAP", "#EXT-X-VERSION:7"), "line 18: EXT-X-VERSION for the second"),
        (media_with("#EXT-X-GAP", '#EXT-X-DEFINE:NAME="a",VALUE="b"'), "line 18: variables"),
        (media_with("#EXT-X-GAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=3"), "line 18: a delta update"),
        (MEDIA + "#EXT-X-BYTERANGE:5@5\n", "ends with tags that need a URI"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "line 2: EXT-X-STREAM-INF without a URI"),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\na\n",
            "line 2: EXT-X-STREAM-INF without a URI",
        ),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\nb\n", "line 4: a URI without"),
        ('#EXTM3U\n#EXT-X-STREAM-INF:CODECS="x"\na\n', "line 2: .* without BANDWIDTH"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=nan\na\n", "line 2: .* whole number"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,BANDWIDTH=2\na\n", "line 2: .* BANDWIDTH twice"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=0x9\na\n", "line 2: .* has no area"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=99\na\n", "line 2: .* whole number"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,FRAME-RATE=-1\na\n", "line 2: .* number from 0"),
        ("#EXTM3U\n" + "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n" * 1001, "more than 1000 variants"),
        (MULTIVARIANT.replace('NAME="English",', ""), "line 5: EXT-X-MEDIA without NAME"),
        (MULTIVARIANT.replace(',URI="low/iframes.m3u8"', ""), "line 13: .* without URI"),
    ],
)
def test_bad_playlists_are_refused_with_the_place_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=f"^films/bad.m3u8: .*{reason}") as caught:
        parse(text, name="films/bad.m3u8")
    assert len(str(caught.value)) < 300


def test_what_m3u8_stumbles_over_but_players_do_not_is_accepted() -> None:
    text = media_with("2026-01-01T00:00:00Z", "not a date").replace(
        "#EXT-X-GAP\n", '#EXT-X-GAP\n#EXT-X-DATERANGE:ID="a",DURATION=x\n#EXT-X-BITRATE:x\n'
    )
    assert len(media(text).segments) == 3


def test_a_key_for_each_segment_stays_quick() -> None:
    keyed = "".join(
        f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{n:x}\n#EXTINF:1,\n{n}.ts\n' for n in range(20_000)
    )
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + keyed + "#EXT-X-ENDLIST\n"
    assert len(media(text).segments) == 20_000


def test_attribute_lists_of_blanks_and_quotes_stay_quick() -> None:
    for junk in (
        " " * 1_000_000 + '"x',
        '"' * 1_000_001,
        "A=" + " " * 1_000_000 + '"',
        "," * 10**6,
    ):
        with pytest.raises(ManifestError):
            parse(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,A={junk}\na\n", name="a")


TOKENS = st.sampled_from(
    [
        *("#EXTM3U", "#EXTINF", "#EXT-X-STREAM-INF", "#EXT-X-MEDIA", "#EXT-X-MAP", "#EXT-X-KEY"),
        *("#EXT-X-BYTERANGE", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-ENDLIST"),
        *("#EXT-X-DISCONTINUITY", "#EXT-X-GAP", "#EXT-X-DATERANGE", "#EXT-X-PART", "#EXT-X-SKIP"),
        *(
            "#EXT-X-PROGRAM-DATE-TIME",
            "#EXT-X-CUE-OUT",
            "#EXT-X-I-FRAME-STREAM-INF",
            "#EXT-X-TILES",
        ),
        *(
            ":",
            ",",
            "=",
            '"',
            "'",
            "@",
            "\n",
            "\n",
            "\r\n",
            " ",
            "4.0",
            "-1",
            "nan",
            "1e9",
            "640x360",
        ),
        *("BANDWIDTH", "URI", "METHOD", "NONE", "BYTERANGE", "a.ts", "\u2028", "\x85", "é", "\x00"),
    ]
)


@given(st.one_of(st.text(), st.lists(TOKENS, max_size=60).map("".join)))
def test_nothing_but_manifest_error_escapes(text: str) -> None:
    for candidate in (text, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + text, "#EXTM3U\n" + text):
        try:
            parse(candidate, name="a")
        except ManifestError as error:
            assert str(error).startswith("a: ")  # noqa: PT017


DURATIONS = st.decimals(0, 86_400, places=6)


@given(st.lists(st.tuples(DURATIONS, st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_segments_come_back_as_they_were_written(rows: list[tuple[Decimal, bool, bool]]) -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n"
    for index, (duration, discontinuity, gap) in enumerate(rows):
        text += "#EXT-X-DISCONTINUITY\n" * discontinuity + "#EXT-X-GAP\n" * gap
        text += f"#EXTINF:{duration:f},\n{index}.ts\n"
    segments = media(text).segments
    assert [(s.duration, s.discontinuity, s.gap) for s in segments] == rows
    assert [s.uri for s in segments] == [f"{n}.ts" for n in range(len(rows))]
