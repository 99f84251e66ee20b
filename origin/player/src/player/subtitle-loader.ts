/**
 * Keeps what goes wrong with a subtitle segment away from playback.
 *
 * hls.js counts it as a failure of the variant: it leaves a variant that was chosen by hand, and in the
 * end stops loading altogether. Here a subtitle segment is asked for again a few times by itself, and
 * then counts as an empty one, with a note that says why.
 */

import type { FragmentLoaderContext, LoaderCallbacks, LoaderConfiguration, RetryConfig } from "hls.js";

const AGAIN: RetryConfig = { maxNumRetry: 2, retryDelayMs: 1_000, maxRetryDelayMs: 4_000 };
const EMPTY = "WEBVTT\n\nNOTE Not shown: ";
const BOXES = ["ftyp", "styp", "sidx", "moof", "emsg", "prft"];

type Callbacks = LoaderCallbacks<FragmentLoaderContext>;

export function isSubtitle({ frag }: FragmentLoaderContext): boolean {
  return frag.type === "subtitle";
}

export function retrying(config: LoaderConfiguration): LoaderConfiguration {
  return { ...config, loadPolicy: { ...config.loadPolicy, errorRetry: AGAIN, timeoutRetry: AGAIN } };
}

export function forgiving(callbacks: Callbacks): Callbacks {
  const { onSuccess } = callbacks;
  return {
    ...callbacks,
    onSuccess: (response, stats, context, details) => {
      const broken = response.data instanceof ArrayBuffer && !isReadable(response.data, context);
      onSuccess(broken ? { ...response, data: empty("it is not WebVTT") } : response, stats, context, details);
    },
    onError: ({ code }, context, details, stats) => {
      onSuccess({ url: context.url, data: empty(`HTTP ${code}`), code }, stats, context, details);
    },
    onTimeout: (stats, context, details) => {
      onSuccess({ url: context.url, data: empty("it took too long") }, stats, context, details);
    },
  };
}

function empty(reason: string): ArrayBuffer {
  return new TextEncoder().encode(`${EMPTY}${reason}\n`).buffer;
}

/** False if it is surely neither WebVTT nor fMP4; some of it cannot be told before hls.js decrypts it. */
function isReadable(data: ArrayBuffer, { frag }: FragmentLoaderContext): boolean {
  if (frag.sn === "initSegment" || frag.initSegment || frag.decryptdata?.encrypted) return true;
  const start = new TextDecoder().decode(data.slice(0, 9));
  return start.startsWith("WEBVTT") || BOXES.includes(start.slice(4, 8));
}

/** Why the segment is empty; null if it is as it was sent. */
export function failureOf(payload: ArrayBuffer): string | null {
  const text = new TextDecoder().decode(payload.slice(0, EMPTY.length + 20));
  return text.startsWith(EMPTY) ? text.slice(EMPTY.length).trim() : null;
}
