// Drives the demo page in Chromium and prints what happened as one JSON object.
// usage: node drive.mjs '{"chromium": PATH, "url": BASE, "title": ID, "scenario": NAME, ...}'

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

const scenarios = { switchAndSeek, automatic, watch };

const job = JSON.parse(process.argv[2]);

/** Source, upscaled and source again by the menu, then ten seeks, then all of the title buffered. */
async function switchAndSeek(page) {
  await waitUntilAt(page, 0.5);
  const { source, upscaled } = await variants(page);
  const decoded = {};
  for (const [step, level] of [["source", source], ["upscaled", upscaled], ["back", source]]) {
    await choose(page, level);
    decoded[step] = await decodedSize(page);
    await playFor(page, 1);
  }
  await choose(page, upscaled);
  const seeks = await seekAbout(page, job.seeks ?? 10, random(job.seed ?? 1));
  decoded.afterSeeks = await decodedSize(page);
  await seek(page, 0);
  await bufferAll(page);
  return { decoded, seeks, buffered: await buffered(page), upscaled, source };
}

/** Automatic choice until the whole title is buffered, or `segments` of its video are there. */
async function automatic(page) {
  await waitUntilAt(page, 0.5);
  const { source, upscaled } = await variants(page);
  await page.waitForFunction((level) => window.hls.currentLevel === level.index, upscaled);
  if (job.segments) await fetched(page, job.segments);
  else await bufferAll(page);
  await seek(page, await page.$eval("video", (video) => video.duration / 2));
  return { decoded: { end: await decodedSize(page) }, buffered: await buffered(page), upscaled, source };
}

/** Just waits: for playback to get to `until`, or for the page to say something. */
async function watch(page) {
  await page.waitForFunction(
    (until) => document.querySelector("video").currentTime >= until || document.querySelector("#messages").textContent,
    job.until ?? 1,
  );
  if (job.until) await waitUntilAt(page, job.until);
  return {};
}

function listen(page) {
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(job.url) && !url.startsWith("blob:")) complaints.push(`asked ${url}`);
  });
  return complaints;
}

/** The tallest source variant and the tallest upscaled one. */
async function variants(page) {
  const levels = await page.evaluate(() =>
    window.hls.levels.map((level, index) => ({
      index,
      height: level.height,
      width: level.width,
      upscaled: (level.attrs["STABLE-VARIANT-ID"] ?? "").startsWith("up-"),
    })),
  );
  const tallest = (found) => found.sort((a, b) => b.height - a.height)[0] ?? null;
  return {
    source: tallest(levels.filter((level) => !level.upscaled)),
    upscaled: tallest(levels.filter((level) => level.upscaled)),
  };
}

async function choose(page, level) {
  await page.selectOption("#variant", String(level.index));
  await page.waitForFunction(
    ({ index, height }) =>
      window.hls.currentLevel === index && document.querySelector("video").videoHeight === height,
    level,
  );
}

const decodedSize = (page) =>
  page.$eval("video", (video) => [video.videoWidth, video.videoHeight]);

const waitUntilAt = (page, seconds) =>
  page.waitForFunction((at) => document.querySelector("video").currentTime >= at, seconds);

async function playFor(page, seconds) {
  const now = await page.$eval("video", (video) => Math.min(video.currentTime, video.duration - 1.5));
  await waitUntilAt(page, now + seconds);
}

async function seekAbout(page, count, next) {
  const duration = await page.$eval("video", (video) => video.duration);
  const seeks = [];
  for (let index = 0; index < count; index += 1) {
    const target = next() * (duration - 2);
    await seek(page, target);
    seeks.push(target);
  }
  return seeks;
}

/** Seeks, and waits until it plays there. */
async function seek(page, target) {
  await page.$eval("video", (video, to) => {
    video.currentTime = to;
  }, target);
  await page.waitForFunction((to) => {
    const video = document.querySelector("video");
    return !video.seeking && video.currentTime >= to + 0.3;
  }, target);
}

async function bufferAll(page) {
  await page.evaluate(() => {
    window.hls.config.maxBufferLength = window.hls.config.maxMaxBufferLength;
  });
  await page.waitForFunction(() => {
    const { buffered, duration } = document.querySelector("video");
    let covered = 0;
    for (let index = 0; index < buffered.length; index += 1) {
      covered += buffered.end(index) - buffered.start(index);
    }
    return covered > duration - 0.5;
  });
}

const fetched = (page, count) =>
  page.waitForFunction(
    (least) => window.player.segments.filter((segment) => segment.kind === "video").length >= least,
    count,
  );

const buffered = (page) =>
  page.$eval("video", ({ buffered }) =>
    Array.from({ length: buffered.length }, (_, index) => [buffered.start(index), buffered.end(index)]),
  );

const report = (page) =>
  page.evaluate(() => {
    const video = document.querySelector("video");
    return {
      errors: window.player.errors,
      segments: window.player.segments,
      message: document.querySelector("#messages").textContent,
      mediaError: video.error?.message ?? null,
      duration: video.duration,
      currentTime: video.currentTime,
      currentLevel: window.hls?.currentLevel ?? null,
      variantMenu: Array.from(document.querySelectorAll("#variant option"), (option) => option.text),
      audioMenu: Array.from(document.querySelectorAll("#audio option"), (option) => option.text),
      rows: document.querySelectorAll("#segments tr").length,
    };
  });

/** mulberry32. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

async function main() {
  const browser = await chromium.launch({ executablePath: job.chromium, args: FLAGS, headless: true });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const complaints = listen(page);
    await page.goto(`${job.url}/`);
    let steps;
    let failure = null;
    try {
      await page.click(`#titles button[data-id="${job.title}"]`);
      steps = await scenarios[job.scenario](page);
    } catch (error) {
      failure = String(error);
    }
    if (job.screenshot) await page.screenshot({ path: job.screenshot, fullPage: true });
    console.log(JSON.stringify({ failure, complaints, ...(await report(page)), ...steps }));
  } finally {
    await browser.close();
  }
}

await main();
