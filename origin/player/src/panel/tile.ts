/** One number with its recent past. */

import { make } from "../player/dom";

const WIDTH = 120;
const HEIGHT = 28;
const SVG = "http://www.w3.org/2000/svg";

export class Tile {
  readonly element: HTMLElement;
  private readonly value = make("dd", { class: "value" });
  private readonly note = make("dd", { class: "note" });
  private readonly lines: SVGPolylineElement[];
  private readonly chart: SVGSVGElement;

  constructor(name: string, label: string, lines = 1) {
    this.chart = document.createElementNS(SVG, "svg");
    this.chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.chart.setAttribute("preserveAspectRatio", "none");
    this.chart.setAttribute("aria-hidden", "true");
    this.lines = Array.from({ length: lines }, () => {
      const line = document.createElementNS(SVG, "polyline");
      line.setAttribute("vector-effect", "non-scaling-stroke");
      this.chart.append(line);
      return line;
    });
    const numbers = make("dl", {}, make("dt", {}, label), this.value, this.note);
    this.element = make("div", { class: "tile", "data-part": `panel-${name}` }, numbers, this.chart);
  }

  /** Each history on the same scale, from 0 to the highest of all; null leaves a gap out. */
  show(value: string, note: string, ...histories: (number | null)[][]): void {
    if (this.value.textContent !== value) this.value.textContent = value;
    if (this.note.textContent !== note) this.note.textContent = note;
    const most = Math.max(...histories.flat().map((point) => point ?? 0), Number.EPSILON);
    this.lines.forEach((line, index) => line.setAttribute("points", points(histories[index] ?? [], most)));
  }
}

function points(history: (number | null)[], most: number): string {
  const step = WIDTH / Math.max(1, history.length - 1);
  return history
    .map((point, index) => (point === null ? null : `${(index * step).toFixed(1)},${height(point / most)}`))
    .filter((point) => point !== null)
    .join(" ");
}

const height = (share: number): string => (HEIGHT - 2 - share * (HEIGHT - 4)).toFixed(1);
