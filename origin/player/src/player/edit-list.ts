/** How far the edit list of an init segment moves the video: browsers follow it, hls.js does not see it. */

/** Seconds that frames are shown before their PTS; 0 where there is none. ISO/IEC 14496-12, 8.6.6. */
export function editSeconds(init: Uint8Array | null | undefined): number {
  if (!init) return 0;
  const whole = new DataView(init.buffer, init.byteOffset, init.byteLength);
  try {
    for (const track of boxes(whole, "moov", "trak")) {
      const [handler] = boxes(track, "mdia", "hdlr");
      if (handler && text(handler, 8) === "vide") return firstEdit(track);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // It ends too early: the player will say so.
  }
  return 0;
}

function firstEdit(track: DataView): number {
  const [header] = boxes(track, "mdia", "mdhd");
  const [list] = boxes(track, "edts", "elst");
  if (!header || !list || list.getUint32(4) === 0) return 0;
  const timescale = header.getUint32(header.getUint8(0) === 1 ? 20 : 12);
  const mediaTime = list.getUint8(0) === 1 ? Number(list.getBigInt64(16)) : list.getInt32(12);
  return Math.max(0, mediaTime) / timescale;
}

/** Contents of the boxes at a path. */
function* boxes(within: DataView, type: string, ...path: string[]): Generator<DataView> {
  for (let at = 0; at + 8 <= within.byteLength; ) {
    const size = within.getUint32(at);
    if (size < 8) return;
    if (text(within, at + 4) === type) {
      const inside = new DataView(within.buffer, within.byteOffset + at + 8, size - 8);
      const [next, ...rest] = path;
      if (next) yield* boxes(inside, next, ...rest);
      else yield inside;
    }
    at += size;
  }
}

const text = (view: DataView, at: number): string =>
  String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));
