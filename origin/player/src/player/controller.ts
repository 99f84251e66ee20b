/** A player: what its parts and the page see of it, and what holds them together. */

import type Hls from "hls.js";
import type { Title } from "../api";
import { type Request, SegmentLog } from "../panel/segments";
import type { Part, Player, PlayerEvent, Track, Variant } from "../types";
import { Controls } from "./controls";
import { FrameClock, frameSeconds } from "./frames";
import { pictureBox } from "./geometry";
import { Keys } from "./keys";
import { recall, remember } from "./memory";
import { Menu } from "./menu";
import { Notices } from "./notices";
import { type RecordedError, Session } from "./session";
import { sheetOf } from "./shadow";
import type { Shell } from "./shell";

/** Where, and how, a title starts. */
export interface Start {
  /** Seconds. */
  at?: number | null;
  /** Id of a variant; null is automatic. */
  variant?: string | null;
  play?: boolean;
}

export class PlayerController extends EventTarget implements Player {
  readonly video: HTMLVideoElement;
  readonly layers: HTMLElement;
  readonly below: HTMLElement;
  readonly menu: Menu;
  readonly keys: Keys;
  /** All that hls.js reported, for tests and for the curious. */
  readonly errors: RecordedError[] = [];
  readonly log = new SegmentLog();
  title: Title | null = null;
  isDestroyed = false;
  readonly parts: Part[] = [];
  private session: Session | null = null;
  private readonly notices: Notices;
  private readonly clock: FrameClock;
  private readonly sizes: ResizeObserver;
  private readonly controls: Controls;

  constructor(readonly shell: Shell, keyTarget: HTMLElement) {
    super();
    this.video = shell.video;
    this.layers = shell.layers;
    this.below = shell.below;
    this.notices = new Notices(shell.messages);
    this.clock = new FrameClock(this.video);
    this.menu = new Menu(shell);
    this.keys = new Keys(keyTarget);
    this.controls = new Controls(this, shell);
    this.sizes = new ResizeObserver(() => this.emit("layout"));
    this.sizes.observe(this.video);
    for (const type of ["loadedmetadata", "resize", "emptied"]) {
      this.video.addEventListener(type, () => this.emit("layout"));
    }
  }

  destroy(): void {
    this.isDestroyed = true;
    for (const part of this.parts.splice(0)) part.destroy();
    this.session?.destroy();
    this.sizes.disconnect();
    this.clock.destroy();
    this.menu.destroy();
    this.keys.destroy();
  }

  /** Another title, from its start or from where `start` says; null unloads. */
  load(title: Title | null, start: Start = {}): void {
    this.session?.destroy();
    this.session = null;
    this.errors.length = 0;
    this.log.clear();
    this.notices.clear();
    this.title = title;
    if (title) {
      this.say("title", title.error);
      this.session = new Session(this, title, start);
    }
    this.controls.showTitle(title);
    this.emit("title");
    this.emit("variants");
    this.emit("variant");
    this.emit("tracks");
    this.session?.begin();
  }

  get hls(): Hls | null {
    return this.session?.hls ?? null;
  }

  /** The segments that came. */
  get segments(): readonly Request[] {
    return this.log.all;
  }

  get variants(): Variant[] {
    return this.session?.variants ?? [];
  }

  get currentVariant(): Variant | null {
    return this.session?.currentVariant ?? null;
  }

  get chosenVariant(): Variant | null {
    return this.session?.chosenVariant ?? null;
  }

  chooseVariant(id: string | null): void {
    this.session?.chooseVariant(id);
  }

  get audioTracks(): Track[] {
    return this.session?.audioTracks ?? [];
  }

  get audioTrack(): Track | null {
    return this.session?.audioTrack ?? null;
  }

  chooseAudio(id: string): void {
    this.session?.chooseAudio(id);
  }

  get subtitleTracks(): Track[] {
    return this.session?.subtitleTracks ?? [];
  }

  get subtitleTrack(): Track | null {
    return this.session?.subtitleTrack ?? null;
  }

  chooseSubtitle(id: string | null): void {
    this.session?.chooseSubtitle(id);
  }

  get subtitleCues(): readonly VTTCue[] {
    return this.session?.subtitleCues ?? [];
  }

  get pictureBox(): DOMRect {
    return pictureBox(this.video);
  }

  get frameTime(): number {
    return this.clock.time;
  }

  /** Seconds from the first frame of the title to the one on the screen: the `t` of a link. */
  get titleTime(): number {
    return Math.max(0, this.frameTime - (this.session?.clockOffset ?? 0));
  }

  get frameSeconds(): number {
    const level = this.hls?.levels[this.hls.currentLevel];
    return frameSeconds(this.title?.source?.frame_rate ?? (level?.frameRate || undefined));
  }

  stepFrames(count: number): void {
    this.clock.step(count, this.frameSeconds);
  }

  addMenu(name: string, label: string, body: HTMLElement): (summary: string) => void {
    return this.menu.add(name, label, body);
  }

  addButton(name: string, label: string, onClick: () => void, iconPath?: string): HTMLButtonElement {
    return this.controls.addButton(name, label, onClick, iconPath);
  }

  addKey(key: string, label: string, onDown: () => void, onUp?: () => void): void {
    this.keys.add(key, label, onDown, onUp);
  }

  addStyles(css: string): void {
    this.shell.root.adoptedStyleSheets.push(sheetOf(css));
  }

  say(source: string, message: string | null, action?: { label: string; run: () => void }): void {
    this.notices.say(source, message, action);
  }

  remember(key: string, value: unknown): void {
    remember(key, value);
  }

  recall<T>(key: string): T | null {
    return recall<T>(key);
  }

  emit(type: PlayerEvent): void {
    this.dispatchEvent(new Event(type));
  }
}
