from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from manifests.build import file_multivariant
from manifests.parse import parse
from manifests.stream_inf import AudioRendition, StreamInf
from manifests.subtitles import SubtitleRendition, valid_group

RENDITIONS = st.lists(
    st.builds(
        SubtitleRendition,
        uri=st.just("subs-0/index.m3u8"),
        name=st.one_of(st.sampled_from(["English", ""]), st.text(max_size=8)),
        language=st.sampled_from([None, "eng", "en", "und", "jpn"]),
        default=st.booleans(),
        forced=st.booleans(),
        accessible=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
VARIANTS = [
    StreamInf(uri=f"{name}/index.m3u8", bandwidth=1, codecs="avc1.4d401e", frame_rate=Fraction(25))
    for name in ("source", "up-720p-x")
]
AUDIO = [
    AudioRendition(uri=f"a{i}", codecs=codecs, bandwidth=1, name="x", channels=2)
    for i, codecs in enumerate(("mp4a.40.2", "ac-3"))
]


@given(RENDITIONS)
def test_a_group_keeps_the_rules_of_the_rfc(renditions):
    playlist = parse(file_multivariant(VARIANTS, AUDIO, valid_group(renditions)), name="m")
    group = [row for row in playlist.renditions if row.type == "SUBTITLES"]
    names = [row.name for row in group]
    assert len(set(names)) == len(names) == len(renditions)
    assert all(names)
    defaults = [row for row in group if row.attributes["DEFAULT"] == "YES"]
    assert len(defaults) == any(rendition.default for rendition in renditions)
    assert all(row.attributes["AUTOSELECT"] == "YES" for row in defaults)
    chosen = [
        tuple(row.attributes.get(key) for key in ("LANGUAGE", "FORCED", "CHARACTERISTICS"))
        for row in group
        if row.attributes["AUTOSELECT"] == "YES"
    ]
    assert len(set(chosen)) == len(chosen)
    assert {row.attributes.get("LANGUAGE") for row in group} <= {None, '"en"', '"ja"'}
    assert [variant.subtitles for variant in playlist.variants] == ["subs"] * 4


def test_no_subtitles_leave_no_trace():
    assert "SUBTITLES" not in file_multivariant(VARIANTS, AUDIO)


def test_subtitles_change_no_codecs():
    rendition = SubtitleRendition(uri="subs-0/index.m3u8", name="English")
    playlist = parse(file_multivariant(VARIANTS, (), [rendition]), name="m")
    assert {variant.codecs for variant in playlist.variants} == {"avc1.4d401e"}
