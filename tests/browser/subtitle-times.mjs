// When hls.js alone shows the cues of each subtitle track of a title, on the video element's clock.

import { readFile } from "node:fs/promises";
import { job, run } from "./browser.mjs";

await run(async (page) => {
  await page.goto(`${job.url}/healthz`);
  await page.addScriptTag({ content: await readFile(job.hls, "utf8") });
  return page.evaluate(async ({ url, counts }) => {
    const video = document.body.appendChild(document.createElement("video"));
    video.muted = true;
    const hls = new Hls({ renderTextTracksNatively: false });
    const tracks = new Map();
    hls.on(Hls.Events.CUES_PARSED, (_, { track, cues }) => {
      const own = tracks.get(track) ?? tracks.set(track, new Map()).get(track);
      for (const { id, startTime, endTime, text } of cues) own.set(id, [startTime, endTime, text]);
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    await new Promise((resolve) => hls.once(Hls.Events.SUBTITLE_TRACKS_UPDATED, resolve));
    await video.play();
    video.pause();
    const seen = [];
    for (const [index, count] of counts.entries()) {
      video.currentTime = 0;
      hls.subtitleTrack = index;
      const cues = () => tracks.get(hls.subtitleTracks[index].default ? "default" : `subtitles${index}`) ?? new Map();
      const end = performance.now() + 180_000;
      while (performance.now() < end && cues().size < count) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      seen.push([...cues().values()].sort((a, b) => a[0] - b[0]));
    }
    return { seen, first: video.buffered.start(0) };
  }, { url: job.url + job.playlist, counts: job.counts });
});
