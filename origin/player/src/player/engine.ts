/** hls.js, set up for an origin that makes segments while the player waits. */

import Hls, { type HlsConfig, type LoaderConfig } from "hls.js";
import workerUrl from "hls.js/dist/hls.worker.js?url";
import { PatientLoader } from "./loader";

/** A cold segment or playlist takes seconds; giving up means asking for the same work again. */
const patient: LoaderConfig = {
  maxTimeToFirstByteMs: 60_000,
  maxLoadTimeMs: 120_000,
  timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
  errorRetry: { maxNumRetry: 2, retryDelayMs: 1_000, maxRetryDelayMs: 8_000 },
};

export function createEngine(contentId: string, startSeconds: number | null = null): Hls {
  const config: Partial<HlsConfig> = {
    // A worker comes from the page's own host or not at all: elsewhere hls.js works without one.
    ...(isOwn(workerUrl) ? { workerPath: workerUrl } : { enableWorker: false }),
    fLoader: PatientLoader,
    manifestLoadPolicy: { default: patient },
    playlistLoadPolicy: { default: patient },
    fragLoadPolicy: { default: patient },
    // One bad segment does not rule its variant out for good.
    errorPenaltyExpireMs: 20_000,
    renderTextTracksNatively: false,
    captionsTextTrack1Label: "Closed captions 1",
    captionsTextTrack2Label: "Closed captions 2",
    captionsTextTrack3Label: "Closed captions 3",
    captionsTextTrack4Label: "Closed captions 4",
    cmcd: { contentId, useHeaders: false },
    startPosition: startSeconds ?? -1,
  };
  return new Hls(config);
}

function isOwn(url: string): boolean {
  return new URL(url, import.meta.url).origin === location.origin;
}
