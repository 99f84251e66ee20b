/** Frames taken off videos, and the pairs that show the same moment. */

export interface Picture {
  /** Of the leading video's timeline. */
  seconds: number;
  image: VideoFrame | ImageBitmap;
}

export type Pair = readonly [Picture, Picture];
export type SideIndex = 0 | 1;

/** Hardware decoders have few frames to lend. */
const KEPT = 6;

/** Calls back with every frame of a video that comes to the screen; who gets it closes it. */
export class Capture {
  private handle: number;
  /** Of the last frame, in microseconds. */
  private timestamp: number | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly onFrame: (frame: VideoFrame) => void,
  ) {
    this.handle = video.requestVideoFrameCallback(this.next);
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.grab();
  }

  /** The frame says itself when it is due: by the time of the callback there may be a newer one. */
  grab(): void {
    const frame = this.current();
    if (frame) this.take(frame);
  }

  /** Takes the frame on the screen if it is not the last one taken: not every one is called back for. */
  catchUp(): void {
    const frame = this.current();
    if (frame?.timestamp === this.timestamp) frame?.close();
    else if (frame) this.take(frame);
  }

  stop(): void {
    this.video.cancelVideoFrameCallback(this.handle);
  }

  private current(): VideoFrame | null {
    try {
      return new VideoFrame(this.video);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      return null;
    }
  }

  private take(frame: VideoFrame): void {
    this.timestamp = frame.timestamp;
    this.onFrame(frame);
  }

  private readonly next = (): void => {
    this.handle = this.video.requestVideoFrameCallback(this.next);
    this.grab();
  };
}

/**
 * Pairs the pictures of two sides whose times are equal.
 *
 * Takes over what it is offered, and hands both pictures of a pair to `onPair`.
 */
export class Pairing {
  private readonly queues: [Picture[], Picture[]] = [[], []];
  /** Times of pictures that a side is still making: their counterparts must wait. */
  readonly underway: [number | null, number | null] = [null, null];
  /** A side that shows its pictures alone, the other one having failed. */
  alone: SideIndex | null = null;

  constructor(
    /** In seconds: half a frame. */
    private readonly tolerance: () => number,
    private readonly onPair: (pair: Pair) => void,
    private readonly onAlone: (side: SideIndex, picture: Picture) => void,
  ) {}

  offer(side: SideIndex, picture: Picture): void {
    if (this.alone !== null) {
      if (side === this.alone) this.onAlone(side, picture);
      else picture.image.close();
      return;
    }
    const other = side === 0 ? 1 : 0;
    const found = this.queues[other].find((candidate) => this.same(candidate.seconds, picture.seconds));
    if (found) this.emit(side, picture, found);
    else this.keep(side, picture);
  }

  clear(): void {
    for (const side of [0, 1] as const) this.drop(side, () => true);
  }

  private emit(side: SideIndex, picture: Picture, found: Picture): void {
    const other = side === 0 ? 1 : 0;
    this.queues[other] = this.queues[other].filter((candidate) => candidate !== found);
    for (const each of [0, 1] as const) this.drop(each, ({ seconds }) => seconds <= found.seconds);
    this.onPair(side === 0 ? [picture, found] : [found, picture]);
  }

  private keep(side: SideIndex, picture: Picture): void {
    const awaited = this.underway[side === 0 ? 1 : 0];
    this.drop(side, ({ seconds }) => this.same(seconds, picture.seconds));
    this.queues[side].push(picture);
    const spare = this.queues[side].filter(
      ({ seconds }) => awaited === null || !this.same(seconds, awaited),
    );
    const oldest = new Set(spare.slice(0, Math.max(0, this.queues[side].length - KEPT)));
    this.drop(side, (candidate) => oldest.has(candidate));
  }

  private same(one: number, other: number): boolean {
    return Math.abs(one - other) <= this.tolerance();
  }

  private drop(side: SideIndex, condition: (picture: Picture) => boolean): void {
    for (const picture of this.queues[side]) if (condition(picture)) picture.image.close();
    this.queues[side] = this.queues[side].filter((picture) => !condition(picture));
  }
}
