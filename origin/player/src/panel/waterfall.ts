/** Requests for segments as bars over time: requested, first byte, done, and what the origin did meanwhile. */

import { make } from "../player/dom";
import { type Request, STAGES } from "./segments";
import { bytes, cacheWord, milliseconds, NONE, spoken } from "./words";

const ROWS = 14;
/** A window of time is never shorter, and never longer. */
const LEAST_MS = 2_000;
const MOST_MS = 30_000;

export type Scale = "time" | "request";

const COLUMNS = ["Segment", "Variant", "Cache", "Size", "Wait"] as const;

export class Waterfall {
  readonly element: HTMLElement;
  scale: Scale = "time";
  private readonly body = make("tbody", { role: "rowgroup" });
  private readonly from = make("span");
  private readonly to = make("span");
  private readonly rows = new Map<Request, Row>();

  constructor() {
    const axis = make("span", { class: "axis" }, this.from, this.to);
    const heads = COLUMNS.map((name) => make("th", { scope: "col", role: "columnheader", class: name.toLowerCase() }, name));
    const time = make("th", { scope: "col", role: "columnheader", class: "time" }, make("span", { class: "unseen" }, "Time"), axis);
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads, time));
    const caption = make("caption", { class: "unseen" }, "Requests for segments, the newest first");
    this.element = make("table", { class: "waterfall", role: "table", "data-part": "panel-segments" }, caption, head, this.body);
  }

  /** Draws the requests as they are at one moment, `now` of `performance.now()`. */
  show(requests: readonly Request[], now: number = performance.now()): void {
    const visible = requests.slice(-ROWS);
    const window = this.scale === "time" ? overTime(visible, now) : fromRequest(visible, now);
    this.from.textContent = this.scale === "time" ? `−${milliseconds(window.length)}` : "0";
    this.to.textContent = this.scale === "time" ? window.end : milliseconds(window.length);
    for (const [request, row] of this.rows) {
      if (visible.includes(request)) continue;
      row.element.remove();
      this.rows.delete(request);
    }
    for (const request of visible) this.row(request).update(window.startOf(request), window.length, now);
  }

  private row(request: Request): Row {
    const known = this.rows.get(request);
    if (known) return known;
    const row = new Row(request);
    this.rows.set(request, row);
    this.body.prepend(row.element);
    return row;
  }
}

interface Window {
  length: number;
  end: string;
  /** Where, in milliseconds from the left edge, the request begins. */
  startOf: (request: Request) => number;
}

/** The latest moments in which anything happened. */
function overTime(requests: readonly Request[], now: number): Window {
  const isLive = requests.some(({ state }) => state === "loading");
  const end = isLive ? now : Math.max(0, ...requests.map(({ doneMs }) => doneMs ?? 0));
  const first = requests[0]?.requestedMs ?? end;
  const length = Math.min(MOST_MS, Math.max(LEAST_MS, end - first));
  return { length, end: isLive ? "now" : "last", startOf: ({ requestedMs }) => requestedMs - (end - length) };
}

function fromRequest(requests: readonly Request[], now: number): Window {
  const waits = requests.map((request) => endOf(request, now) - request.requestedMs);
  return { length: Math.max(100, ...waits), end: "", startOf: () => 0 };
}

const endOf = ({ doneMs }: Request, now: number): number => doneMs ?? now;

class Row {
  readonly element: HTMLTableRowElement;
  private readonly cache = cell("cache");
  private readonly size = cell("size");
  private readonly wait = cell("wait");
  private readonly bar = make("div", { class: "bar", role: "img" });
  private painted = "";

  constructor(private readonly request: Request) {
    const { sequence, variant, session } = request;
    const name = cell("segment", sequence === "init" ? "init" : `#${sequence}`);
    const second = session === "second" ? make("i", { class: "second" }, "2nd") : null;
    const time = make("td", { role: "cell", class: "time" }, make("div", { class: "track" }, this.bar));
    const what = make("td", { role: "cell", class: "variant", title: request.url }, second, variant);
    this.element = make("tr", { role: "row", "data-part": "panel-segment" }, name, what, this.cache, this.size, this.wait, time);
  }

  update(start: number, length: number, now: number): void {
    const { request } = this;
    const wait = endOf(request, now) - request.requestedMs;
    const from = Math.max(0, start);
    const to = Math.max(from, start + wait);
    this.bar.style.left = `${(100 * from) / length}%`;
    this.bar.style.width = `${(100 * (to - from)) / length}%`;
    this.bar.classList.toggle("cut", start < 0);
    this.wait.textContent = milliseconds(wait);
    if (request.bytes) this.size.textContent = bytes(request.bytes);
    const kind = `${request.state} ${request.firstByteMs !== null}`;
    if (kind === this.painted) return;
    this.painted = kind;
    this.paint(now);
  }

  private paint(now: number): void {
    const { request } = this;
    this.element.dataset.state = request.state;
    const word = cacheWord(request);
    const badge = make("b", { class: `badge ${word.split(" ")[0]}`, title: request.cacheStatus ?? "" }, word);
    this.cache.replaceChildren(word === NONE ? NONE : badge);
    this.bar.replaceChildren(...parts(request, now));
    this.bar.setAttribute("aria-label", spoken(request));
    this.bar.title = spoken(request);
  }
}

/** The wait for the first byte, split by stages, and the transfer. */
function parts(request: Request, now: number): HTMLElement[] {
  if (request.state === "loading" && request.firstByteMs === null) return [part("waiting", 1)];
  const end = endOf(request, now);
  const first = request.firstByteMs ?? end;
  const wait = first - request.requestedMs;
  const known = STAGES.filter((stage) => request.stages[stage]);
  const spent = known.reduce((sum, stage) => sum + (request.stages[stage] ?? 0), 0);
  // Stages run side by side: where they add up to more than the wait, they share it.
  const share = spent > wait ? wait / spent : 1;
  const stages = known.map((stage) => part(`stage-${stage}`, (request.stages[stage] ?? 0) * share));
  return [...stages, part("other", wait - spent * share), part(request.state === "done" ? "transfer" : request.state, end - first)];
}

function part(name: string, weight: number): HTMLElement {
  const element = make("i", { class: name });
  element.style.flexGrow = String(Math.max(0, weight));
  return element;
}

function cell(name: string, text = ""): HTMLTableCellElement {
  return make("td", { role: "cell", class: name }, text);
}
