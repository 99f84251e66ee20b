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

export function createEngine(title: string): Hls {
  const config: Partial<HlsConfig> = {
    workerPath: workerUrl,
    fLoader: PatientLoader,
    manifestLoadPolicy: { default: patient },
    playlistLoadPolicy: { default: patient },
    fragLoadPolicy: { default: patient },
    // One bad segment does not rule its variant out for good.
    errorPenaltyExpireMs: 20_000,
    cmcd: { contentId: title, useHeaders: false },
  };
  const hls = new Hls(config);
  // Begin with the first variant listed, a source variant that is there at once, and go up behind its buffer.
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    hls.startLevel = hls.firstLevel;
  });
  return hls;
}
