// A page of another host that embeds the player, as one JSON object.
// usage: node embed.mjs '{"chromium": PATH, "url": PAGE, "allowed": [BASE, ...]}'

import { job, run } from "./browser.mjs";

await run(async (page) => {
  await page.addInitScript(() => {
    window.heard = new Set();
    for (const type of ["player-title", "player-variant"]) addEventListener(type, () => window.heard.add(type));
  });
  await page.goto(job.url);
  await page.waitForFunction(() => {
    window.player = document.querySelector("upscale-player").player;
    return window.player?.currentVariant && window.player.video.readyState >= 2 && !window.player.video.seeking;
  });
  await page.waitForFunction(() => Math.abs(window.player.titleTime - 2.5) < 0.05);
  const landed = await page.evaluate(() => window.player.titleTime);
  const upscaled = await page.evaluate(() => window.player.variants.find(({ madeBy }) => madeBy === "server"));
  await page.evaluate(({ id }) => {
    window.player.chooseVariant(id);
    return window.player.video.play();
  }, upscaled);
  await page.waitForFunction(({ id, height }) => window.player.currentVariant?.id === id && window.player.video.videoHeight === height, upscaled);
  const found = await look(page);
  const again = await removeAndPutBack(page);
  return { ...found, landed, again };
});

/** The element taken out of the page: the video ends. Put back: it plays the same title again. */
async function removeAndPutBack(page) {
  const paused = await page.evaluate(async () => {
    const element = document.querySelector("upscale-player");
    const { video } = element.player;
    element.remove();
    await new Promise((resolve) => setTimeout(resolve));
    document.body.append(element);
    return video.paused;
  });
  await page.waitForFunction(() => document.querySelector("upscale-player").player.currentVariant);
  return { paused, title: await page.evaluate(() => document.querySelector("upscale-player").player.title.id) };
}

function look(page) {
  return page.evaluate(() => {
    const { player } = document.querySelector("upscale-player");
    return {
      title: player.title.id,
      variants: player.variants.map(({ label }) => label),
      upscaled: [player.video.videoWidth, player.video.videoHeight],
      muted: player.video.muted,
      style: { bar: getComputedStyle(player.shell.root.querySelector('[data-part="bar"]')).display },
      events: [...window.heard].sort(),
      errors: player.errors.filter(({ fatal }) => fatal),
    };
  });
}
