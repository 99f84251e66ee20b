// Switches the filter in the browser on and off over a playing title and reads what it draws.
// usage: node filter.mjs '{"chromium": PATH, "url": BASE, "title": ID, "scenario": NAME, "webgpu": BOOLEAN}'

import { job, open, playTo, run, seek } from "./browser.mjs";

const scenarios = { pictures, play, lose, pace, without };

/** The frame at `job.at` as it is, and as the filter draws it under each of `job.filters`. */
async function pictures(page) {
  await start(page);
  await page.evaluate(() => window.player.video.pause());
  await seek(page, job.at);
  const found = { plain: await pixels(page, "window.player.video"), filtered: [] };
  for (const choice of job.filters) {
    await set(page, { on: true, ...choice });
    await drawn(page, choice.preset);
    const { kind, settings } = await running(page);
    found.filtered.push({ kind, ...settings, pixels: await pixels(page, "await window.player.filter.picture()") });
  }
  return found;
}

/** By its own controls, while the video plays: on, other settings, off; and a seek while it is paused. */
async function play(page) {
  await start(page);
  await set(page, { preset: "upscale-m" });
  await page.evaluate(() => window.player.video.play());
  const button = page.locator('button[data-part="filter"]');
  await button.click();
  await drawn(page);
  await fitted(page);
  const on = await overlay(page);
  await playTo(page, (await clock(page)) + 0.7);
  const unseen = await countUnseen(page);
  await openMenu(page);
  const before = (await running(page)).settings;
  await page.selectOption('[data-part="filter-preset"]', "upscale-vl");
  await page.locator('[data-part="filter-strength"]').fill("1.5");
  await page.selectOption('[data-part="filter-target"]', "720");
  await page.waitForFunction(() => window.player.filter.running?.settings.target.height === 720);
  const after = (await running(page)).settings;
  const remembered = await page.evaluate(() => window.player.recall("filter"));
  await page.keyboard.press("Escape");
  await set(page, { preset: "upscale-m", target: "auto" });
  await page.evaluate(() => window.player.video.pause());
  await seek(page, 4);
  await drawn(page);
  const paused = await distance(page);
  await set(page, { strength: 0 });
  await drawn(page);
  const unfiltered = await distance(page);
  await button.click();
  const off = await overlay(page);
  return { on, unseen, before, after, remembered, paused, unfiltered, off, seconds: await clock(page) };
}

/** The GPU goes away again and again while the video plays. */
async function lose(page) {
  await start(page);
  await set(page, { on: true, preset: "upscale-m" });
  await playSlowly(page);
  await drawn(page);
  const kinds = [(await running(page)).kind];
  const clocks = [await clock(page)];
  const said = [];
  for (let time = 0; time < job.losses; time += 1) {
    await page.evaluate(() => window.player.filter.lose());
    const notice = await page.waitForFunction(
      (seen) => {
        const { shadowRoot } = document.querySelector("upscale-player");
        const text = shadowRoot.querySelector('.notice[data-source="filter"] p')?.textContent;
        return text !== seen && text;
      },
      said.at(-1) ?? null,
    );
    said.push(await notice.jsonValue());
    kinds.push((await running(page))?.kind ?? null);
    await playTo(page, (await clock(page)) + 0.1);
    clocks.push(await clock(page));
    if (kinds.at(-1)) await drawn(page);
  }
  return { kinds, said, clocks, ...(await overlay(page)), stalled: await page.evaluate(() => window.player.errors) };
}

/** A budget that no GPU can keep. */
async function pace(page) {
  await start(page);
  await set(page, { on: true, preset: "upscale-vl" });
  await page.evaluate(() => {
    window.steps = [];
    Object.assign(window.player.filter.pace, { watching: true, budget: 1e-6 });
    const { shadowRoot } = document.querySelector("upscale-player");
    new MutationObserver(() => {
      const text = shadowRoot.querySelector('.notice[data-source="filter"]')?.textContent;
      if (text && text !== window.steps.at(-1)) window.steps.push(text);
    }).observe(shadowRoot, { childList: true, subtree: true });
  });
  await playSlowly(page);
  await page.waitForFunction(() => window.player.filter.trouble);
  return { steps: await page.evaluate(() => window.steps), ...(await overlay(page)), seconds: await clock(page) };
}

/** Neither WebGPU nor WebGL2. */
async function without(page) {
  await start(page);
  await page.waitForFunction(() => window.player.filter.trouble);
  await playTo(page, 0.5);
  return { ...(await overlay(page)), trouble: await page.evaluate(() => window.player.filter.trouble) };
}

async function start(page) {
  await open(page, job.url, { title: job.title, variant: job.variant, t: "0" });
  await page.waitForFunction((id) => window.player.currentVariant?.id === id && window.player.filter, job.variant);
  // Software is slow: only the test of the pace is about that.
  await page.evaluate(() => {
    window.player.filter.pace.watching = false;
  });
}

/** So that a slow machine is done before the title is. */
const playSlowly = (page) =>
  page.evaluate(() => {
    window.player.video.playbackRate = 0.25;
    return window.player.video.play();
  });

const set = (page, choice) => page.evaluate((changed) => window.player.filter.set(changed), choice);
const running = (page) => page.evaluate(() => window.player.filter.running);
const clock = (page) => page.evaluate(() => window.player.video.currentTime);

/** Waits until the canvas shows what was asked for, and nothing newer is under way. */
async function drawn(page, preset) {
  await page.waitForFunction(
    (wanted) => {
      const canvas = window.filterCanvas();
      const { running } = window.player.filter;
      if (!canvas || canvas.hidden || !running || (wanted && running.settings.preset !== wanted)) return false;
      return canvas.width === running.settings.target.width && canvas.height === running.settings.target.height;
    },
    preset,
  );
  await page.evaluate(() => window.player.filter.picture());
}

/** Until the canvas is as large as the picture: it follows the layout with a delay. */
const fitted = (page) =>
  page.waitForFunction(() => {
    const { width, height } = window.player.pictureBox;
    const canvas = window.filterCanvas();
    return canvas.width === Math.round(width * devicePixelRatio) && canvas.height === Math.round(height * devicePixelRatio);
  });

/** How many frames are drawn while the player is scrolled out of sight, and whether any are when it is back. */
async function countUnseen(page) {
  const drawn = () => page.evaluate(() => window.player.filter.drawn);
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  let before = 0;
  let unseen = 1;
  // What was under way when it left may take its time.
  for (let look = 0; unseen && look < 8; look += 1) {
    before = await drawn();
    await playTo(page, (await clock(page)) + 0.7);
    unseen = (await drawn()) - before;
  }
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.waitForFunction((count) => window.player.filter.drawn > count, before + unseen);
  return unseen;
}

async function openMenu(page) {
  await page.locator('[data-part="settings-button"]').click();
  await page.locator('[data-menu="filter"]').click();
}

/** What a viewer can see of the filter. */
function overlay(page) {
  return page.evaluate(() => {
    const canvas = window.filterCanvas();
    const { shadowRoot } = document.querySelector("upscale-player");
    const button = shadowRoot.querySelector('button[data-part="filter"]');
    const box = window.player.pictureBox;
    return {
      canvas: canvas && !canvas.hidden ? [canvas.width, canvas.height] : null,
      box: [box.width * devicePixelRatio, box.height * devicePixelRatio].map(Math.round),
      pressed: button.getAttribute("aria-pressed"),
      disabled: button.disabled,
      paused: window.player.video.paused,
    };
  });
}

/** Mean difference per channel between the canvas and the video scaled to its size by the browser. */
function distance(page) {
  return page.evaluate(async () => {
    const picture = await window.player.filter.picture();
    const { width, height } = picture;
    const [made, plain] = [picture, window.player.video].map((image) => {
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(image, 0, 0, width, height);
      return context.getImageData(0, 0, width, height).data;
    });
    return made.reduce((sum, value, index) => sum + Math.abs(value - plain[index]), 0) / (3 * width * height);
  });
}

/** RGB, row by row, in base64; `source` is a JavaScript expression. */
function pixels(page, source) {
  return page.evaluate(
    `(async () => (${function read(image) {
      const [width, height] = [image.videoWidth ?? image.width, image.videoHeight ?? image.height];
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const rgb = data.filter((_value, index) => index % 4 < 3);
      return { width, height, rgb: btoa(Array.from(rgb, (value) => String.fromCharCode(value)).join("")) };
    }})(${source}))()`,
  );
}

const FIND_CANVAS = `window.filterCanvas = () =>
  document.querySelector("upscale-player").shadowRoot.querySelector('canvas[data-layer="filter"]');`;
const NO_WEBGPU = "delete Navigator.prototype.gpu;";
const NO_WEBGL = `
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...rest);
  };`;

const scenario = scenarios[job.scenario];
await run(
  async (page, complaints) => {
    await page.addInitScript(FIND_CANVAS);
    if (!job.webgpu) await page.addInitScript(NO_WEBGPU);
    if (job.webgl === false) await page.addInitScript(NO_WEBGL);
    return scenario(page, complaints);
  },
  { gpu: true, viewport: { width: job.scenario === "play" ? 640 : 400, height: 700 } },
);
