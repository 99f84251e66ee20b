"""ASS to WebVTT, and scripts from events, with pysubs2 as the judge of what a script says."""

import re
import time
from html import unescape

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import webvtt
from origin.media import ass
from origin.media.ass import Event, Script, Style

HEADER = """[Script Info]
ScriptType: v4.00+
PlayResX: 640
PlayResY: 360

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,20,&H00FFFFFF,&H000000FF,&H0,&H0,0,0,0,0,100,100,0,0,1,2,2,2,10,10,10,1
Style: Sign,Arial,20,&H00FFFFFF,&H000000FF,&H0,&H0,-1,-1,0,0,100,100,0,0,1,2,2,8,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
""".replace("\\\n", "")
SCRIPT = ass.read_header(HEADER)
PIECES = st.sampled_from(
    [
        *("{\\i1}", "{\\i0}", "{\\b1}", "{\\b0}", "{\\u1}", "{\\u0}", "{\\r}", "{\\rSign}"),
        *(
            "{\\i1\\b1}",
            "{\\fs20\\bord2}",
            "{a comment}",
            "{\\be1\\blur2}",
            "{\\an8}",
            "{\\fnArial}",
        ),
        *("word", " ", "a & b", "<i>", "-->", "\\N", "\\h", "é", "漢字"),
    ]
)


def convert(text: str, style: str = "Default") -> tuple[str, str]:
    return ass.to_webvtt(SCRIPT, Event(start=0, end=1000, text=text, style=style))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello", "Hello"),
        ("{\\i1}Hi{\\i0} there\\Nyou", "<i>Hi</i> there\nyou"),
        ("{\\b1\\i1}x{\\b0}y", "<b><i>x</i></b><i>y</i>"),
        ("{\\b700}x{\\b400}y{\\b}z", "<b>x</b>yz"),
        ("{\\u1}x{\\r}y", "<u>x</u>y"),
        ("a {a comment}b", "a b"),
        ("{\\p1}m 0 0 l 10 10{\\p0}after", "after"),
        ("{\\p2}m 0 0 l 10 10", ""),
        ("{\\t(0,500,\\i1\\clip(1,2,3,4))}plain", "plain"),
        ("{\\k20}ka{\\kf30}ra{\\ko5}o{\\fad(200,200)\\c&HFF&}ke", "karaoke"),
        ("a\\nb\\hc", "a b\u00a0c"),
        ("\\Na\\N\\Nb\\N", "a\n\u00a0\nb"),
        ("\\{brace\\} {unclosed", "{brace} {unclosed"),
        ("a --> b & <c>", "a --&gt; b &amp; &lt;c&gt;"),
        ("{\\i1} \\N {\\i0}", ""),
        ("{\\iclip(1,2,3,4)\\bord3\\blur1\\be1\\pbo2\\alpha&H80&}x", "x"),
    ],
)
def test_text(text, expected):
    assert convert(text) == (expected, "")


def test_styles_speak_until_overridden():
    assert convert("x{\\i0}y", "Sign") == ("<b><i>x</i></b><b>y</b>", "line:0")
    assert convert("x{\\rDefault}y", "Sign")[0] == "<b><i>x</i></b>y"
    assert convert("x", "*Sign") == convert("x", "Sign")
    assert convert("x", "unheard of") == ("x", "")


@pytest.mark.parametrize(
    ("tags", "settings"),
    [
        ("\\an2", ""),
        ("\\an8", "line:0"),
        ("\\an5", "line:50%,center"),
        ("\\an1", "align:left"),
        ("\\an9", "line:0 align:right"),
        ("\\a6", "line:0"),
        ("\\a11", "line:50%,center align:right"),
        ("\\an8\\an2", "line:0"),
        ("\\an0\\a12", ""),
        ("\\an7\\pos(64,36)", "line:10%,start position:10%,line-left align:left"),
        ("\\an5\\pos(320, 180)", "line:50%,center position:50%,center align:center"),
        ("\\pos(320,340)", "line:94%,end position:50%,center align:center"),
        ("\\an3\\move(640,360,0,0)", "line:100%,end position:100%,line-right align:right"),
        ("\\an5\\pos(-100,9999)", "line:100%,center position:20%,center align:center"),
        ("\\pos(1,1)\\pos(320,180)", "line:0%,end position:20%,center align:center"),
        ("\\pos(x,y)\\pos(1)\\pos(-.-,1)", ""),
    ],
)
def test_position(tags, settings):
    assert convert("{" + tags + "}x") == ("x", settings)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["Default", "Sign"]))
def test_runs_are_styled_as_pysubs2_reads_them(text, style):
    file = pysubs2.SSAFile.from_string(HEADER, "ass")
    fragments = pysubs2.formats.substation.parse_tags(text, file.styles[style], file.styles)
    expected = [
        (char, own.bold, own.italic, own.underline)
        for fragment, own in fragments
        for char in fragment.replace("\\N", "\n").replace("\\h", "\u00a0")
    ]
    shown = [row for row in expected if not row[0].isspace()]
    assert [row for row in _styled(convert(text, style)[0]) if not row[0].isspace()] == shown


def _styled(text: str) -> list[tuple[str, bool, bool, bool]]:
    rows, opened = [], []
    for part in re.split(r"(</?[biu]>)", text):
        if re.fullmatch(r"<[biu]>", part):
            opened.append(part[1])
        elif re.fullmatch(r"</[biu]>", part):
            assert opened.pop() == part[2]
        else:
            rows += [(char, *(flag in opened for flag in "biu")) for char in unescape(part)]
    assert opened == []
    return rows


@given(st.text(st.sampled_from("{}\\()tpos1,ibur<>&- \nN\x00x"), max_size=60) | st.text())
def test_anything_becomes_valid_cue_text(text):
    cue, _ = convert(text)
    assert "-->" not in cue
    assert "\n\n" not in cue
    assert not re.search(r"<(?!/?[biu]>)", cue)
    assert cue == webvtt.tidy(cue)
    _styled(cue)


@pytest.mark.parametrize(
    "text",
    [
        *("{" * 10**6, "\\{" * 10**5, "{\\t(" * 10**5, "{}" * 10**5, "\\N" * 10**5),
        *("{\\i1}x" * 10**5, "{" + "\\t((" * 10**5 + "}", "{" + "\\pos(1" * 10**5 + "}"),
        "{" + "\\r" * 10**5 + "}",
    ],
)
def test_hostile_text_takes_linear_time(text):
    started = time.process_time()
    convert(text)
    assert time.process_time() - started < 20


def test_headers_of_ssa():
    script = ass.read_header(
        "[V4 Styles]\nFormat: Name, Bold, Italic, Alignment\n"
        "Style: *Default,-1,0,2\nStyle: Top,0,0,6\nStyle: Middle left,0,-1,9\n"
    )
    assert script.styles == {
        "Default": Style(flags=frozenset("b")),
        "Top": Style(alignment=8),
        "Middle left": Style(flags=frozenset("i"), alignment=4),
    }
    assert script.size == (384, 288)


@given(
    st.text() | st.lists(st.sampled_from([*HEADER.split("\n"), "Style:", "Format:"])).map("\n".join)
)
def test_any_header_is_read(text):
    ass.read_header(text)


def test_what_is_malformed_in_a_header_is_passed_over():
    text = HEADER.replace("PlayResX: 640", "PlayResX: wide").replace(",8,10", ",eight,10")
    script = ass.read_header(text)
    assert script.size == (384, 360)
    assert script.styles["Sign"] == Style(flags=frozenset("bi"))


EVENTS = st.lists(
    st.builds(
        lambda start, length, text: (start * 10, (start + length) * 10, text),
        st.integers(0, 3_000_000),
        st.integers(0, 10_000),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])).map(
            str.strip
        ),
    ),
    max_size=8,
)


@given(EVENTS, st.randoms())
def test_a_script_is_put_together_as_it_was(rows, random):
    events = [
        ass.read_event(f"{order},{order % 3},Sign,Bob,1,2,3,fx,{text}", start, end)
        for order, (start, end, text) in enumerate(rows)
    ]
    random.shuffle(events)
    read = pysubs2.SSAFile.from_string(ass.write_script(HEADER, events), "ass")
    assert [(line.start, line.end, line.text) for line in read] == rows
    assert [line.layer for line in read] == [order % 3 for order in range(len(rows))]
    assert all((line.style, line.name, line.effect) == ("Sign", "Bob", "fx") for line in read)
    assert list(read.styles) == ["Default", "Sign"]


def test_events_stand_in_their_section_whatever_follows_or_is_missing():
    event = Event(start=0, end=1000, text="x\r\ny\n")
    line = "Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,x\\Ny\n"
    fonts = "[Fonts]\nfontname: a.ttf\n[0!A\n"
    assert ass.write_script(HEADER + fonts, [event]) == f"{HEADER}{line}\n{fonts}"
    assert ass.write_script("", [event]).startswith("[Events]\nFormat: Layer")
    assert ass.write_script("", [event]).endswith(line)
    marked = "[Events]\nFormat: Marked, Start, End\n"
    assert ass.write_script(marked, [event]) == marked + line.replace(" 0,", " Marked=0,", 1)


def test_events_that_look_alike_become_one_cue():
    frames = [Event(start=at, end=at + 40, text=f"{{\\fscx{at}}}sign") for at in range(0, 400, 40)]
    twice = [Event(start=1000, end=2000, layer=layer, text="fill") for layer in "01"]
    apart = [Event(start=at, end=at + 100, text="again") for at in (3000, 4000)]
    cues = ass.to_cues(Script(), [*apart, *frames, *twice])
    assert sorted((cue.start, cue.end, cue.text) for cue in cues) == [
        (0, 400, "sign"),
        (1000, 2000, "fill"),
        (3000, 3100, "again"),
        (4000, 4100, "again"),
    ]


@pytest.mark.parametrize("line", ["", "no event", "0,0,Default,,0,0,0,missing"])
def test_what_is_no_event_is_none(line):
    assert ass.read_event(line, 0, 1) is None


def test_odd_fields_of_events_survive():
    event = ass.read_event("x,,Default,,0,0,0,,a,b\0", 0, 1)
    assert event == Event(start=0, end=1, order=0, layer="0", text="a,b")
