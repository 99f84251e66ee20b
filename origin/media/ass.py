"""ASS and SSA: scripts put together again from a file's packets, and events turned into WebVTT.

What WebVTT can say is kept: italics, bold, underline, line breaks, and where on the picture a text
stands. Drawings, comments, karaoke, animation, colours and fonts are not: whoever wants them gets
the script itself. What override tags mean is libass's word (github.com/libass/libass).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from manifests import webvtt
from manifests.webvtt import Cue

_DEFAULT_SIZE = (384, 288)
"""PlayRes of a script that states none."""
_FIELDS_OF_TEXT = 9
"""ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text: a packet's fields."""
_EVENT_FORMAT = (
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"
)
_EVENTS = re.compile(r"^\[events\][^\n]*$", re.IGNORECASE | re.MULTILINE)
_SECTION = re.compile(r"^\[[\w+ ]{1,40}\][ \t]*$", re.MULTILINE)
_MARKED = re.compile(r"^format:\s*marked\b", re.IGNORECASE | re.MULTILINE)
_ANIMATED = re.compile(r"\\t\([^()]*(?:\([^()]*\)[^()]*)*\)?")
_TAG = re.compile(
    r"\\(?:(?:pos|move)\(\s*(?P<x>[-+.\d]{1,20})\s*,\s*(?P<y>[-+.\d]{1,20})"
    r"|an(?P<an>\d)|a(?P<a>\d{1,2})|p(?P<p>\d{1,4})"
    r"|(?P<flag>[biu])(?P<on>\d{0,4})(?![a-zA-Z(])|r(?P<r>[^\\]{0,200}))"
)
_MERGED_MILLISECONDS = 50
"""Events that are this close, and alike, are one: typesetters animate frame by frame."""
_REGULAR = 500
"""The heaviest font weight that is not bold."""
_NARROWEST = 40
"""Percent of the width that a positioned cue gets at least before its lines are broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What WebVTT needs of a style."""

    flags: frozenset[str] = frozenset()
    """Of `b`, `i` and `u`."""
    alignment: int = 2
    """As on a numeric keypad: 2 is bottom centre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The header of a script."""

    styles: Mapping[str, Style] = field(default_factory=dict)
    size: tuple[int, int] = _DEFAULT_SIZE
    """PlayResX and PlayResY, what positions are relative to."""

    def style(self, name: str) -> Style:
        """The style of that name, else the default one."""
        default = self.styles.get("Default", Style())
        return self.styles.get(name.strip().lstrip("*"), default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of dialogue. Times are milliseconds."""

    start: int
    end: int
    order: int = 0
    """ReadOrder: where it stood in the script."""
    layer: str = "0"
    style: str = "Default"
    rest: str = ",0,0,0,"
    """Name, MarginL, MarginR, MarginV, Effect."""
    text: str


def read_event(line: str, start: int, end: int) -> Event | None:
    """Read an event as packets and FFmpeg's decoders have it; None where it is none."""
    parts = line.replace("\0", "").split(",", _FIELDS_OF_TEXT - 1)
    if len(parts) < _FIELDS_OF_TEXT:
        return None
    order, layer, style, *rest, text = parts
    digits = order.strip()
    return Event(
        start=start,
        end=end,
        order=int(digits) if digits.isdecimal() and len(digits) < 10 else 0,
        layer=layer.strip() or "0",
        style=style,
        rest=",".join(rest),
        text=text,
    )


def read_header(text: str) -> Script:
    """Read a script's styles and size; what is malformed in it is passed over."""
    styles: dict[str, Style] = {}
    size = dict(zip(("playresx", "playresy"), _DEFAULT_SIZE, strict=True))
    names: list[str] = []
    legacy = False
    for line in text.splitlines():
        key, _, value = line.partition(":")
        match key.strip().lower():
            case "playresx" | "playresy" as which:
                size[which] = _whole(value, 1, 100_000) or size[which]
            case "[v4 styles]":
                legacy = True
            case "format" if not styles:
                names = [name.strip().lower() for name in value.split(",")]
            case "style":
                row = dict(zip(names, (cell.strip() for cell in value.split(",")), strict=False))
                styles[row.get("name", "").lstrip("*")] = _style(row, legacy)
            case _:
                pass
    return Script(styles=styles, size=(size["playresx"], size["playresy"]))


def _style(row: Mapping[str, str], legacy: bool) -> Style:
    flags = {"b": "bold", "i": "italic", "u": "underline"}
    alignment = _whole(row.get("alignment", ""), 1, 11) or 2
    return Style(
        flags=frozenset(tag for tag, name in flags.items() if row.get(name, "0") not in ("0", "")),
        alignment=_from_legacy(alignment) if legacy else min(alignment, 9),
    )


def _from_legacy(alignment: int) -> int:
    """SSA counts 1 to 3 at the bottom, and adds 4 at the top, 8 in the middle."""
    column = alignment % 4 or 2
    return column + {1: 6, 2: 3}.get(alignment // 4, 0)


def _whole(text: str, low: int, high: int) -> int | None:
    found = re.fullmatch(r"\s*(\d{1,9})(?:\.\d*)?\s*", text)
    return int(found[1]) if found and low <= int(found[1]) <= high else None


def write_script(header: str, events: Iterable[Event]) -> str:
    """The script as it was before it was put into packets: header, then events in their order."""
    head = header.replace("\0", "").replace("\r\n", "\n").strip("\ufeff\r\n\t ")
    found = _EVENTS.search(head)
    if found is None:
        head, tail = f"{head}\n\n{_EVENT_FORMAT}".lstrip(), ""
    else:  # a section of fonts may follow
        following = _SECTION.search(head, found.end())
        cut = following.start() if following else len(head)
        head, tail = head[:cut].rstrip("\n"), head[cut:]
    marked = _MARKED.search(head) is not None
    ordered = sorted(events, key=lambda event: event.order)
    lines = [head, *(_dialogue(event, marked) for event in ordered), ""]
    return "\n".join([*lines, tail, ""] if tail else lines)


def _dialogue(event: Event, marked: bool) -> str:
    layer = "Marked=0" if marked else event.layer
    times = f"{_timestamp(event.start)},{_timestamp(event.end)}"
    line = f"Dialogue: {layer},{times},{event.style},{event.rest},{event.text}"
    return re.sub(r"\r\n?|\n", r"\\N", line.rstrip("\r\n"))


def _timestamp(milliseconds: int) -> str:
    """`H:MM:SS.cc`."""
    seconds, hundredths = divmod((max(0, milliseconds) + 5) // 10, 100)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}.{hundredths:02d}"


def to_cues(script: Script, events: Iterable[Event]) -> list[Cue]:
    """The cues of a script; events that look alike and follow or cover one another become one."""
    merged: dict[tuple[str, str], list[list[int]]] = {}
    for event in sorted(events, key=lambda event: (event.start, event.order)):
        text, settings = to_webvtt(script, event)
        if not text or event.start >= event.end:
            continue
        spans = merged.setdefault((text, settings), [])
        if spans and event.start <= spans[-1][1] + _MERGED_MILLISECONDS:
            spans[-1][1] = max(spans[-1][1], event.end)
        else:
            spans.append([event.start, event.end])
    return [
        Cue(start=start, end=end, text=text, settings=settings)
        for (text, settings), spans in merged.items()
        for start, end in spans
    ]


def to_webvtt(script: Script, event: Event) -> tuple[str, str]:
    """Cue text and cue settings of an event; empty text where it only draws."""
    style = script.style(event.style)
    writer = _Writer(flags=style.flags)
    alignment: int | None = None
    position: tuple[float, float] | None = None
    for is_override, piece in _pieces(event.text):
        if not is_override:
            writer.write(piece)
            continue
        for tag in _TAG.finditer(_ANIMATED.sub("", piece)):
            if tag["x"] is not None:
                position = position or _point(tag["x"], tag["y"], script.size)
            elif tag["an"] or tag["a"]:
                alignment = alignment or _alignment(tag)
            elif tag["p"] is not None:
                writer.is_drawing = int(tag["p"]) > 0
            elif tag["flag"]:
                writer.turn(tag["flag"], tag["on"], style)
            elif tag["r"] is not None:
                named = tag["r"].strip()
                writer.flags = (script.style(named) if named else style).flags
    return webvtt.tidy(writer.finish()), _settings(alignment or style.alignment, position)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Text and what stands in braces, in turn; an escaped brace, or one never closed, is text."""
    at = searched = 0
    while (opened := text.find("{", searched)) >= 0:
        if opened and text[opened - 1] == "\\":
            searched = opened + 1
            continue
        closed = text.find("}", opened)
        if closed < 0:
            break
        yield False, text[at:opened]
        yield True, text[opened + 1 : closed]
        at = searched = closed + 1
    yield False, text[at:]


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Writes cue text run by run; tags are opened late and closed early."""

    flags: frozenset[str]
    is_drawing: bool = False
    _parts: list[str] = field(default_factory=list)
    _open: frozenset[str] = frozenset()

    def turn(self, flag: str, on: str, style: Style) -> None:
        """Override a flag; no number resets it to the style's."""
        weight = int(on or 0)
        is_on = weight == 1 or weight > _REGULAR if on else flag in style.flags
        self.flags = self.flags | {flag} if is_on else self.flags - {flag}

    def write(self, piece: str) -> None:
        """Append plain text of the script."""
        if self.is_drawing or not piece:
            return
        if self.flags != self._open:
            self._close()
            self._parts += [f"<{flag}>" for flag in sorted(self.flags)]
            self._open = self.flags
        self._parts.append(webvtt.escape(_plain(piece)))

    def finish(self) -> str:
        """The cue text."""
        self._close()
        text = "".join(self._parts)
        return text if re.sub(r"</?[biu]>", "", text).strip() else ""

    def _close(self) -> None:
        self._parts += [f"</{flag}>" for flag in sorted(self._open, reverse=True)]
        self._open = frozenset()


def _plain(piece: str) -> str:
    breaks = piece.replace("\\N", "\n").replace("\\n", " ").replace("\\h", "\u00a0")
    return breaks.replace("\\{", "{").replace("\\}", "}")


def _point(x: str, y: str, size: tuple[int, int]) -> tuple[float, float] | None:
    """In percent of the picture."""
    try:
        return 100 * float(x) / size[0], 100 * float(y) / size[1]
    except ValueError:
        return None


def _alignment(tag: "re.Match[str]") -> int | None:
    value = int(tag["an"] or tag["a"])
    if tag["an"]:
        return value or None
    return _from_legacy(value) if 1 <= value <= 11 else None


def _settings(alignment: int, position: tuple[float, float] | None) -> str:
    """Cue settings (WebVTT section 4.4); none at the bottom centre, where players put text."""
    row, column = divmod(alignment - 1, 3)
    align = ("left", "", "right")[column]
    parts: Sequence[str]
    if position is None:
        parts = (("", "line:50%,center", "line:0")[row], align and f"align:{align}")
    else:
        x, y = position
        low, high = ((0, 100 - _NARROWEST), (_NARROWEST / 2, 100 - _NARROWEST / 2))[column == 1]
        if column == 2:
            low, high = _NARROWEST, 100
        across, down = round(min(max(x, low), high)), round(min(max(y, 0), 100))
        parts = (
            f"line:{down}%,{('end', 'center', 'start')[row]}",
            f"position:{across}%,{('line-left', 'center', 'line-right')[column]}",
            f"align:{align or 'center'}",
        )
    return " ".join(part for part in parts if part)
