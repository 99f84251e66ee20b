// What the page says when things are missing or broken, as one JSON object.
// usage: node trouble.mjs '{"chromium": PATH, "url": BASE, "title": ID}'

import { attempt, job, launch, listen, newContext } from "./browser.mjs";

const messages = () => Array.from(window.player.shell.messages.querySelectorAll("p"), (line) => line.textContent);

/** Opens the page in a browser that lacks `missing`, and waits until it says something or plays. */
async function without(browser, missing, parameters) {
  const page = await (await newContext(browser)).newPage();
  const complaints = listen(page, job.url);
  await page.addInitScript(missing);
  await page.goto(`${job.url}/?${new URLSearchParams(parameters)}`);
  await page.waitForFunction(
    () => window.player && (window.player.shell.messages.textContent || window.player.video.currentTime > 0.3 || document.querySelector('[data-part="message"]').textContent),
  );
  const found = await page.evaluate(() => ({
    said: Array.from(window.player.shell.messages.querySelectorAll("p"), (line) => line.textContent),
    page: document.querySelector('[data-part="message"]').textContent,
    cards: document.querySelectorAll('[data-part="titles"] li').length,
  }));
  await page.close();
  return { ...found, complaints };
}

const noMse = () => {
  delete window.MediaSource;
  delete window.ManagedMediaSource;
  HTMLMediaElement.prototype.canPlayType = () => "";
};

const noStorage = () => {
  Object.defineProperty(window, "localStorage", { get: () => { throw new DOMException("denied", "SecurityError"); } });
};

/** Without MSE, but with HLS of its own: what the player asks the video element for. */
async function nativeHls(browser) {
  const page = await (await newContext(browser)).newPage();
  await page.addInitScript(() => {
    delete window.MediaSource;
    delete window.ManagedMediaSource;
    HTMLMediaElement.prototype.canPlayType = (type) => (type.includes("mpegurl") ? "maybe" : "");
  });
  await page.goto(`${job.url}/?title=${job.title}`);
  await page.waitForFunction(() => window.player?.video.src);
  const src = await page.evaluate(() => window.player.video.getAttribute("src"));
  await page.close();
  return { src: src.replace(job.url, "") };
}

/** Plays over a segment that no variant has. */
async function hole(browser) {
  const page = await (await newContext(browser)).newPage();
  await page.goto(`${job.url}/?title=${job.title}`);
  await page.waitForFunction(() => window.player?.video.currentTime > 0.3);
  await page.evaluate(() => {
    window.player.video.playbackRate = 4;
  });
  await page.waitForFunction((behind) => window.player.video.currentTime > behind, job.behind);
  const said = await page.evaluate(messages);
  await page.close();
  return { said };
}

/** A link to a title that is still being prepared: it says so, and then plays. */
async function preparing(browser) {
  const page = await (await newContext(browser)).newPage();
  await page.goto(`${job.url}/?title=demo/slow`);
  const said = await page.waitForFunction(() => {
    const lines = Array.from(window.player?.shell.messages.querySelectorAll("p") ?? [], (line) => line.textContent);
    return lines.length && lines;
  });
  const lines = await said.jsonValue();
  await page.waitForFunction(() => window.player.video.currentTime > 0.3);
  const after = await page.evaluate(messages);
  await page.close();
  return { said: lines, after };
}

const scenarios = { hole, nativeHls };
const browser = await launch({ chromium: job.chromium });
const found = await attempt(async () => {
  if (job.scenario) return scenarios[job.scenario](browser);
  const title = { title: job.title };
  return {
    preparing: await preparing(browser),
    noMse: await without(browser, noMse, title),
    noStorage: await without(browser, noStorage, title),
    unknown: await without(browser, () => {}, { title: "demo/never" }),
    gone: await without(browser, () => {}, { title: "demo/gone" }),
    broken: await without(browser, () => {}, { title: "demo/broken" }),
    nativeHls: await nativeHls(browser),
  };
});
await browser.close();
console.log(JSON.stringify(found));
