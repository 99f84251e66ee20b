// Shows subtitles in Chromium, and prints what is seen as one JSON object.
// usage: node subtitles.mjs '{"chromium": PATH, "url": BASE, "scenario": NAME, "pictures": FOLDER, …}'

import { writeFile } from "node:fs/promises";
import { job, open, playTo, run, seek } from "./browser.mjs";

const TRACKS = ["English", "Styled", "Fontless", "Broken style", "Broken", "Holed", "Gone"];

const scenarios = { places, sharp, styles, timing, troubles, captions, real };

/** WebVTT's settings, as boxes relative to the picture's, and markup. */
async function places(page) {
  await show(page, "hls", "English");
  const found = {};
  for (const at of [1, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 11]) {
    await seek(page, at);
    await settled(page);
    found[at] = await cues(page);
  }
  await page.screenshot({ path: `${job.pictures}/subtitles-plain.png` });
  const floor = await page.evaluate(() => part("controls").querySelector("media-time-range").getBoundingClientRect().top - picture().y);
  await seek(page, 10.2);
  await page.evaluate(() => {
    // The cue has to outlast the controls.
    window.player.video.playbackRate = 0.0625;
    void window.player.video.play();
  });
  const unguarded = await page.waitForFunction((above) => {
    const isAlone = root().querySelector("media-controller").hasAttribute("userinactive");
    return isAlone && cueBoxes()[0]?.bottom > above && cueBoxes();
  }, floor);
  return { found, floor, picture: await box(page), unguarded: await unguarded.jsonValue() };
}

/** Screenshots of both renderers at this display's resolution, and in full screen. */
async function sharp(page) {
  await show(page, "film", "English");
  await change(page, { edge: "none" });
  await seek(page, 1);
  await settled(page);
  const text = await cues(page);
  const vtt = await shoot(page, `vtt-${job.ratio}`);
  await choose(page, "Styled");
  await seek(page, 2);
  await drawn(page);
  const canvas = await page.evaluate(() => [part("ass").width, part("ass").height]);
  const ass = await shoot(page, `ass-${job.ratio}`);
  await page.evaluate(() => root().querySelector("media-fullscreen-button").click());
  await page.waitForFunction(() => document.fullscreenElement);
  await page.waitForFunction((before) => part("ass").width !== before, canvas[0]);
  const full = await shoot(page, `ass-full-${job.ratio}`);
  return { text, vtt, ass, canvas, full, picture: await box(page) };
}

/** Every control of the form once, then a new page. */
async function styles(page) {
  await show(page, "film", "English");
  await seek(page, 1);
  await settled(page);
  const changes = [
    { size: 1.6 },
    { family: "mono" },
    { color: "#ffff00" },
    { background: "#000080", backgroundOpacity: 0.8 },
    { edge: "none" },
    { margin: 0.3 },
    { opacity: 0.5 },
  ];
  const pictures = [await shoot(page, "style-0")];
  for (const fields of changes) {
    await change(page, fields);
    pictures.push(await shoot(page, `style-${pictures.length}`));
  }
  const sample = await change(page, { delaySeconds: 2 });
  await page.waitForFunction(() => cueTexts().length === 0);
  await seek(page, 4);
  const delayed = (await cues(page)).map(({ text }) => text);
  await page.reload();
  await page.waitForFunction(() => window.player?.video.readyState >= 2);
  await show(page, "film", "English");
  await seek(page, 4);
  await settled(page);
  const remembered = await shoot(page, "style-remembered");
  await choose(page, "Styled");
  await drawn(page);
  const authored = (await cues(page)).length;
  await change(page, { asAuthored: false });
  await page.waitForFunction(() => !part("ass") && cueTexts()[0] === "HIHIHI");
  await page.evaluate(() => part("subtitle-reset").click());
  await page.waitForFunction(() => part("ass"));
  return { pictures, sample, delayed, remembered, authored, kept: await page.evaluate(() => localStorage.getItem("upscale-player:subtitle-style")) };
}

/** What is shown with each frame, at two rates; and ASS on a shifted timeline. */
async function timing(page) {
  await show(page, "film", "English");
  await settled(page);
  // Of the second segment, too.
  await page.waitForFunction(() => window.player.subtitleCues.some(({ startTime }) => startTime >= 10));
  await page.evaluate(() => {
    window.seen = [];
    const { video } = window.player;
    const note = (_now, { mediaTime }) => {
      window.seen.push([mediaTime, cueTexts().join("|")]);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  });
  await seek(page, 2.6);
  await playTo(page, 4.4);
  await page.evaluate(() => (window.player.video.playbackRate = 2));
  await seek(page, 11.5);
  await playTo(page, 12.5);
  const seen = await page.evaluate(() => window.seen);
  await page.evaluate(() => window.player.video.pause());
  await show(page, "shifted", "Styled");
  const shifted = {};
  for (const at of [2.5, 3.5, 5.5, 6.5]) {
    await seek(page, at);
    await drawn(page);
    shifted[at] = await shoot(page, `shifted-${at}`);
  }
  return { seen, shifted };
}

async function troubles(page) {
  await show(page, "film", "English");
  const said = {};
  for (const name of TRACKS.slice(2)) {
    await choose(page, name);
    await seek(page, 2);
    await page.waitForFunction((track) => message()?.includes(`“${track}”`) || message()?.includes(".ttf"), name);
    if (name === "Broken style") await settled(page);
    said[name] = { message: await page.evaluate(() => message()), cues: (await cues(page)).map(({ text }) => text) };
    await seek(page, 11);
    if (name === "Broken" || name === "Holed") await page.waitForFunction(() => cueTexts()[0] === "After the seek");
    await page.evaluate(() => window.player.video.play());
    await page.waitForFunction(() => window.player.video.currentTime > 11.2);
    await page.evaluate(() => window.player.video.pause());
  }
  await page.screenshot({ path: `${job.pictures}/subtitles-troubles.png` });
  const playback = await page.evaluate(() => root().querySelector('[data-source="playback"]')?.textContent ?? null);
  await choose(page, "English");
  await seek(page, 4.5);
  await settled(page);
  return { said, playback, chosen: await page.evaluate(() => window.player.subtitleTrack?.label ?? null) };
}

/** CEA-608 within the video. */
async function captions(page) {
  await show(page, "captioned", "Closed captions 1");
  await seek(page, 2);
  await settled(page);
  const shown = await cues(page);
  await seek(page, 5);
  return { shown, later: await cues(page), picture: await box(page) };
}

/** A media file of a real origin. */
async function real(page) {
  await show(page, job.title, job.tracks[0]);
  await seek(page, 1);
  await settled(page);
  const plain = (await cues(page)).map(({ text }) => text);
  await choose(page, job.tracks[1]);
  await seek(page, 2);
  await drawn(page);
  const styled = await shoot(page, "ass-real");
  await change(page, { asAuthored: false });
  await settled(page);
  const unstyled = (await cues(page)).map(({ text }) => text);
  return { plain, styled, unstyled, message: await page.evaluate(() => message()) };
}

async function show(page, title, track) {
  await open(page, job.url, { title });
  await page.evaluate(() => window.player.video.pause());
  await page.waitForFunction(() => part("subtitle-style") && window.player.subtitleTracks.length);
  await choose(page, track);
}

const choose = (page, name) =>
  page.evaluate((label) => {
    const track = window.player.subtitleTracks.find((one) => one.label === label);
    window.player.chooseSubtitle(track.id);
  }, name);

/** By the form, as a viewer would; the texts that are shown at once. */
const change = (page, fields) =>
  page.evaluate((wanted) => {
    for (const [name, value] of Object.entries(wanted)) {
      const control = part("subtitle-style").elements[name];
      control.value = String(value);
      control.dispatchEvent(new Event("input", { bubbles: true }));
    }
    return cueTexts();
  }, fields);

/** Until the cues of this time are there: each scenario asks at times that have some. */
const settled = (page) => page.waitForFunction(() => cueTexts().length > 0);

/** Until ASS has drawn what belongs to the frame; the display shows it a little later. */
async function drawn(page) {
  await page.waitForFunction(() => {
    const { delaySeconds = 0 } = JSON.parse(localStorage.getItem("upscale-player:subtitle-style") ?? "{}");
    const wanted = window.player.frameTime - window.player.title.ass_offset_seconds - delaySeconds;
    return !cueTexts().length && Math.abs(Number(part("ass")?.dataset.drawn) - wanted) < 0.002;
  });
}

const cues = (page) => page.evaluate(() => cueBoxes());
const box = (page) => page.evaluate(() => picture());

/** The picture with all that lies over it, in device pixels, once it stands still; its file. */
async function shoot(page, name) {
  const path = `${job.pictures}/${name}.png`;
  const clip = await box(page);
  let last = Buffer.alloc(0);
  for (let same = 0; same < 3; ) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await page.waitForTimeout(50);
    const shot = await page.screenshot({ clip });
    same = shot.equals(last) ? same + 1 : 0;
    last = shot;
  }
  await writeFile(path, last);
  return path;
}

/** For the functions above that run in the page. */
function helpers() {
  window.root = () => document.querySelector("upscale-player").shadowRoot;
  window.part = (name) => root().querySelector(`[data-part="${name}"]`);
  window.message = () => root().querySelector('[data-source="subtitles"] p')?.textContent ?? null;
  window.picture = () => part("subtitle-screen").getBoundingClientRect().toJSON();
  window.cueTexts = () => Array.from(root().querySelectorAll('[data-part="cue"]'), (cue) => cue.textContent);
  window.cueBoxes = () =>
    Array.from(root().querySelectorAll('[data-part="cue"]'), (cue) => {
      const [frame, rect, text] = [picture(), cue.getBoundingClientRect(), cue.firstElementChild.getBoundingClientRect()];
      const within = ({ left, top, right, bottom }) => ({
        left: left - frame.x, top: top - frame.y, right: right - frame.x, bottom: bottom - frame.y,
      });
      return { text: cue.textContent, html: cue.firstElementChild.innerHTML, ...within(rect), ink: within(text) };
    });
}

await run(
  async (page) => {
    await page.addInitScript(helpers);
    return scenarios[job.scenario](page);
  },
  { gpu: job.gpu ?? false, deviceScaleFactor: job.ratio ?? 1 },
);
