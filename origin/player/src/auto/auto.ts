/** Chooses where the picture is upscaled, or lets the viewer choose, and says why. */

import { complete } from "../filter/settings";
import { make } from "../player/dom";
import { RadioGroup } from "../player/radio-group";
import type { Part, Player } from "../types";
import css from "./auto.css?inline";
import { type Decision, decide, type Situation } from "./decide";
import { measuredSpeed, type Speed } from "./measure";
import { savesData, watchBattery } from "./power";

const KEY = "auto";
const LOOK_MS = 3_000;
const DWELL_MS = 10_000;
const SETTLED_MS = 500;

const MODES = {
  auto: { label: "Automatic", note: "by this GPU and the network" },
  server: { label: "On the server", note: "whichever variant the network allows" },
  browser: { label: "In this browser", note: "the source, and Anime4K on this GPU" },
  plain: { label: "Nowhere", note: "the source as it is" },
} as const;

type Mode = keyof typeof MODES;

export class AutoChoice implements Part {
  /** What was decided last, and why; null where the viewer set the variant and the filter by hand. */
  decision: Decision | null = null;
  private mode: Mode | null;
  private speed: Speed | string | null = null;
  private decidedAt = -Infinity;
  private measuring: Promise<void> | null = null;
  private onBattery = false;
  private settling: ReturnType<typeof setTimeout> | undefined;
  private readonly looking: ReturnType<typeof setInterval>;
  private readonly ended = new AbortController();
  private readonly choices = new RadioGroup("Where it is upscaled", (value) => this.choose(value as Mode));
  private readonly why = make("p", { class: "why", role: "status", "data-part": "auto-why" });
  private readonly summarise: (summary: string) => void;

  constructor(private readonly player: Player) {
    const kept = player.recall<Mode>(KEY);
    this.mode = kept && kept in MODES ? kept : null;
    player.addStyles(css);
    const body = make("div", { "data-part": "auto" }, this.choices.element, this.why);
    this.summarise = player.addMenu(KEY, "Where it is upscaled", body);
    player.addEventListener("title", this.restart);
    player.addEventListener("variants", this.noticed);
    player.addEventListener("layout", this.resized);
    player.filter?.addEventListener("choice", this.switched);
    this.looking = setInterval(() => this.look(), LOOK_MS);
    void watchBattery(this.ended.signal, (onBattery) => {
      this.onBattery = onBattery;
      this.look();
    });
    this.show();
    this.restart();
  }

  destroy(): void {
    const { player } = this;
    player.removeEventListener("title", this.restart);
    player.removeEventListener("variants", this.noticed);
    player.removeEventListener("layout", this.resized);
    player.filter?.removeEventListener("choice", this.switched);
    clearInterval(this.looking);
    clearTimeout(this.settling);
    this.ended.abort();
  }

  private choose(mode: Mode): void {
    this.mode = mode;
    this.player.remember(KEY, mode);
    this.restart();
  }

  private readonly restart = (): void => {
    this.decision = null;
    this.decidedAt = -Infinity;
    this.look();
  };

  /** Decides anew, if it is time to. */
  private look(): void {
    const { mode, player } = this;
    if (!mode || !player.variants.length || player.comparing) return this.show();
    if (mode === "auto") this.lookAround();
    else if (!this.decision) this.apply(fixed(mode, player, this.preset));
    this.show();
  }

  private lookAround(): void {
    if (this.speed === null) {
      this.measuring ??= this.measure();
      return;
    }
    const isUnmeasured = this.player.hls !== null && bandwidth(this.player) === null;
    if (isUnmeasured || performance.now() - this.decidedAt < DWELL_MS) return;
    const decision = decide(this.situation(this.speed), this.decision);
    if (!sameChoice(decision, this.decision)) this.apply(decision);
    else this.decision = decision;
  }

  private async measure(): Promise<void> {
    try {
      this.speed = await measuredSpeed(this.player);
    } catch (error) {
      this.speed = error instanceof Error ? error.message : String(error);
    }
    this.look();
  }

  private situation(speed: Speed | string): Situation {
    const { player } = this;
    const { width, height } = player.pictureBox;
    return {
      variants: player.variants,
      box: { width: Math.round(width * devicePixelRatio), height: Math.round(height * devicePixelRatio) },
      interval: (1000 * player.frameSeconds) / (player.video.playbackRate || 1),
      bandwidth: bandwidth(player),
      preset: this.preset,
      filter: player.filter?.trouble ?? (player.filter ? speed : "The filter was not loaded."),
      savesData: savesData(),
      onBattery: this.onBattery,
    };
  }

  /** What the viewer set; what was chosen for them is not remembered. */
  private get preset(): string {
    return complete(this.player.recall("filter")).preset;
  }

  private apply(decision: Decision): void {
    const { player } = this;
    this.decision = decision;
    this.decidedAt = performance.now();
    if ((player.chosenVariant?.id ?? null) !== decision.variant) player.chooseVariant(decision.variant);
    const { filter } = decision;
    const chosen = filter && this.mode === "auto" ? { preset: filter.preset, target: "auto" as const } : {};
    player.filter?.set({ ...chosen, on: filter !== null }, "chooser");
  }

  /** Somebody chose another variant than this part did: they have it in hand. Compare does so in passing. */
  private readonly noticed = (): void => {
    setTimeout(() => {
      const { player, decision } = this;
      if (player.comparing || this.ended.signal.aborted) return;
      const isOther = decision && (player.chosenVariant?.id ?? null) !== decision.variant;
      if (isOther && player.variants.length) this.yieldToViewer();
      else this.look();
    });
  };

  private readonly switched = (): void => {
    const { decision, player } = this;
    if (decision && player.filter && player.filter.choice.on !== (decision.filter !== null)) this.yieldToViewer();
  };

  private yieldToViewer(): void {
    this.mode = null;
    this.decision = null;
    this.player.remember(KEY, null);
    this.show();
  }

  private readonly resized = (): void => {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.look(), SETTLED_MS);
  };

  private show(): void {
    const { mode, decision } = this;
    const choices = Object.entries(MODES).map(([value, { label, note }]) => ({ value, label, note }));
    this.choices.update(choices, mode ?? "");
    this.summarise(mode ? MODES[mode].label : "By hand");
    const why = mode ? (decision?.why ?? this.waiting()) : "The variant and the filter are as they were set by hand.";
    if (this.why.textContent !== why) this.why.textContent = why;
  }

  private waiting(): string {
    if (!this.player.variants.length || this.mode !== "auto") return "Waiting for a title…";
    return this.speed === null ? "Measuring this GPU…" : "Measuring the network…";
  }
}

/** The choices that need no looking around. */
function fixed(mode: Exclude<Mode, "auto">, { variants }: Player, preset: string): Decision {
  if (mode === "server") return { variant: null, filter: null, why: "You chose the server: the network decides which variant plays." };
  const sources = variants.filter(({ madeBy }) => madeBy === "source").sort((a, b) => b.height - a.height);
  const variant = sources[0]?.id ?? null;
  if (mode === "plain") return { variant, filter: null, why: "You chose the source as it is." };
  const filter = { preset, strength: 1, target: { width: 0, height: 0 } };
  return { variant, filter, why: "You chose this browser: the source plays, and this GPU upscales it." };
}

/** Bits per second; null while hls.js only has its default. */
function bandwidth({ hls }: Player): number | null {
  const estimate = hls?.bandwidthEstimate ?? Number.NaN;
  return Number.isFinite(estimate) && estimate !== hls?.config.abrEwmaDefaultEstimate ? estimate : null;
}

function sameChoice(a: Decision, b: Decision | null): boolean {
  return b !== null && a.variant === b.variant && a.filter?.preset === b.filter?.preset;
}
