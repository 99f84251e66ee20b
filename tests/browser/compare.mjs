// Drives the comparison of two sides and prints what was seen as one JSON object.
// usage: node compare.mjs '{"chromium": PATH, "url": BASE, "title": ID, "scenario": NAME, "downloads": DIR, ...}'

import { job, open, playTo, run, seek } from "./browser.mjs";

const scenarios = { inStep, tools, swappedSides, filtered, late, failing };

const part = (page, name) => page.locator(`upscale-player [data-part="${name}"]`).first();

/** Counts the VideoFrames that nobody has closed. */
function countFrames() {
  const open = new Set();
  window.openFrames = open;
  const { close, clone } = VideoFrame.prototype;
  VideoFrame.prototype.close = function () {
    open.delete(this);
    close.call(this);
  };
  VideoFrame.prototype.clone = function () {
    const copy = clone.call(this);
    open.add(copy);
    return copy;
  };
  window.VideoFrame = new Proxy(VideoFrame, {
    construct(target, given) {
      const frame = Reflect.construct(target, given);
      open.add(frame);
      return frame;
    },
  });
}

/** What one look at both canvases tells: the frame numbers in them, and the time that they are said to be of. */
function look(page) {
  return page.evaluate(() => {
    const read = (canvas) => {
      const [columns, rows] = [8, 2];
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      let number = 0;
      for (let bit = 0; bit < columns * rows; bit += 1) {
        const x = Math.floor((((bit % columns) + 0.5) * canvas.width) / columns);
        const y = Math.floor(((Math.floor(bit / columns) + 0.5) * canvas.height) / (2 * rows));
        if (context.getImageData(x, y, 1, 1).data[1] > 125) number |= 1 << bit;
      }
      return number;
    };
    const { root } = window.player.shell;
    const [a, b] = ["a", "b"].map((side) => root.querySelector(`[data-part="compare-canvas-${side}"]`));
    return { a: read(a), b: read(b), seconds: [a, b].map((canvas) => Number(canvas.dataset.seconds)) };
  });
}

async function compare(page) {
  await part(page, "compare").click();
  await paired(page);
}

/** Pauses as a viewer does, not while the video waits for the other side: it would go on after that. */
const pause = (page) =>
  page.waitForFunction(() => {
    const { video, comparing } = window.player;
    if (comparing?.held) return false;
    video.pause();
    return true;
  });

/** Waits until both sides show the frame of the video itself, and that is the one that was sought. */
async function paired(page, sought = null) {
  const found = page.waitForFunction((target) => {
    const { shell, video, frameTime } = window.player;
    const canvases = ["a", "b"].map((side) => shell.root.querySelector(`[data-part="compare-canvas-${side}"]`));
    const [time, other] = canvases.map((canvas) => Number(canvas?.dataset.seconds ?? Number.NaN));
    // Not every last frame is called back for: the clock, too, may tell which it is.
    const isFrame = Math.abs(time - frameTime) < 0.001 || Math.abs(video.currentTime - time) < 0.09;
    const isThere = !video.seeking && (target === null || Math.abs(target - time) < 0.09);
    return isThere && isFrame && Math.abs(time - other) < 0.001;
  }, sought);
  await found.catch(async () => {
    throw new Error(`no pair of the frame on the screen: ${JSON.stringify(await situation(page))}`);
  });
}

const situation = (page) =>
  page.evaluate(() => {
    const { shell, video, frameTime, second, currentVariant } = window.player;
    const clock = ({ currentTime, readyState, seeking, paused }) => ({ currentTime, readyState, seeking, paused });
    return {
      frameTime,
      first: { ...clock(video), variant: currentVariant?.id },
      second: second && { ...clock(second.video), offset: second.offset },
      canvases: ["a", "b"].map((side) => shell.root.querySelector(`[data-part="compare-canvas-${side}"]`)?.dataset.seconds),
      note: shell.root.querySelector('[data-part="compare-note"]')?.textContent,
    };
  });

/** Looks while it plays, when paused, and after ten seeks. */
async function inStep(page) {
  await compare(page);
  await page.evaluate(() => window.player.video.play());
  const playing = [];
  const frames = new Set();
  const ended = () => page.evaluate(() => window.player.video.ended);
  while ((playing.length < 15 || frames.size < 5) && !(await ended())) {
    await page.waitForTimeout(120);
    playing.push(await look(page));
    frames.add(playing.at(-1).a);
  }
  await pause(page);
  await paired(page);
  const paused = await look(page);
  const seeks = [];
  for (const target of job.seeks) {
    await seek(page, target);
    await paired(page, target);
    seeks.push({ target, ...(await look(page)) });
  }
  // Within the frame that is there already.
  const { currentTime } = await page.evaluate(() => ({ currentTime: window.player.frameTime }));
  await seek(page, currentTime + 0.002);
  await paired(page, currentTime);
  seeks.push({ target: currentTime + 0.002, ...(await look(page)) });
  const { offset } = await page.evaluate(() => ({ offset: window.player.second.offset }));
  return { playing, paused, seeks, offset, ...(await close(page)) };
}

async function close(page) {
  await part(page, "compare-close").click();
  // A GPU may still be at its last frames.
  await page.waitForFunction(() => window.openFrames.size === 0).catch(() => {});
  return {
    left: await page.evaluate(() => ({
      videos: window.player.shell.root.querySelectorAll("video").length,
      layers: window.player.shell.root.querySelectorAll('[data-layer="compare"]').length,
      frames: window.openFrames.size,
      chosen: window.player.chosenVariant,
    })),
  };
}

async function tools(page) {
  await compare(page);
  return { labels: await labels(page), split: await split(page), swap: await swap(page), lens: await lens(page), ...(await stills(page)) };
}

const labels = (page) =>
  page.evaluate(() =>
    ["a", "b"].map((side) => window.player.shell.root.querySelector(`[data-part="compare-side-${side}"]`).selectedOptions[0].text),
  );

async function split(page) {
  const handle = part(page, "compare-split");
  const at = async () => [
    Number(await handle.getAttribute("aria-valuenow")),
    await part(page, "compare-canvas-a").evaluate((canvas) => getComputedStyle(canvas).clipPath),
  ];
  const box = await part(page, "comparison").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 4, box.y + box.height / 3, { steps: 4 });
  await page.mouse.up();
  const found = { dragged: await at() };
  const before = await page.evaluate(() => window.player.video.currentTime);
  for (const key of ["ArrowRight", "ArrowLeft", "Shift+ArrowRight", "End", "Home"]) {
    await handle.press(key);
    found[key] = (await at())[0];
  }
  found.sought = (await page.evaluate(() => window.player.video.currentTime)) - before;
  found.text = await handle.getAttribute("aria-valuetext");
  found.role = await handle.getAttribute("role");
  await page.mouse.move(box.x + 3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  return found;
}

async function swap(page) {
  const clip = () => part(page, "compare-canvas-a").evaluate((canvas) => getComputedStyle(canvas).clipPath);
  const before = await clip();
  await page.keyboard.down("x");
  const held = await clip();
  await page.keyboard.up("x");
  return { before, held, after: await clip() };
}

async function lens(page) {
  const canvas = part(page, "compare-lens-canvas");
  const seen = async () =>
    canvas.evaluate(async (element) => {
      const bytes = new Uint8Array(await (await new Promise((done) => element.toBlob(done))).arrayBuffer());
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return Array.from(digest.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
    });
  const shows = () => part(page, "compare-lens").getAttribute("data-shows");
  const box = await part(page, "comparison").boundingBox();
  await part(page, "compare-magnifier").click();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.4);
  const steps = [[await shows(), await seen()]];
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5);
  steps.push([await shows(), await seen()]);
  await part(page, "compare-lens").press("ArrowLeft");
  steps.push([await shows(), await seen()]);
  await part(page, "compare-lens").press("+");
  steps.push([await shows(), await seen()]);
  await part(page, "compare-lens-both").uncheck();
  steps.push([await shows(), await seen()]);
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.5);
  steps.push([await shows(), await seen()]);
  await page.screenshot({ path: job.screenshot.replace(".png", "-lens.png") });
  await part(page, "compare-magnifier").click();
  return steps;
}

async function stills(page) {
  const files = {};
  for (const what of ["both", "a", "b"]) {
    await part(page, "compare-still").click();
    const [download] = await Promise.all([page.waitForEvent("download"), part(page, `compare-still-${what}`).click()]);
    const path = `${job.downloads}/${download.suggestedFilename()}`;
    await download.saveAs(path);
    files[what] = path;
  }
  return { stills: files, shown: await look(page) };
}

/** The other way round: the player's own video has to change its variant while it is paused. */
async function swappedSides(page) {
  await compare(page);
  const [source, made] = await page.evaluate(() => window.player.variants.map(({ id }) => id));
  await part(page, "compare-side-b").selectOption(source);
  await part(page, "compare-side-a").selectOption(made);
  await paired(page);
  const first = await look(page);
  await playTo(page, (await page.evaluate(() => window.player.video.currentTime)) + 1);
  const playing = await look(page);
  // The variant menu, too, chooses the leading side.
  await pause(page);
  await paired(page);
  return { first, playing, labels: await labels(page), ...(await close(page)) };
}

/** The source variant against itself and a network in this browser: one video is enough. */
async function filtered(page) {
  await compare(page);
  const option = part(page, "compare-side-b").locator('option[value$="+upscale-m"]');
  await option.waitFor({ state: "attached" });
  await part(page, "compare-side-b").selectOption(await option.getAttribute("value"));
  await paired(page);
  const first = await look(page);
  const videos = await page.evaluate(() => window.player.shell.root.querySelectorAll("video").length);
  const milliseconds = await page.evaluate(() => window.player.comparing.gpuMilliseconds);
  await page.evaluate(() => window.player.video.play());
  const playing = [];
  for (let index = 0; index < 4; index += 1) {
    await page.waitForTimeout(250);
    playing.push(await look(page));
  }
  await pause(page);
  await seek(page, job.seeks[0]);
  await paired(page, job.seeks[0]);
  return { first, playing, sought: await look(page), videos, milliseconds, labels: await labels(page), ...(await close(page)) };
}

/** The server takes its time with each segment of side B. */
async function late(page) {
  let release = () => {};
  const held = new Promise((done) => (release = done));
  await page.route(/\/up-[^/]+\/.*\.(m4s|ts)/, async (route) => {
    await held;
    await route.continue();
  });
  await page.evaluate(() => window.player.video.play());
  await part(page, "compare").click();
  const note = part(page, "compare-note");
  await note.waitFor();
  const seen = await page.waitForFunction(() => {
    const { shell, video } = window.player;
    const text = shell.root.querySelector('[data-part="compare-note"]').textContent;
    return /being made/.test(text) && video.paused && { text, at: video.currentTime };
  });
  const { text, at } = await seen.jsonValue();
  release();
  await page.waitForFunction((halted) => window.player.video.currentTime > halted + 0.5, at);
  const playing = await look(page);
  await pause(page);
  await note.waitFor({ state: "hidden" });
  return { text, playing };
}

async function failing(page) {
  await page.route(/\/up-[^/]+\/.*\.(m4s|ts)/, (route) =>
    route.fulfill({
      status: 502,
      contentType: "application/problem+json",
      body: JSON.stringify({ title: "Broken source", detail: "s001 is truncated" }),
    }),
  );
  await part(page, "compare").click();
  await page.waitForFunction(() => /cannot be shown/.test(window.player.shell.root.querySelector('[data-part="compare-note"]')?.textContent));
  const text = await part(page, "compare-note").textContent();
  const at = await page.evaluate(() => window.player.video.currentTime);
  await playTo(page, at + 0.7);
  // The frames may come later than the clock.
  await page.waitForFunction((to) => {
    const { shell, frameTime } = window.player;
    return frameTime >= to && Number(shell.root.querySelector('[data-part="compare-canvas-a"]').dataset.seconds) >= to;
  }, at + 0.6);
  return { text, alone: (await look(page)).a, video: await page.evaluate(() => window.player.frameTime), ...(await close(page)) };
}

await run(
  async (page) => {
    await page.addInitScript(countFrames);
    await open(page, job.url, { title: job.title, t: String(job.at ?? 2) });
    await page.evaluate(() => (window.player.video.muted = true));
    await part(page, "compare").waitFor();
    return scenarios[job.scenario](page);
  },
  { gpu: job.gpu ?? false, viewport: { width: 720, height: 620 } },
);
