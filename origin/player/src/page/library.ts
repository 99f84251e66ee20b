/** The titles, as cards. */

import type { Title } from "../api";
import { make } from "../player/dom";
import { clock } from "./words";

/** From this many titles on there is a search field. */
const MANY = 8;

export class Library {
  private readonly list = make("ul", { class: "cards", "data-part": "titles" });
  private readonly search = make("input", { type: "search", "data-part": "search", placeholder: "Search titles" });
  private readonly empty = make("p", { class: "dim", role: "status" });
  private readonly cards = new Map<string, { item: HTMLLIElement; row: string }>();
  private current: string | null = null;

  constructor(
    container: HTMLElement,
    private readonly onChoose: (id: string) => void,
  ) {
    this.search.setAttribute("aria-label", "Search titles");
    this.search.hidden = true;
    this.search.addEventListener("input", () => this.filter());
    container.querySelector("header")?.append(this.search);
    container.append(this.list, this.empty);
  }

  show(titles: readonly Title[]): void {
    const items = titles.map((title) => this.card(title));
    this.list.replaceChildren(...items);
    this.search.hidden = titles.length < MANY;
    this.filter();
  }

  /** Marks the title that plays. */
  mark(id: string | null): void {
    this.current = id;
    for (const [card, { item }] of this.cards) {
      const link = item.querySelector("a") as HTMLElement;
      if (card === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  /** The card there is, while its row says the same: its poster need not load again. */
  private card(title: Title): HTMLLIElement {
    const row = JSON.stringify(title);
    const known = this.cards.get(title.id);
    if (known?.row === row) return known.item;
    const item = make("li", {}, this.link(title));
    this.cards.set(title.id, { item, row });
    return item;
  }

  private link(title: Title): HTMLElement {
    const url = `?${new URLSearchParams({ title: title.id })}`;
    const link = make("a", { class: "card", href: url, "data-id": title.id }, poster(title), caption(title));
    if (title.id === this.current) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.onChoose(title.id);
    });
    return link;
  }

  private filter(): void {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of this.list.children as Iterable<HTMLElement> & HTMLCollection) {
      const text = `${item.textContent} ${item.querySelector("a")?.dataset.id}`.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      shown += Number(!item.hidden);
    }
    if (shown) this.empty.textContent = "";
    else this.empty.textContent = words.length ? "No title matches." : "This library has no titles yet.";
  }
}

function poster(title: Title): HTMLElement {
  const length = title.duration_seconds ? make("span", { class: "length" }, clock(title.duration_seconds)) : null;
  const frame = make("span", { class: "poster" }, make("b", { "aria-hidden": "true" }, title.name.slice(0, 1)), length);
  if (!title.poster) return frame;
  const image = make("img", { loading: "lazy", decoding: "async", alt: "", src: title.poster });
  image.addEventListener("error", () => image.remove());
  frame.prepend(image);
  return frame;
}

function caption(title: Title): HTMLElement {
  const text = make("span", { class: "caption" }, make("strong", {}, title.name));
  if (title.status === "preparing") return append(text, make("small", { class: "preparing" }, "Being prepared…"));
  if (title.error) return append(text, make("small", { class: "failed" }, title.error));
  const best = title.renditions.at(-1);
  const ways = [title.source && `${title.source.height}p`, best && `${best.height}p ${best.model}`].filter(Boolean);
  return append(text, make("small", {}, ways.join(" → ")));
}

function append(parent: HTMLElement, child: HTMLElement): HTMLElement {
  parent.append(child);
  return parent;
}
