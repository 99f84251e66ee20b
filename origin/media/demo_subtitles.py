"""The demo's subtitles: plain ones, and a script that shows what styled ones can do."""

from itertools import cycle

FONT = "Fredoka One"
"""The family that the script asks for; players that lack it take another."""

_LINES = (
    "It is a fine morning\nin the meadow.",
    "<i>A very large rabbit</i> steps out of his den.",
    "This line is text, drawn by your player:\nit stays sharp at every size.",
    "The picture below it was upscaled\nwhen you asked for it.",
)
_LINE_SECONDS, _LINE_EVERY = 3.2, 4

_HEADER = f"""[Script Info]
ScriptType: v4.00+
PlayResX: 640
PlayResY: 360
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,{FONT},26,&H00FFFFFF,&H0050B4FF,&H00303030,&H80000000,\
0,0,0,0,100,100,0,0,1,2.2,1,2,20,20,18,1
Style: Sign,{FONT},34,&H0060E0FF,&H000000FF,&H00204060,&H80000000,\
0,0,0,0,100,100,1,0,1,2.5,0,8,20,20,16,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_EVENTS = (
    (0.4, 3.6, "Sign", r"{\fad(400,400)\t(0,1200,\frz-4)}Big Buck Bunny"),
    (
        0.8,
        4.0,
        "Default",
        r"{\k40}Syl{\k30}la{\k30}bles {\k50}light {\k40}up {\k60}one {\k40}by one",
    ),
    (
        4.4,
        7.6,
        "Default",
        r"Words may be {\i1}slanted{\i0}, {\c&H60FF60&}green{\c}, or {\fs38}large",
    ),
    (4.8, 7.6, "Sign", r"{\an7\move(20,20,200,60)}this one wanders"),
    (8.4, 11.6, "Default", r"{\blur3\bord4\3c&HB060FF&}A glow around the letters"),
    (9.0, 11.6, "Sign", r"{\pos(520,70)\frz12\frx20}a sign,\Nin perspective"),
    (12.4, 15.6, "Default", r"{\fscx60\t(0,1500,\fscx120)}And it all scales with your screen"),
    (
        *(12.4, 15.6, "Sign"),
        r"{\an5\pos(60,60)\p1\c&H60E0FF&\t(0,3200,\frz360)}"
        r"m 0 -30 l 9 -9 30 0 9 9 0 30 -9 9 -30 0 -9 -9",
    ),
)
_PERIOD_SECONDS = 16


def plain(seconds: int) -> str:
    """SubRip for a title of a length."""
    blocks = []
    for number, (start, text) in enumerate(
        zip(range(0, seconds, _LINE_EVERY), cycle(_LINES), strict=False), start=1
    ):
        times = f"{_srt(start + 0.4)} --> {_srt(start + 0.4 + _LINE_SECONDS)}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    return "\n".join(blocks)


def styled(seconds: int) -> str:
    """ASS for a title of a length."""
    lines = [
        f"Dialogue: 0,{_ass(start + period)},{_ass(end + period)},{style},,0,0,0,,{text}\n"
        for period in range(0, seconds, _PERIOD_SECONDS)
        for start, end, style, text in _EVENTS
        if end + period <= seconds
    ]
    return _HEADER + "".join(lines)


def _srt(seconds: float) -> str:
    return _clock(round(seconds * 1000), 1000, ",", 3).rjust(12, "0")


def _ass(seconds: float) -> str:
    return _clock(round(seconds * 100), 100, ".", 2)


def _clock(ticks: int, rate: int, mark: str, digits: int) -> str:
    seconds, fraction = divmod(ticks, rate)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}{mark}{fraction:0{digits}d}"
