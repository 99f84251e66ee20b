"use strict";
(() => {
  const { evaluation, stills } = JSON.parse(document.getElementById("data").textContent);
  const { rows, clips } = evaluation;
  const viewer = rows.find((row) => row.is_viewer);
  const hasVmaf = rows.some((row) => row.scores.vmaf !== null);
  const METRICS = [
    { key: "vmaf", name: "VMAF", digits: 1, unit: "" },
    { key: "psnr", name: "PSNR-Y", digits: 2, unit: " dB" },
    { key: "ssim", name: "SSIM", digits: 4, unit: "" },
    { key: "xpsnr", name: "XPSNR", digits: 2, unit: " dB" },
  ].filter((metric) => metric.key !== "vmaf" || hasVmaf);
  const main = METRICS[0];
  const COSTS = [
    { name: "time per frame", label: "ms per frame, measured", of: (row) => 1000 / row.fps },
    { name: "arithmetic", label: "thousand multiply-accumulates per low-resolution pixel", of: (row) => row.kmac_per_pixel },
  ];

  // ---- small helpers

  const byId = (id) => document.getElementById(id);

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const number = (value, metric) => (value === null ? "∞" : value.toFixed(metric.digits));
  const rate = (fps) => (fps < 10 ? fps.toPrecision(2) : Math.round(fps).toString());

  const PLAIN = ["bilinear", "bicubic", "lanczos", "identity"];
  const nets = rows.filter((row) => !PLAIN.includes(row.model));
  function color(model) {
    const plain = PLAIN.indexOf(model);
    if (plain >= 0) return ["#8b919c", "#6b7280", "#a8a29e", "#78716c"][plain];
    const index = nets.findIndex((row) => row.model === model);
    const hue = (28 + (360 * index * 0.381966) ) % 360;
    return `oklch(${index % 2 ? 0.62 : 0.7} 0.16 ${hue.toFixed(0)})`;
  }

  function dot(model) {
    const made = element("span", { className: "dot" });
    made.style.background = color(model);
    return made;
  }

  function choice(box, items, chosen, choose) {
    const buttons = items.map((item, index) => {
      const button = element("button", { type: "button" }, item.name);
      button.addEventListener("click", () => pick(index));
      return button;
    });
    function pick(index) {
      buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === index)));
      choose(items[index]);
    }
    box.replaceChildren(...buttons);
    pick(chosen);
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Array.from({ length: last - first + 1 }, (_, i) => ({
      at: (first + i) * step,
      text: ((first + i) * step).toFixed(digits),
    }));
  }

  function range(values, room) {
    const known = values.filter((value) => value !== null && Number.isFinite(value));
    if (!known.length) return [0, 1];
    const low = Math.min(...known);
    const high = Math.max(...known);
    const space = (high - low || Math.abs(high) * 0.01 || 1) * room;
    return [low - space, high + space];
  }

  // ---- what it is about

  function describe() {
    const sizes = new Set(clips.map((c) => `${c.width}×${c.height} → ${c.low_width}×${c.low_height} → ${c.width}×${c.height}`));
    const count = clips.reduce((sum, c) => sum + c.frames.length, 0);
    const names = clips.length > 3 ? `${clips.length} clips` : clips.map((c) => c.name).join(", ");
    const rates = clips.filter((c) => c.bitrate).map((c) => `${Math.round(c.bitrate / 1000)} kbit/s`);
    const through = rates.length ? `through x264 at ${[...new Set(rates)].join(", ")}` : "lossless";
    byId("setup").textContent = `${names}: ${[...sizes].join("; ")}, ${through}, ${count} frames`;
    const live = Math.max(...clips.map((c) => c.frame_rate));
    const best = top(rows);
    const quick = top(rows.filter((row) => row.fps >= live && !row.is_viewer));
    const cards = [card("What viewers get today", viewer)];
    if (best !== viewer) cards.push(card(`Highest ${main.name}`, best));
    if (quick && quick !== best) cards.push(card(`Highest ${main.name} in real time here (${Number(live.toFixed(3))} fps)`, quick));
    byId("cards").replaceChildren(...cards);
  }

  const value = (row, metric) => row.scores[metric.key];
  const top = (some) => some.reduce((a, b) => (a && (value(a, main) ?? Infinity) >= (value(b, main) ?? Infinity) ? a : b), null);

  function gain(row, metric) {
    if (row === viewer) return "";
    const difference = value(row, metric) - value(viewer, metric);
    if (!Number.isFinite(difference)) return "";
    const text = `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(metric.digits)}`;
    return element("span", { className: difference < 0 ? "loss" : "gain" }, text);
  }

  function card(what, row) {
    const big = element("div", { className: "big" }, `${number(value(row, main), main)} `, element("small", {}, main.name, " "));
    if (row !== viewer) big.lastChild.append(gain(row, main));
    const others = METRICS.slice(1).map((m) => `${m.name} ${number(value(row, m), m)}`);
    return element(
      "div",
      { className: "card" },
      element("div", { className: "what" }, what),
      element("div", { className: "name" }, row.model),
      big,
      element("div", { className: "more" }, [...others, `${rate(row.fps)} fps`].join(" · ")),
    );
  }

  // ---- pictures

  const shown = { still: 0, left: viewer.model, right: top(rows).model };
  const versions = ["reference", "low-res", ...rows.map((row) => row.model)];

  function frameScore(still, model) {
    const clip = clips.findIndex((c) => c.name === still.clip);
    const row = rows.find((r) => r.model === model);
    const curve = row && row.curves[clip] && row.curves[clip][main.key];
    const at = clip < 0 ? -1 : clips[clip].frames.indexOf(still.frame);
    return curve && at >= 0 ? `${number(curve[at], main)}` : "";
  }

  const pixelated = (still, version) => !still.whole || version === "low-res";

  function fit() {
    const still = stills[shown.still];
    const stage = byId("stage");
    const room = stage.parentElement.clientWidth;
    const times = still.whole ? Math.min(1, room / still.width) : Math.max(1, Math.floor(room / still.width));
    stage.style.width = `${Math.min(room, still.width * times)}px`;
    stage.style.aspectRatio = `${still.width} / ${still.height}`;
    byId("still-hint").textContent =
      `Drag the line. ${still.whole ? "The whole frame" : `${times} times magnified`}, ` +
      `${still.clip} at ${still.seconds.toFixed(2)} s: ` +
      `here ${viewer.model}, what viewers get today, is furthest from the reference.`;
  }

  function show() {
    const still = stills[shown.still];
    fit();
    for (const [image, tag, version] of [["under", "tag-left", shown.left], ["over", "tag-right", shown.right]]) {
      byId(image).src = still.images[version];
      byId(image).alt = version;
      byId(image).className = pixelated(still, version) ? "pixels" : "";
      const score = frameScore(still, version);
      byId(tag).textContent = score ? `${version} · ${main.name} ${score}` : version;
    }
    byId("left").value = shown.left;
    byId("right").value = shown.right;
    [...byId("stills").children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === shown.still)));
    slide();
    showStrip(still);
  }

  function slide() {
    const at = byId("slider").value;
    byId("over").style.clipPath = `inset(0 0 0 ${at}%)`;
    byId("handle").style.left = `${at}%`;
  }

  function showStrip(still) {
    const buttons = versions.filter((version) => still.images[version]).map((version) => {
      const image = element("img", { src: still.images[version], alt: version, className: pixelated(still, version) ? "pixels" : "" });
      image.style.aspectRatio = `${still.width} / ${still.height}`;
      const caption = element("div", { className: "caption" }, element("span", {}, version), element("span", {}, frameScore(still, version)));
      const button = element("button", { type: "button", title: "Show it on the right" }, image, caption);
      button.setAttribute("aria-pressed", String(version === shown.right));
      button.addEventListener("click", () => { shown.right = version; show(); });
      return button;
    });
    byId("strip").replaceChildren(...buttons);
  }

  function prepareStills() {
    for (const side of ["left", "right"]) {
      byId(side).replaceChildren(...versions.map((version) => element("option", { value: version }, version)));
      byId(side).addEventListener("change", (event) => { shown[side] = event.target.value; show(); });
    }
    byId("stills").replaceChildren(...stills.map((still, index) => {
      const image = element("img", { src: still.images.reference, alt: still.whole ? "whole frame" : `crop at ${still.left}, ${still.top}` });
      const button = element("button", { type: "button", title: `${still.clip}, ${still.seconds.toFixed(2)} s${still.whole ? ", whole frame" : ""}` }, image);
      button.addEventListener("click", () => { shown.still = index; show(); });
      return button;
    }));
    byId("slider").addEventListener("input", slide);
    addEventListener("resize", fit);
    show();
  }

  // ---- quality against cost

  const cost = { metric: main, axis: COSTS[0] };

  function drawCost() {
    const [width, height, left, right, upper, lower] = [1060, 470, 62, 30, 22, 52];
    const points = rows.filter((row) => value(row, cost.metric) !== null)
      .map((row) => ({ row, cost: cost.axis.of(row), quality: value(row, cost.metric) }));
    const logs = points.map((p) => Math.log10(p.cost));
    const [lowX, highX] = range(logs, 0.09);
    const [lowY, highY] = range(points.map((p) => p.quality), 0.12);
    const x = (c) => left + ((Math.log10(c) - lowX) / (highX - lowX)) * (width - left - right);
    const y = (q) => height - lower - ((q - lowY) / (highY - lowY)) * (height - upper - lower);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${cost.metric.name} against ${cost.axis.label}` });
    if (cost.axis === COSTS[0]) drawRealTime(drawing, x, { left, right: width - right, upper, bottom: height - lower });
    for (const tick of ticks(lowY, highY, 6)) {
      drawing.append(
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick.at), y2: y(tick.at) }),
        text(left - 10, y(tick.at) + 4, tick.text, "soft", "end"),
      );
    }
    for (let power = Math.floor(lowX); power <= highX; power += 1) {
      for (const step of highX - lowX > 2.2 ? [1] : [1, 2, 5]) {
        const at = step * 10 ** power;
        if (Math.log10(at) < lowX || Math.log10(at) > highX) continue;
        drawing.append(
          svg("line", { class: "grid", x1: x(at), x2: x(at), y1: upper, y2: height - lower }),
          text(x(at), height - lower + 20, String(Number(at.toPrecision(3))), "soft", "middle"),
        );
      }
    }
    drawing.append(text(width - right, height - 8, `${cost.axis.label} →`, "soft", "end"));
    drawing.append(text(left, 14, `↑ ${cost.metric.name}${cost.metric.unit}`, "soft", "start"));
    const today = points.find((p) => p.row === viewer);
    if (today) drawing.append(svg("line", { class: "rule", x1: left, x2: width - right, y1: y(today.quality), y2: y(today.quality) }));
    drawing.append(svg("path", { class: "front", d: front(points).map((p, i) => `${i ? "L" : "M"}${x(p.cost)} ${y(p.quality)}`).join("") }));
    const taken = points.map((p) => box(x(p.cost) - 8, y(p.quality) - 8, 16, 16));
    for (const p of [...points].sort((a, b) => b.quality - a.quality)) {
      const dotted = svg("circle", { cx: x(p.cost), cy: y(p.quality), r: 7, fill: color(p.row.model), stroke: "var(--card)", "stroke-width": 2 });
      dotted.append(svg("title", {}, `${p.row.model}: ${cost.metric.name} ${number(p.quality, cost.metric)}, ${rate(p.row.fps)} fps, ${p.row.kmac_per_pixel} kMAC/pixel`));
      drawing.append(dotted, label(p, x(p.cost), y(p.quality), taken, width - right));
    }
    byId("cost").replaceChildren(drawing);
  }

  function drawRealTime(drawing, x, frame) {
    const live = Math.max(...clips.map((c) => c.frame_rate));
    const edge = Math.min(Math.max(x(1000 / live), frame.left), frame.right);
    if (edge <= frame.left + 1) return;
    drawing.append(svg("rect", { class: "zone", x: frame.left, y: frame.upper, width: edge - frame.left, height: frame.bottom - frame.upper }));
    if (edge < frame.right) {
      drawing.append(svg("line", { class: "rule", x1: edge, x2: edge, y1: frame.upper, y2: frame.bottom }));
    }
    drawing.append(text(edge - 8, frame.bottom - 8, `faster than ${Number(live.toFixed(3))} fps`, "soft", "end"));
  }

  /** Those that nothing cheaper equals, cheapest first. */
  function front(points) {
    let best = -Infinity;
    return [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality)
      .filter((p) => { const better = p.quality > best; best = Math.max(best, p.quality); return better; });
  }

  const text = (x, y, content, kind, anchor) => svg("text", { x, y, class: kind, "text-anchor": anchor }, content);
  const box = (x, y, width, height) => ({ x, y, width, height });
  const meets = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

  /** Right of its dot, left, above or below: where it covers nothing. */
  function label(point, x, y, taken, edge) {
    const name = point.row.model + (point.row === viewer ? " (viewers today)" : "");
    const width = name.length * 7.1;
    const places = [[12, 4, "start"], [-12, 4, "end"], [0, -14, "middle"], [0, 24, "middle"]];
    for (const far of [18, 34, 50]) places.push([12, -far, "start"], [12, far + 6, "start"], [-12, -far, "end"], [-12, far + 6, "end"]);
    const boxes = places.map(([dx, dy, anchor]) => {
      const start = x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      return box(start, y + dy - 11, width, 15);
    });
    let found = boxes.findIndex((b) => b.x >= 64 && b.x + b.width <= edge && b.y > 0 && !taken.some((other) => meets(b, other)));
    if (found < 0) found = 0;
    taken.push(boxes[found]);
    const [dx, dy, anchor] = places[found];
    return text(x + dx, y + dy, name, point.row === viewer ? "soft" : "", anchor);
  }

  // ---- table

  const COLUMNS = [
    { name: "model", of: null },
    ...METRICS.map((metric) => ({ name: metric.name, metric, of: (row) => value(row, metric) ?? Infinity, high: true })),
    { name: "fps", of: (row) => row.fps, high: true },
    { name: "kMAC/pixel", of: (row) => row.kmac_per_pixel, high: false },
  ];
  let sorted = null;

  function drawTable() {
    const others = sorted ? [...rows].sort((a, b) => (sorted.of(a) - sorted.of(b)) * (sorted.high ? -1 : 1)) : rows;
    const head = COLUMNS.map((column) => {
      const button = element("button", { type: "button" }, column.name);
      button.addEventListener("click", () => { sorted = column.of && sorted !== column ? column : null; drawTable(); });
      const cell = element("th", { scope: "col" }, button);
      if (sorted === column) cell.setAttribute("aria-sort", column.high ? "descending" : "ascending");
      return cell;
    });
    const body = others.map((row) => element("tr", { className: row.is_viewer ? "viewer" : "" }, ...COLUMNS.map((column) => cell(row, column))));
    byId("table").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
    byId("missing").replaceChildren(...evaluation.missing.map((m) => element("p", {}, `Without ${m.model}: ${m.reason}`)));
  }

  function cell(row, column) {
    if (!column.of) {
      const note = row.is_viewer ? [element("small", {}, "what viewers get today")] : [];
      return element("td", {}, dot(row.model), row.model, ...note);
    }
    if (!column.metric) return element("td", {}, column.name === "fps" ? rate(row.fps) : String(Number(row.kmac_per_pixel.toPrecision(3))));
    const best = column.of(row) === Math.max(...rows.map(column.of));
    return element("td", { className: best ? "best" : "" }, number(value(row, column.metric), column.metric), element("small", {}, gain(row, column.metric)));
  }

  // ---- curves

  const curves = { metric: main, clip: 0, hidden: new Set() };

  function drawCurves() {
    const [width, height, left, right, upper, lower] = [1060, 380, 62, 20, 22, 46];
    const clip = clips[curves.clip];
    const lines = rows.filter((row) => !curves.hidden.has(row.model))
      .map((row) => ({ row, values: row.curves[curves.clip] && row.curves[curves.clip][curves.metric.key] }))
      .filter((line) => line.values);
    const [lowY, highY] = range(lines.flatMap((line) => line.values), 0.06);
    const count = clip.frames.length;
    const x = (i) => left + ((i + 0.5) / count) * (width - left - right);
    const y = (q) => height - lower - ((q - lowY) / (highY - lowY)) * (height - upper - lower);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${curves.metric.name} by frame` });
    for (const tick of ticks(lowY, highY, 5)) {
      drawing.append(
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick.at), y2: y(tick.at) }),
        text(left - 10, y(tick.at) + 4, tick.text, "soft", "end"),
      );
    }
    const every = Math.ceil(count / 12);
    for (let i = 0; i < count; i += every) drawing.append(text(x(i), height - lower + 20, `${clip.seconds[i].toFixed(2)}`, "soft", "middle"));
    drawing.append(text(width - right, height - 6, "seconds into the file →", "soft", "end"));
    drawing.append(text(left, 14, `↑ ${curves.metric.name}${curves.metric.unit}`, "soft", "start"));
    for (const line of lines) drawing.append(curve(line, clip, x, y));
    const pointer = svg("line", { class: "rule", y1: upper, y2: height - lower, visibility: "hidden" });
    drawing.append(pointer);
    byId("curves").replaceChildren(drawing);
    follow(drawing, pointer, lines, clip, { x, width, left, right, count });
  }

  function curve({ row, values }, clip, x, y) {
    const parts = { solid: "", dotted: "" };
    const group = svg("g", { "data-model": row.model, stroke: color(row.model) });
    values.forEach((v, i) => {
      if (v === null) return;
      group.append(svg("circle", { cx: x(i), cy: y(v), r: values.length > 60 ? 1.5 : 3, fill: color(row.model), stroke: "none" }));
      if (!i || values[i - 1] === null) return;
      const together = clip.frames[i] === clip.frames[i - 1] + 1;
      parts[together ? "solid" : "dotted"] += `M${x(i - 1)} ${y(values[i - 1])}L${x(i)} ${y(v)}`;
    });
    group.prepend(svg("path", { class: "curve", d: parts.solid }), svg("path", { class: "curve gap", d: parts.dotted }));
    return group;
  }

  function follow(drawing, pointer, lines, clip, { x, width, left, right, count }) {
    const tip = element("div", { className: "tip", hidden: true });
    byId("curves").append(tip);
    drawing.addEventListener("pointerleave", () => { tip.hidden = true; pointer.setAttribute("visibility", "hidden"); });
    drawing.addEventListener("pointermove", (event) => {
      const area = drawing.getBoundingClientRect();
      const at = ((event.clientX - area.left) / area.width) * width;
      const i = Math.min(count - 1, Math.max(0, Math.floor(((at - left) / (width - left - right)) * count)));
      pointer.setAttribute("visibility", "visible");
      pointer.setAttribute("x1", x(i));
      pointer.setAttribute("x2", x(i));
      const entries = [...lines].sort((a, b) => (b.values[i] ?? Infinity) - (a.values[i] ?? Infinity))
        .map((line) => element("div", {}, element("span", {}, dot(line.row.model), ` ${line.row.model}`), number(line.values[i], curves.metric)));
      tip.replaceChildren(element("b", {}, `frame ${clip.frames[i]}, ${clip.seconds[i].toFixed(2)} s`), ...entries);
      tip.hidden = false;
      const pixel = (x(i) / width) * area.width;
      tip.style.left = `${pixel > area.width / 2 ? pixel - tip.offsetWidth - 8 : pixel + 28}px`;
      tip.style.top = "24px";
    });
  }

  function drawLegend() {
    byId("legend").replaceChildren(...rows.map(({ model }) => {
      const button = element("button", { type: "button" }, dot(model), model);
      button.setAttribute("aria-pressed", String(!curves.hidden.has(model)));
      button.addEventListener("click", () => {
        if (!curves.hidden.delete(model)) curves.hidden.add(model);
        drawLegend();
        drawCurves();
      });
      const fade = (on) => {
        for (const group of document.querySelectorAll("#curves g")) {
          group.classList.toggle("faded", on && group.dataset.model !== model);
        }
      };
      button.addEventListener("pointerenter", () => fade(!curves.hidden.has(model)));
      button.addEventListener("pointerleave", () => fade(false));
      return button;
    }));
  }

  function prepareCurves() {
    byId("clip").replaceChildren(...clips.map((clip, index) => element("option", { value: String(index) }, clip.name)));
    byId("clip").addEventListener("change", (event) => { curves.clip = Number(event.target.value); drawCurves(); });
    byId("clip-choice").hidden = clips.length < 2;
    drawLegend();
    choice(byId("curve-metric"), METRICS, 0, (metric) => { curves.metric = metric; drawCurves(); });
  }

  // ---- how

  function explain() {
    const { machine } = evaluation;
    const facts = [
      ["made small by", `${evaluation.downscale}, ×1/${evaluation.scale}, in gamma light, 8 bits`],
      ["compression", evaluation.compression === "none" ? "none: the models see the small frames as they are" : evaluation.compression],
      ["speed", `median of upscaling alone, planes to planes, on ${machine.device} (${machine.processor}), ${machine.threads} threads`],
      ...METRICS.map((metric) => [metric.name, evaluation.metrics[metric.key]]),
      ...evaluation.notes.map((note) => ["note", note]),
      ["made by", evaluation.made_by],
    ];
    byId("how").replaceChildren(...facts.flatMap(([term, fact]) => [element("dt", {}, term), element("dd", {}, fact)]));
    byId("command").textContent = evaluation.command;
    byId("copy").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(evaluation.command);
        byId("copy").textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(byId("command"));
      }
    });
  }

  describe();
  if (stills.length) prepareStills();
  choice(byId("cost-metric"), METRICS, 0, (metric) => { cost.metric = metric; drawCost(); });
  choice(byId("cost-axis"), COSTS, 0, (axis) => { cost.axis = axis; drawCost(); });
  drawTable();
  prepareCurves();
  explain();
})();
