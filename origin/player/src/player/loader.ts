/**
 * A fragment loader that does not take the making of a segment for a slow network.
 *
 * hls.js 1.7 subtracts from a segment's loading time no more than its running estimate of the time
 * to first byte, and that estimate hardly moves for waits over a second (a sample of t seconds weighs
 * exp(-t²/2)). So 3 s of upscaling count as 3 s of download, the estimated bandwidth falls below
 * that of the upscaled variant, and the player leaves it although nothing was wrong. Here the start
 * of such a load is moved to just before its first byte. Segments from the cache, and all that is
 * still loading, are measured as ever: a player whose buffer runs dry still switches down.
 */

import Hls, {
  type FragmentLoaderConstructor,
  type FragmentLoaderContext,
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderStats,
} from "hls.js";
import { forgiving, isSubtitle, retrying } from "./subtitle-loader";

const NETWORK_WAIT_MS = 100;

const BaseLoader = Hls.DefaultConfig.loader as FragmentLoaderConstructor;

export class PatientLoader extends BaseLoader {
  override load(
    context: FragmentLoaderContext,
    config: LoaderConfiguration,
    callbacks: LoaderCallbacks<FragmentLoaderContext>,
  ): void {
    if (isSubtitle(context)) return super.load(context, retrying(config), forgiving(callbacks));
    super.load(context, config, {
      ...callbacks,
      onSuccess: (response, stats, loaded, details) => {
        if (wasProduced(details)) forgetProduction(stats);
        callbacks.onSuccess(response, stats, loaded, details);
      },
    });
  }
}

function wasProduced(details: unknown): boolean {
  if (!(details instanceof XMLHttpRequest)) return false;
  const cache = details.getResponseHeader("X-Cache");
  return cache !== null && cache !== "hit";
}

function forgetProduction(stats: LoaderStats): void {
  const { loading } = stats;
  loading.start = Math.max(loading.start, loading.first - NETWORK_WAIT_MS);
}
