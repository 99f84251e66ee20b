// What all drivers of a page share: Chromium with its flags, and a page that keeps what it complains about.

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

/** WebGL2 and WebGPU in software. WebGPU is there only on pages of http://127.0.0.1 and the like. */
const GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  // Without these a WebGPU canvas takes the GPU process down as soon as it is drawn to.
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
];
const NO_GPU = ["--disable-gpu"];

/** For each thing that is waited for: a machine may be slow. Python ends the whole driver. */
export const PATIENCE_MS = 180_000;

/** The job that the Python side hands over as the first argument. */
export const job = process.argv[2]?.startsWith("{") ? JSON.parse(process.argv[2]) : {};

/**
 * @param {{chromium: string, gpu?: boolean, flags?: string[]}} options
 */
export function launch({ chromium: executablePath, gpu = false, flags = [] }) {
  const args = [...FLAGS, ...(gpu ? GPU : NO_GPU), ...flags];
  return chromium.launch({ executablePath, args, headless: true, timeout: PATIENCE_MS });
}

/** A context of a browser whose pages are patient. */
export async function newContext(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/**
 * Console errors, exceptions, violations of the Content-Security-Policy, and requests to any host but
 * those of `allowed`, as lines of text. The list grows while the page lives.
 */
export function listen(page, allowed) {
  const origins = [allowed].flat().map((url) => new URL(url).origin);
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const { url } = message.location();
    complaints.push(url ? `${message.text()} (${url})` : message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (/^(blob|data):/.test(url)) return;
    if (!origins.includes(new URL(url).origin)) complaints.push(`asked ${url}`);
  });
  return complaints;
}

/** Runs `body(page, complaints)` on a fresh page and prints what it returns as one JSON object. */
export async function run(body, { gpu = false, flags = [], viewport = { width: 1280, height: 900 }, ...context } = {}) {
  const browser = await launch({ chromium: job.chromium, gpu, flags });
  try {
    const page = await (await newContext(browser, { viewport, ...context })).newPage();
    const complaints = listen(page, job.allowed ?? job.url);
    const found = await attempt(() => body(page, complaints));
    if (job.screenshot) await page.screenshot({ path: job.screenshot, fullPage: true });
    console.log(JSON.stringify({ complaints, ...found }));
  } finally {
    await browser.close();
  }
}

/** What `steps` returns, with `failure: null`; or only why they failed. */
export async function attempt(steps) {
  try {
    return { failure: null, ...(await steps()) };
  } catch (error) {
    return { failure: String(error) };
  }
}

/** Waits until the page at `/` plays (or shows the frame of) a title; `window.player` is the Player. */
export async function open(page, base, parameters = {}) {
  await page.goto(`${base}/?${new URLSearchParams(parameters)}`);
  await page.waitForFunction(() => window.player?.video.readyState >= 2);
}

/** Seeks, and waits until the frame is on the screen; its media time in seconds. */
export function seek(page, seconds) {
  return page.evaluate(
    (to) =>
      new Promise((resolve) => {
        const { video } = window.player;
        // The first that comes may be a late one from before.
        const shown = (_now, { mediaTime }) => {
          if (Math.abs(mediaTime - video.currentTime) < (video.paused ? 0.1 : 1)) resolve(mediaTime);
          else video.requestVideoFrameCallback(shown);
        };
        video.requestVideoFrameCallback(shown);
        video.currentTime = to;
      }),
    seconds,
  );
}

/** Plays until the clock is at `seconds`. */
export async function playTo(page, seconds) {
  await page.evaluate(() => window.player.video.play());
  await page.waitForFunction((to) => window.player.video.currentTime >= to, seconds);
}

/**
 * The number that the picture shows: sixteen black or white cells in the upper half (tests/media/synth.py).
 * `source` is a JavaScript expression for anything drawImage takes.
 */
export function counter(page, source = "window.player.video") {
  return page.evaluate(
    `(${function read(image) {
      const [columns, rows] = [8, 2];
      const width = image.videoWidth ?? image.displayWidth ?? image.width;
      const height = image.videoHeight ?? image.displayHeight ?? image.height;
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0, width, height);
      let number = 0;
      for (let bit = 0; bit < columns * rows; bit += 1) {
        const x = Math.floor((((bit % columns) + 0.5) * width) / columns);
        const y = Math.floor(((Math.floor(bit / columns) + 0.5) * height) / (2 * rows));
        if (context.getImageData(x, y, 1, 1).data[1] > 125) number |= 1 << bit;
      }
      return number;
    }})(${source})`,
  );
}
