// Chooses where the picture is upscaled, by hand and automatically, and reads what was chosen and why.
// usage: node auto.mjs '{"chromium": PATH, "url": BASE, "title": ID}'

import { job, open, run } from "./browser.mjs";

const MENU = '[data-part="menu-auto"]';

await run(
  async (page) => {
    await page.addInitScript(() => {
      window.part = () => window.player.parts.find((part) => "decision" in part);
    });
    await show(page);
    const untouched = await state(page);
    const chosen = {};
    for (const mode of ["browser", "plain", "server"]) chosen[mode] = await choose(page, mode);
    chosen.auto = await choose(page, "auto");
    const measured = await page.evaluate(() => window.player.recall("gpu-speed"));
    const decided = {};
    for (const [name, speed] of [["fast", 1e6], ["slow", 1e-6]]) {
      await page.evaluate(() => window.player.remember("auto", null));
      await page.evaluate((known) => window.player.remember("gpu-speed", known), { ...measured, speed });
      await show(page);
      decided[name] = await choose(page, "auto");
    }
    await page.evaluate(() => window.player.chooseVariant(window.player.variants[0].id));
    await page.waitForFunction(() => window.player.recall("auto") === null);
    return { untouched, chosen, measured, decided, byHand: await state(page) };
  },
  { gpu: true, viewport: { width: 640, height: 700 } },
);

async function show(page) {
  await open(page, job.url, { title: job.title });
  await page.waitForFunction(() => window.player.log.all.length && window.part() && window.player.filter);
  // What it measures depends on how busy this machine is.
  await page.evaluate(() => {
    Object.defineProperty(window.player.hls, "bandwidthEstimate", { get: () => 20e6 });
    // So does whether a filter in software keeps up: it would give up in the middle.
    window.player.filter.pace.watching = false;
  });
}

async function choose(page, mode) {
  await page.locator('[data-part="settings-button"]').click();
  await page.locator('[data-menu="auto"]').click();
  await page.locator(`${MENU} input[value="${mode}"]`).check();
  await page.keyboard.press("Escape");
  await decision(page);
  return state(page);
}

function decision(page) {
  return page.waitForFunction(() => window.part().decision);
}

function state(page) {
  return page.evaluate((menu) => {
    const { chosenVariant, filter, recall } = window.player;
    const panel = document.querySelector("upscale-player").shadowRoot.querySelector(menu);
    return {
      variant: chosenVariant?.label ?? null,
      filter: filter.isOn ? filter.choice.preset : null,
      checked: panel.querySelector("input:checked")?.value ?? null,
      why: panel.querySelector('[data-part="auto-why"]').textContent,
      remembered: recall("auto"),
    };
  }, MENU);
}
