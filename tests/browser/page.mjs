// Uses the page as people do, by keyboard, mouse and touch, and prints what was found as one JSON object.
// usage: node page.mjs '{"chromium": PATH, "url": BASE, "title": ID, "artefacts": FOLDER}'

import { audit } from "./audit.mjs";
import { job, launch, listen, newContext } from "./browser.mjs";

const shot = (page, name) => page.screenshot({ path: `${job.artefacts}/page-${name}.png` });
const part = (name) => `[data-part="${name}"]`;
const until = (page, test, argument) => page.waitForFunction(test, argument);

/** What has the focus, through all shadow roots: its label or text. */
const focused = (page) =>
  page.evaluate(() => {
    let element = document.activeElement;
    let host = element;
    while (element?.shadowRoot?.activeElement) {
      host = element;
      element = element.shadowRoot.activeElement;
    }
    const labelOf = (candidate) => candidate.getAttribute("aria-label") ?? candidate.dataset.part ?? null;
    return labelOf(element) ?? (element.localName === "input" ? (labelOf(host) ?? host.localName) : element.textContent.trim());
  });

async function library(page) {
  // The list comes once the page was painted without it, and anew once it was looked at.
  const gates = [gate(), gate()];
  let lists = 0;
  await page.route("**/api/titles", async (route) => {
    await gates[Math.min(lists++, 1)].opened;
    await route.continue();
  });
  await page.goto(`${job.url}/`);
  const painted = await until(page, () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const paint = { milliseconds: await painted.jsonValue(), lists };
  gates[0].open();
  await page.waitForSelector(`${part("titles")} li`);
  const preparing = await page.locator(".preparing").count();
  gates[1].open();
  const dark = await audit(page);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await audit(page);
  await shot(page, "library-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, "library-dark");
  await page.fill(part("search"), "NUMBERED 3");
  const matches = await page.locator(`${part("titles")} li:visible`).allInnerTexts();
  await page.fill(part("search"), "nothing like it");
  const nothing = await page.locator(`${part("library")} > p`).innerText();
  await page.fill(part("search"), "");
  await until(page, () => document.querySelectorAll(".preparing").length === 0);
  return { paint, preparing, audits: { dark, light }, matches, nothing };
}

/** Something to wait for. */
function gate() {
  let open = () => {};
  const opened = new Promise((done) => (open = done));
  return { open, opened };
}

/** From the card to every control of the player and back, by keys alone. */
async function keyboard(page) {
  await page.focus(`${part("titles")} [data-id="${job.title}"]`);
  await page.keyboard.press("Enter");
  await until(page, () => window.player.currentVariant && window.player.video.currentTime > 0.3);
  await page.keyboard.press("k");
  await until(page, () => window.player.video.paused);
  const state = () => page.evaluate(() => ({ time: window.player.video.currentTime, muted: window.player.video.muted }));
  const keys = {};
  for (const key of ["5", "ArrowRight", "l", "j", "ArrowLeft", ".", ",", "m"]) {
    await page.keyboard.press(key);
    // Frames step from the one that is shown, which is 40 ms long.
    await until(page, () => {
      const { video, frameTime } = window.player;
      const into = video.currentTime - frameTime;
      return !video.seeking && into > -0.002 && into < 0.042;
    });
    keys[key] = await state();
  }
  await page.keyboard.press("f");
  await until(page, () => document.fullscreenElement !== null);
  await page.keyboard.press("f");
  await until(page, () => document.fullscreenElement === null);
  const path = await tabThrough(page);
  return { keys, path, menu: await menuByKeys(page) };
}

/** Labels of all that Tab reaches inside the player. */
async function tabThrough(page) {
  await page.focus(part("home"));
  const path = [];
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.localName !== "upscale-player")) break;
    path.push(await focused(page));
  }
  return path;
}

/** Opens the settings, goes to the variants, takes the last, and closes: no mouse. */
async function menuByKeys(page) {
  await page.focus(`upscale-player ${part("settings-button")}`);
  await page.keyboard.press("Enter");
  await until(page, () => window.player.shell.menu.contains(window.player.shell.root.activeElement));
  const first = await focused(page);
  await page.keyboard.press("ArrowDown");
  const second = await focused(page);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowUp");
  await until(page, () => window.player.chosenVariant?.madeBy === "server");
  const chosen = await page.evaluate(() => window.player.chosenVariant.label);
  await page.keyboard.press("Escape");
  await until(page, () => window.player.shell.root.activeElement === window.player.shell.settingsButton);
  await until(page, () => window.player.currentVariant === window.player.chosenVariant);
  return { first, second, chosen, address: await page.evaluate(() => location.search) };
}

async function mouse(page) {
  const audits = {};
  audits.watch = await audit(page);
  await shot(page, "watch");
  await page.hover(`upscale-player ${part("seek")}`);
  const seek = await page.locator(`upscale-player ${part("seek")}`).boundingBox();
  await page.mouse.move(seek.x + seek.width * 0.7, seek.y + seek.height / 2);
  const thumbnail = () => window.player.shell.root.querySelector("media-time-range").shadowRoot.querySelector("media-preview-thumbnail");
  await page.evaluate(`window.thumbnail = ${thumbnail}`);
  await until(page, () => window.thumbnail().hasAttribute("mediapreviewcoords"));
  const preview = await page.evaluate(() => window.thumbnail().getAttribute("mediapreviewimage"));
  await shot(page, "thumbnail");
  const names = await menus(page, async (name) => {
    audits[`menu ${name}`] = await audit(page);
    await shot(page, `menu-${name}`);
  });
  const { paused } = await click(page);
  await page.evaluate(() => window.player.say("test", "A sentence for the viewer."));
  audits.notice = await audit(page);
  await page.emulateMedia({ colorScheme: "light" });
  audits.light = await audit(page);
  await shot(page, "watch-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.click('upscale-player [data-source="test"] [aria-label="Dismiss"]');
  return { audits, preview, menus: names, toggled: paused };
}

/** Opens each menu that there is. */
async function menus(page, look) {
  const names = await page.evaluate(() =>
    Array.from(window.player.shell.menu.querySelectorAll(".row:not([hidden])"), (row) => row.dataset.menu),
  );
  await page.evaluate(() => window.player.shell.controls.setAttribute("noautohide", ""));
  for (const name of ["list", ...names]) {
    await page.click(`upscale-player ${part("settings-button")}`);
    if (name !== "list") await page.click(`upscale-player [data-menu="${name}"]`);
    await look(name);
    await page.keyboard.press("Escape");
  }
  return names;
}

/** A click on the picture plays, another pauses. */
async function click(page) {
  const paused = [];
  for (const wanted of [false, true]) {
    await page.click("upscale-player video", { position: { x: 300, y: 150 } });
    await until(page, (state) => window.player.video.paused === state, wanted);
    paused.push(wanted);
  }
  return { paused };
}

/** A phone: 360 px wide, touch. */
async function narrow(browser) {
  const context = await newContext(browser, { viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  const page = await context.newPage();
  const complaints = listen(page, job.url);
  await page.goto(`${job.url}/`);
  await page.waitForSelector(`${part("titles")} li`);
  const overflows = { library: await overflow(page) };
  await shot(page, "narrow-library");
  await page.tap(`${part("titles")} [data-id="${job.title}"]`);
  await until(page, () => window.player.currentVariant && window.player.video.currentTime > 0.3);
  await page.evaluate(() => window.player.video.pause());
  await page.evaluate(() => window.scrollTo(0, 0));
  overflows.watch = await overflow(page);
  const audits = { narrow: await audit(page) };
  await shot(page, "narrow-watch");
  const targets = await page.evaluate(() => {
    const { controls } = window.player.shell;
    const shown = Array.from(controls.querySelectorAll("button, media-play-button, media-mute-button, media-fullscreen-button"))
      .filter((control) => control.checkVisibility());
    return shown.map((control) => {
      const { left, right, width, height } = control.getBoundingClientRect();
      return { name: control.getAttribute("aria-label") ?? control.localName, left, right, width, height };
    });
  });
  await page.tap(`upscale-player ${part("settings-button")}`);
  await until(page, () => window.player.shell.menu.matches(":popover-open.sheet"));
  await shot(page, "narrow-menu");
  audits["narrow menu"] = await audit(page);
  overflows.menu = await overflow(page);
  await page.tap('upscale-player [data-menu="variant"]');
  await page.tap(`upscale-player ${part("menu-variant")} label:nth-of-type(2)`);
  await until(page, () => window.player.chosenVariant !== null);
  return { complaints, overflows, audits, targets };
}

const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

const browser = await launch({ chromium: job.chromium });
const found = { failure: null };
try {
  const page = await (await newContext(browser, { viewport: { width: 1280, height: 860 } })).newPage();
  found.complaints = listen(page, job.url);
  for (const step of [library, keyboard, mouse]) found[step.name] = await step(page);
  found.narrow = await narrow(browser);
} catch (error) {
  found.failure = String(error?.stack ?? error);
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
