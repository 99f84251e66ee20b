/**
 * Where cues go: WebVTT, "Processing model", section 7.2 of https://www.w3.org/TR/webvtt1/.
 *
 * All sizes are CSS pixels relative to the picture's top left corner. `line` and `block` run across
 * the lines of text: down the picture for horizontal text, to either side for vertical text.
 */

export interface Area {
  width: number;
  height: number;
  /** Of the picture's bottom, covered by controls: nothing is drawn there. */
  covered: number;
  /** Wished by the viewer, below cues that do not say where they want to be. */
  margin: number;
  lineHeight: number;
}

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Span {
  /** Where the cue's box starts along the line, and how long it is, in per cent of the picture. */
  start: number;
  size: number;
  align: AlignSetting;
}

/** The cue's box along its lines. `rtl` is the base direction of its text. */
export function spanOf(cue: VTTCue, rtl: boolean): Span {
  const { align } = cue;
  const anchor = anchorOf(cue, rtl);
  const usual = { left: 0, center: 50, right: 100 }[anchor];
  // For `align:start` hls.js writes 0, which leaves no room at all to text that starts at the right.
  const position = cue.position === "auto" || !roomAt(cue.position, anchor) ? usual : cue.position;
  const size = Math.min(cue.size, roomAt(position, anchor));
  return { start: position - { left: 0, center: size / 2, right: size }[anchor], size, align };
}

function roomAt(position: number, anchor: Anchor): number {
  return { left: 100 - position, center: 2 * Math.min(position, 100 - position), right: position }[anchor];
}

type Anchor = "left" | "center" | "right";

/** Which part of the box `position` is about. */
function anchorOf({ positionAlign, align }: VTTCue, rtl: boolean): Anchor {
  if (positionAlign === "center") return "center";
  if (positionAlign === "line-left") return "left";
  if (positionAlign === "line-right") return "right";
  if (align === "start") return rtl ? "right" : "left";
  if (align === "end") return rtl ? "left" : "right";
  return align === "left" || align === "right" ? align : "center";
}

/** Where a box of the size of `box` goes, clear of what is `taken`; `box` lies right along its lines. */
export function place(cue: VTTCue, box: Rect, area: Area, taken: readonly Rect[]): Rect {
  const horizontal = cue.vertical === "";
  const size = horizontal ? box.height : box.width;
  const whole = horizontal ? area.height : area.width;
  const margin = horizontal && cue.line === "auto" ? area.margin : 0;
  const end = whole - (horizontal ? Math.max(area.covered, margin) : 0);
  // Lines of `vertical:rl` are counted from the right.
  const mirrored = cue.vertical === "rl" && cue.snapToLines;
  const at = (block: number): Rect => {
    if (horizontal) return { ...box, top: block };
    return { ...box, left: mirrored ? whole - block - size : block };
  };
  const wanted = cue.snapToLines ? snapped(cue, area.lineHeight, whole) : lineOffset(cue, whole, size);
  const backwards = cue.line === "auto" || (cue.snapToLines && cue.line < 0);
  const step = cue.snapToLines ? area.lineHeight : 1;
  const block = Math.max(0, Math.min(wanted, end - size));
  return free(block, backwards ? -step : step, end - size, at, taken);
}

/** The start of the line that the cue asks for; -1 is the last. */
function snapped({ line }: VTTCue, lineHeight: number, whole: number): number {
  const number = line === "auto" ? -1 : Math.round(line);
  return number < 0 ? whole + number * lineHeight : number * lineHeight;
}

function lineOffset({ line, lineAlign }: VTTCue, whole: number, size: number): number {
  const offset = ((line === "auto" ? 100 : line) / 100) * whole;
  return offset - { start: 0, center: size / 2, end: size }[lineAlign];
}

/** The first free place from `wanted` on in the direction of `step`, else in the other, else `wanted`. */
function free(
  wanted: number,
  step: number,
  last: number,
  at: (block: number) => Rect,
  taken: readonly Rect[],
): Rect {
  for (const stride of [step, -step]) {
    for (let block = wanted; block >= 0 && block <= Math.max(0, last); block += stride) {
      const rect = at(block);
      if (!taken.some((other) => overlaps(rect, other))) return rect;
    }
  }
  return at(wanted);
}

/** Boxes that merely touch, give or take rounding, do not overlap. */
function overlaps(a: Rect, b: Rect): boolean {
  const slack = 0.5;
  return (
    a.left + slack < b.left + b.width &&
    b.left + slack < a.left + a.width &&
    a.top + slack < b.top + b.height &&
    b.top + slack < a.top + a.height
  );
}
