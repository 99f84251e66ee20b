// Plays titles on the page in Chromium and prints what happened as one JSON object.
// usage: node drive.mjs '{"chromium": PATH, "url": BASE, "title": ID, "scenario": NAME, ...}'

import { attempt, counter, job, run } from "./browser.mjs";

const scenarios = { switchAndSeek, automatic, watch, links };

/** Source, upscaled and source again by the menu, then ten seeks, then all of the title buffered. */
async function switchAndSeek(page) {
  await waitUntilAt(page, 0.5);
  const { source, upscaled } = await variants(page);
  const decoded = {};
  for (const [step, variant] of [["source", source], ["upscaled", upscaled], ["back", source]]) {
    await choose(page, variant);
    decoded[step] = await decodedSize(page);
    await playFor(page, 0.5);
  }
  await choose(page, upscaled);
  const seeks = await seekAbout(page, job.seeks ?? 10, random(job.seed ?? 1));
  decoded.afterSeeks = await decodedSize(page);
  const tracks = await chooseTracks(page);
  await seekAndPlay(page, 0);
  await bufferAll(page);
  return { decoded, seeks, tracks, buffered: await buffered(page), upscaled, source };
}

/** Automatic choice until the whole title is buffered, or `segments` of its video are there. */
async function automatic(page) {
  await waitUntilAt(page, 0.5);
  const { source, upscaled } = await variants(page);
  await page.waitForFunction(({ id }) => window.player.currentVariant?.id === id, upscaled);
  if (job.segments) await fetched(page, job.segments);
  else await bufferAll(page);
  await seekAndPlay(page, await page.evaluate(() => window.player.video.duration / 2));
  return { decoded: { end: await decodedSize(page) }, buffered: await buffered(page), upscaled, source };
}

/** Just waits: for playback to get to `until`, or for the player to say something. */
async function watch(page) {
  await page.waitForFunction(
    (until) => window.player.video.currentTime >= until || window.player.shell.messages.textContent,
    job.until ?? 1,
  );
  if (job.until) await waitUntilAt(page, job.until);
  return {};
}

/** Opens `links`, each on a page of its own, and reads the number of the frame that is shown. */
async function links(page) {
  const found = [];
  for (const parameters of job.links) {
    await page.goto(`${job.url}/?${new URLSearchParams(parameters)}`);
    await page.waitForFunction(() => {
      const { video, currentVariant } = window.player ?? {};
      return currentVariant && video.readyState >= 2 && !video.seeking && document.title.includes(" – ");
    });
    await page.waitForFunction((id) => !id || window.player.currentVariant.id === id, parameters.variant ?? null);
    // It has landed near there, and the address, rounded up to milliseconds, names the frame on the screen.
    await page.waitForFunction((at) => {
      const { video, titleTime, frameSeconds } = window.player;
      const ahead = Number(new URL(location.href).searchParams.get("t")) - titleTime;
      return !video.seeking && Math.abs(titleTime - at) < 2 * frameSeconds && ahead >= 0 && ahead < 0.0011;
    }, Number(parameters.t));
    found.push({
      counter: await counter(page),
      variant: await page.evaluate(() => window.player.currentVariant.label),
      paused: await page.evaluate(() => window.player.video.paused),
      address: await page.evaluate(() => location.search),
      time: await page.evaluate(() => window.player.frameTime),
    });
  }
  return { links: found };
}

/** The tallest source variant and the tallest upscaled one. */
async function variants(page) {
  const all = await page.evaluate(() => window.player.variants);
  const tallest = (found) => found.sort((a, b) => b.height - a.height)[0] ?? null;
  return {
    source: tallest(all.filter(({ madeBy }) => madeBy === "source")),
    upscaled: tallest(all.filter(({ madeBy }) => madeBy === "server")),
  };
}

async function choose(page, variant) {
  // At the end of a title nothing is switched any more.
  if (await page.evaluate(() => window.player.video.currentTime > window.player.video.duration / 2)) await seekAndPlay(page, 0);
  await fromMenu(page, "variant", variant.id);
  await page.waitForFunction(
    ({ id, height }) => window.player.currentVariant?.id === id && window.player.video.videoHeight === height,
    variant,
  );
}

async function fromMenu(page, menu, value) {
  await page.evaluate(() => window.player.shell.controls.setAttribute("noautohide", ""));
  await page.click('[data-part="settings-button"]');
  await page.click(`[data-menu="${menu}"]`);
  await page.click(`[data-part="menu-${menu}"] input[value="${value}"]`);
  await page.keyboard.press("Escape");
}

/** Every audio and every subtitle track once, by the menu. */
async function chooseTracks(page) {
  const chosen = { audio: [], subtitles: [] };
  for (const { id } of await page.evaluate(() => (window.player.audioTracks.length > 1 ? window.player.audioTracks : []))) {
    await fromMenu(page, "audio", id);
    await page.waitForFunction((wanted) => window.player.audioTrack?.id === wanted, id);
    chosen.audio.push(await page.evaluate(() => window.player.audioTrack.label));
  }
  for (const { id } of await page.evaluate(() => window.player.subtitleTracks)) {
    await fromMenu(page, "subtitles", id);
    await page.waitForFunction((wanted) => window.player.subtitleTrack?.id === wanted, id);
    chosen.subtitles.push(await page.evaluate(() => window.player.subtitleTrack.label));
  }
  return chosen;
}

const decodedSize = (page) =>
  page.evaluate(() => [window.player.video.videoWidth, window.player.video.videoHeight]);

const waitUntilAt = (page, seconds) =>
  page.waitForFunction((at) => window.player?.video.currentTime >= at, seconds);

async function playFor(page, seconds) {
  const now = await page.evaluate(() => Math.min(window.player.video.currentTime, window.player.video.duration - 1.5));
  await waitUntilAt(page, now + seconds);
}

async function seekAbout(page, count, next) {
  const duration = await page.evaluate(() => window.player.video.duration);
  const seeks = [];
  for (let index = 0; index < count; index += 1) {
    const target = next() * (duration - 2);
    await seekAndPlay(page, target);
    seeks.push(target);
  }
  return seeks;
}

/** Seeks, and waits until it plays there. */
async function seekAndPlay(page, target) {
  await page.evaluate((to) => {
    window.player.video.currentTime = to;
  }, target);
  await page.waitForFunction((to) => {
    const { video } = window.player;
    return !video.seeking && video.currentTime >= to + 0.2;
  }, target);
}

async function bufferAll(page) {
  await page.evaluate(() => {
    window.player.hls.config.maxBufferLength = window.player.hls.config.maxMaxBufferLength;
  });
  await page.waitForFunction(() => {
    const { buffered, duration } = window.player.video;
    let covered = 0;
    for (let index = 0; index < buffered.length; index += 1) {
      covered += buffered.end(index) - buffered.start(index);
    }
    return covered > duration - 0.5;
  });
}

const fetched = (page, count) =>
  page.waitForFunction((least) => window.segments.filter(({ kind }) => kind === "main").length >= least, count);

const buffered = (page) =>
  page.evaluate(() => {
    const { buffered } = window.player.video;
    return Array.from({ length: buffered.length }, (_, index) => [buffered.start(index), buffered.end(index)]);
  });

/** Keeps a row of each segment that hls.js fetches in `window.segments`. */
async function recordSegments(page) {
  await page.evaluate(() => {
    window.segments = [];
    const record = () =>
      window.player.hls?.on("hlsFragLoaded", (_event, { frag, networkDetails }) => {
        const cache = networkDetails?.getResponseHeader?.("X-Cache") ?? null;
        window.segments.push({ sn: frag.sn, kind: frag.type, level: frag.level, cache });
      });
    window.player.addEventListener("title", record);
  });
}

const report = (page) =>
  page.evaluate(() => {
    const { video, errors, shell, currentVariant } = window.player;
    const labels = (name) =>
      Array.from(shell.menu.querySelectorAll(`[data-part="menu-${name}"] .choice span`), ({ firstChild }) => firstChild.data);
    return {
      errors,
      segments: window.segments ?? [],
      message: Array.from(shell.messages.querySelectorAll("p"), (line) => line.textContent).join("\n"),
      mediaError: video.error?.message ?? null,
      duration: video.duration,
      currentTime: video.currentTime,
      variant: currentVariant?.label ?? null,
      chip: shell.variantButton.textContent,
      variantMenu: labels("variant"),
      audioMenu: labels("audio"),
      subtitleMenu: labels("subtitles"),
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

await run(async (page) => {
  let steps;
  if (job.scenario === "links") {
    steps = await attempt(() => links(page));
  } else {
    await page.goto(`${job.url}/`);
    await page.waitForFunction(() => window.player);
    await recordSegments(page);
    steps = await attempt(async () => {
      await page.click(`[data-part="titles"] [data-id="${job.title}"]`);
      return scenarios[job.scenario](page);
    });
  }
  return { ...(await report(page)), ...steps };
});
