/** What was fetched, when, and what the origin says about it. */

import Hls, { type FragLoadedData, type Fragment } from "hls.js";
import { variantLabel } from "../variants";

export const STAGES = ["queue", "fetch", "decode", "upscale", "encode", "mux"] as const;
export type Stage = (typeof STAGES)[number];

/** Which of the two playbacks asks: the second one is there while two variants are compared. */
export type Session = "main" | "second";

export interface Request {
  url: string;
  sequence: number | "init";
  kind: string;
  level: number;
  variant: string;
  session: Session;
  state: "loading" | "done" | "failed" | "cancelled";
  /** Of `performance.now()`. */
  requestedMs: number;
  firstByteMs: number | null;
  doneMs: number | null;
  bytes: number;
  /** X-Cache. */
  cache: string | null;
  cacheStatus: string | null;
  /** From the request to the last byte. */
  waitMs: number;
  /** Milliseconds by stage. Stages run side by side, so they may add up to more than the wait. */
  stages: Partial<Record<Stage, number>>;
}

const KEPT = 400;

/** Dispatches `change` whenever a request begins or ends. */
export class SegmentLog extends EventTarget {
  /** Requests that brought a segment, in the order of their ends. */
  readonly all: Request[] = [];
  /** All of them, in the order of their beginnings. */
  readonly requests: Request[] = [];
  private readonly open = new Map<Fragment, Request>();

  clear(): void {
    this.all.length = 0;
    this.requests.length = 0;
    this.open.clear();
    this.tell();
  }

  watch(hls: Hls, session: Session = "main"): void {
    hls.on(Hls.Events.FRAG_LOADING, (_event, { frag }) => this.begin(hls, frag, session));
    hls.on(Hls.Events.FRAG_LOADED, (_event, data) => this.finish(data));
    hls.on(Hls.Events.FRAG_LOAD_EMERGENCY_ABORTED, (_event, { frag }) => this.end(frag, "cancelled"));
    hls.on(Hls.Events.ERROR, (_event, { type, frag }) => {
      if (frag && type === Hls.ErrorTypes.NETWORK_ERROR) this.end(frag, frag.stats.aborted ? "cancelled" : "failed");
    });
    hls.on(Hls.Events.DESTROYING, () => this.cancel(session));
  }

  /** Brings those still under way up to date: hls.js tells neither of first bytes nor of the ends of init segments. */
  refresh(): void {
    for (const [frag, request] of this.open) {
      const { aborted, loading, loaded } = frag.stats;
      request.firstByteMs = firstByte(frag, request);
      request.bytes = loaded;
      if (loading.end >= request.requestedMs) this.end(frag, "done", loading.end);
      else if (aborted) this.end(frag, "cancelled");
    }
  }

  private begin(hls: Hls, frag: Fragment, session: Session): void {
    const level = frag.type === "main" ? hls.levels[frag.level] : undefined;
    const request: Request = {
      url: frag.url,
      sequence: frag.sn === "initSegment" ? "init" : frag.sn,
      kind: frag.type === "main" ? "video" : frag.type,
      level: frag.level,
      variant: level ? variantLabel(level, hls.levels) : frag.type,
      session,
      state: "loading",
      requestedMs: performance.now(),
      firstByteMs: null,
      doneMs: null,
      bytes: 0,
      cache: null,
      cacheStatus: null,
      waitMs: 0,
      stages: {},
    };
    this.refresh();
    this.end(frag, "cancelled");
    this.open.set(frag, request);
    this.requests.push(request);
    if (this.requests.length > KEPT) this.requests.shift();
    this.tell();
  }

  private finish({ frag, networkDetails }: FragLoadedData): void {
    const request = this.open.get(frag);
    if (!request) return;
    const response = networkDetails instanceof XMLHttpRequest ? networkDetails : null;
    request.cache = response?.getResponseHeader("X-Cache") ?? null;
    request.cacheStatus = response?.getResponseHeader("Cache-Status") ?? null;
    request.stages = parseServerTiming(response?.getResponseHeader("Server-Timing") ?? "");
    request.bytes = frag.stats.loaded;
    request.firstByteMs = firstByte(frag, request);
    this.all.push(request);
    this.end(frag, "done");
  }

  private end(frag: Fragment, state: Request["state"], atMs = performance.now()): void {
    const request = this.open.get(frag);
    if (!request) return;
    this.open.delete(frag);
    request.state = state;
    request.doneMs = atMs;
    request.waitMs = request.doneMs - request.requestedMs;
    this.tell();
  }

  private cancel(session: Session): void {
    for (const [frag, request] of this.open) if (request.session === session) this.end(frag, "cancelled");
  }

  private tell(): void {
    this.dispatchEvent(new Event("change"));
  }
}

function firstByte({ stats }: Fragment, { requestedMs }: Request): number | null {
  return stats.loading.first >= requestedMs ? stats.loading.first : null;
}

/** `queue;dur=1.2, upscale;dur=830` in milliseconds by stage. */
export function parseServerTiming(header: string): Request["stages"] {
  const stages: Request["stages"] = {};
  for (const metric of header.split(",")) {
    const [name, ...parameters] = metric.split(";").map((part) => part.trim());
    const stage = STAGES.find((candidate) => candidate === name);
    const duration = parameters.find((parameter) => parameter.startsWith("dur="))?.slice(4);
    if (stage && duration) stages[stage] = Number(duration);
  }
  return stages;
}
