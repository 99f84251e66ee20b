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
    cmcd: { contentId: title, useHeaders: false },
    // startLevel stays unset: hls.js begins with the first variant listed, a source variant that is there at
    // once, and goes up to the upscaled one behind that buffer.
  };
  return new Hls(config);
}
