// Drives the panel under the picture and prints what it says as one JSON object.
// usage: node panel.mjs '{"chromium": PATH, "url": BASE, "title": ID, "screenshot": FILE, ...}'

import { audit } from "./audit.mjs";
import { job, open, playTo, run } from "./browser.mjs";

const part = (page, name) => page.locator(`upscale-player [data-part="${name}"]`).first();

/** The rows of the waterfall, the newest first, as assistive technology gets them. */
const rows = (page) =>
  page.evaluate(() =>
    Array.from(window.player.shell.root.querySelectorAll('[data-part="panel-segment"]'), (row) => {
      const [segment, variant, cache, size, wait] = Array.from(row.cells, (cell) => cell.textContent);
      const bar = row.querySelector(".bar");
      return {
        segment,
        variant,
        cache,
        size,
        wait,
        state: row.dataset.state,
        words: bar.getAttribute("aria-label"),
        left: Number.parseFloat(bar.style.left),
        width: Number.parseFloat(bar.style.width),
        parts: Array.from(bar.children, ({ className, style }) => [className, Number(style.flexGrow)]),
      };
    }),
  );

const tile = async (page, name) => (await part(page, `panel-${name}`).innerText()).split("\n");

async function tiles(page) {
  const names = ["buffer", "bandwidth", "frames", "gpu", "variant"];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await tile(page, name)])));
}

/** Waits for segments of the upscaled variant. */
function fetched(page, count) {
  return page.waitForFunction((least) => {
    const { player } = window;
    const upscaled = player.variants.findIndex(({ madeBy }) => madeBy === "server");
    return player.segments.filter(({ kind, level }) => kind === "video" && level === upscaled).length >= least;
  }, count);
}

/** Has the origin make every segment of the upscaled variant. */
const warmUp = (page) =>
  page.evaluate(async () => {
    const { details } = window.player.hls.levels.at(-1);
    for (const { url } of details.fragments) await (await fetch(url, { cache: "no-store" })).arrayBuffer();
  });

const chooseUpscaled = (page) =>
  page.evaluate(() => {
    const { player } = window;
    player.chooseVariant(player.variants.find(({ madeBy }) => madeBy === "server").id);
  });

/** Holds one request for the upscaled variant back until the function that it resolves to is called. */
async function holdBack(page) {
  let release = () => {};
  const held = new Promise((done) => (release = done));
  await page.route(/\/up-[^/]+\/.*\/1\.ts/, async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

async function live(page) {
  await chooseUpscaled(page);
  await page.waitForFunction(() => {
    const row = Array.from(window.player.shell.root.querySelectorAll('[data-part="panel-segment"]')).find(
      ({ dataset, cells }) => dataset.state === "loading" && cells[0].textContent === "#1",
    );
    return row && Number.parseFloat(row.querySelector(".bar").style.width) > 10;
  });
  const seen = (await rows(page)).find(({ segment, state }) => segment === "#1" && state === "loading");
  await page.screenshot({ path: job.screenshot.replace(".png", "-live.png"), fullPage: true });
  return seen;
}

/** What a reader of the page gets on a narrow screen, and whether anything is wider than that. */
async function narrow(page) {
  await page.setViewportSize({ width: 360, height: 740 });
  const fits = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  await page.waitForFunction(fits, null, { timeout: 60_000 }).catch(() => {}); // "resize" comes with a later frame
  await page.screenshot({ path: job.screenshot.replace(".png", "-360.png"), fullPage: true });
  return page.evaluate(() => {
    const panel = window.player.shell.root.querySelector('[data-part="panel-body"]').getBoundingClientRect();
    const page = document.documentElement;
    return { overflow: page.scrollWidth - page.clientWidth, left: panel.left, right: panel.right };
  });
}

await run(async (page) => {
  const start = { title: job.title, t: "1" };
  const release = await holdBack(page);
  await open(page, job.url, start);
  await page.evaluate(() => (window.player.video.muted = true));
  await part(page, "panel").click();
  const flying = await live(page);
  release();
  await playTo(page, 5);
  await page.evaluate(() => window.player.video.pause());
  await fetched(page, 2);
  const cold = { rows: await rows(page), tiles: await tiles(page) };
  await part(page, "panel-by-request").click();
  const aligned = (await rows(page)).map(({ left }) => left);
  await page.screenshot({ path: job.screenshot, fullPage: true });
  await warmUp(page);
  await open(page, job.url, start);
  await part(page, "panel-body").waitFor();
  await page.evaluate(() => (window.player.video.muted = true));
  await part(page, "compare").click();
  await fetched(page, 3);
  await page.waitForFunction(() => /second side/.test(window.player.shell.root.querySelector('[data-part="panel-buffer"]').textContent));
  const warm = { rows: await rows(page), tiles: await tiles(page), cmcd: await part(page, "panel-cmcd").textContent() };
  const violations = [...(await audit(page))];
  const small = await narrow(page);
  violations.push(...(await audit(page)));
  await part(page, "panel-body").getByRole("button", { name: "Close" }).click();
  const hidden = await part(page, "panel-body").isHidden();
  return { flying, cold, aligned, warm, violations, small, hidden };
});
