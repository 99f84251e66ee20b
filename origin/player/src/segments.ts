/** The table of fetched segments. */

import Hls, { type FragLoadedData, type Fragment } from "hls.js";
import { variantLabel } from "./variants";

export const STAGES = ["queue", "fetch", "decode", "upscale", "encode", "mux"] as const;
type Stage = (typeof STAGES)[number];

export interface FetchedSegment {
  url: string;
  sequence: number | "init";
  kind: string;
  level: number;
  variant: string;
  cache: string | null;
  bytes: number;
  waitMs: number;
  stages: Partial<Record<Stage, number>>;
}

const ROWS = 24;

export class SegmentLog {
  readonly all: FetchedSegment[] = [];
  private readonly begun = new WeakMap<Fragment, number>();

  constructor(private readonly body: HTMLTableSectionElement) {}

  clear(): void {
    this.all.length = 0;
    this.body.replaceChildren();
  }

  watch(hls: Hls): void {
    hls.on(Hls.Events.FRAG_LOADING, (_event, { frag }) => this.begun.set(frag, performance.now()));
    hls.on(Hls.Events.FRAG_LOADED, (_event, data) => this.add(hls, data));
  }

  private add(hls: Hls, { frag, networkDetails }: FragLoadedData): void {
    const response = networkDetails instanceof XMLHttpRequest ? networkDetails : null;
    const level = frag.type === "main" ? hls.levels[frag.level] : undefined;
    const segment: FetchedSegment = {
      url: frag.url,
      sequence: frag.sn === "initSegment" ? "init" : frag.sn,
      kind: frag.type === "main" ? "video" : frag.type,
      level: frag.level,
      variant: level ? variantLabel(level, hls.levels) : frag.type,
      cache: response?.getResponseHeader("X-Cache") ?? null,
      bytes: frag.stats.loaded,
      waitMs: performance.now() - (this.begun.get(frag) ?? performance.now()),
      stages: parseServerTiming(response?.getResponseHeader("Server-Timing") ?? ""),
    };
    this.all.push(segment);
    this.body.prepend(row(segment));
    while (this.body.rows.length > ROWS) this.body.deleteRow(-1);
  }
}

/** `queue;dur=1.2, upscale;dur=830` in milliseconds by stage. */
export function parseServerTiming(header: string): FetchedSegment["stages"] {
  const stages: FetchedSegment["stages"] = {};
  for (const metric of header.split(",")) {
    const [name, ...parameters] = metric.split(";").map((part) => part.trim());
    const stage = STAGES.find((candidate) => candidate === name);
    const duration = parameters.find((parameter) => parameter.startsWith("dur="))?.slice(4);
    if (stage && duration) stages[stage] = Number(duration);
  }
  return stages;
}

export function legend(): HTMLLIElement[] {
  return STAGES.map((stage) => {
    const item = document.createElement("li");
    item.className = `stage-${stage}`;
    item.textContent = stage;
    return item;
  });
}

function row(segment: FetchedSegment): HTMLTableRowElement {
  const line = document.createElement("tr");
  const name = segment.sequence === "init" ? "init" : `#${segment.sequence}`;
  line.append(
    cell(name),
    cell(segment.variant),
    cell(badge(segment.cache)),
    cell(size(segment.bytes), "number"),
    cell(`${Math.round(segment.waitMs)} ms`, "number"),
    cell(bars(segment.stages)),
  );
  return line;
}

function cell(content: string | Node, className = ""): HTMLTableCellElement {
  const element = document.createElement("td");
  element.className = className;
  element.append(content);
  return element;
}

function badge(cache: string | null): Node {
  const element = document.createElement("b");
  element.className = `badge ${cache ?? ""}`;
  element.textContent = cache ?? "–";
  return element;
}

/** One pixel is 20 ms; the numbers are in the tooltip and for screen readers. */
function bars(stages: FetchedSegment["stages"]): Node {
  const element = document.createElement("div");
  element.className = "bars";
  const spent = STAGES.filter((stage) => stages[stage]);
  const text = spent.map((stage) => `${stage} ${Math.round(stages[stage] ?? 0)} ms`).join(", ");
  if (!text) return document.createTextNode("–");
  element.title = text;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", text);
  for (const stage of spent) {
    const part = document.createElement("i");
    part.className = `stage-${stage}`;
    part.style.width = `${Math.max(1, (stages[stage] ?? 0) / 20)}px`;
    element.append(part);
  }
  return element;
}

function size(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
