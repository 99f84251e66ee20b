/**
 * Keeps what goes wrong with a subtitle segment away from playback.
 *
 * hls.js counts it as a failure of the variant: it leaves a variant that was chosen by hand, and in the
 * end stops loading altogether. Here a subtitle segment is asked for again a few times by itself, and
 * then counts as an empty one, with a note that says why.
 */

import type { FragmentLoaderContext, LoaderCallbacks, LoaderConfiguration, RetryConfig } from "hls.js";

const AGAIN: RetryConfig = { maxNumRetry: 2, retryDelayMs: 1_000, maxRetryDelayMs: 4_000 };
const EMPTY = "WEBVTT\n\nNOTE Not fetched: ";

type Callbacks = LoaderCallbacks<FragmentLoaderContext>;

export function isSubtitle({ frag }: FragmentLoaderContext): boolean {
  return frag.type === "subtitle";
}

export function retrying(config: LoaderConfiguration): LoaderConfiguration {
  return { ...config, loadPolicy: { ...config.loadPolicy, errorRetry: AGAIN, timeoutRetry: AGAIN } };
}

export function forgiving(callbacks: Callbacks): Callbacks {
  return {
    ...callbacks,
    onError: ({ code }, context, details, stats) => {
      const data = new TextEncoder().encode(`${EMPTY}HTTP ${code}\n`).buffer;
      stats.loaded = stats.total = data.byteLength;
      callbacks.onSuccess({ url: context.url, data, code }, stats, context, details);
    },
    onTimeout: (stats, context, details) => {
      const data = new TextEncoder().encode(`${EMPTY}too slow\n`).buffer;
      callbacks.onSuccess({ url: context.url, data }, stats, context, details);
    },
  };
}

/** Why the segment is empty; null if it is as it was sent. */
export function failureOf(payload: ArrayBuffer): string | null {
  const text = new TextDecoder().decode(payload.slice(0, EMPTY.length + 20));
  return text.startsWith(EMPTY) ? text.slice(EMPTY.length).trim() : null;
}
