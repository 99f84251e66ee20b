/** The best filter that this browser can run. */

import type { FrameFilter } from "../types";
import type { GpuFilter } from "./gpu";

const OPENERS = {
  webgpu: async (): Promise<GpuFilter> => (await import("./webgpu")).WebGpuFilter.open(),
  webgl2: async (): Promise<GpuFilter> => (await import("./webgl2")).WebGl2Filter.open(),
};

/** Tries each kind in turn; throws, with the reasons for people, where none is there. */
export async function openFilter(kinds: readonly FrameFilter["kind"][] = ["webgpu", "webgl2"]): Promise<GpuFilter> {
  const reasons: string[] = [];
  for (const kind of kinds) {
    try {
      return await OPENERS[kind]();
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(reasons.join(" "));
}

/** Which kind there would be; throws as `openFilter` does, but allocates nothing that stays. */
export async function probe(): Promise<FrameFilter["kind"]> {
  if (await navigator.gpu?.requestAdapter()) return "webgpu";
  const filter = await openFilter(["webgpu", "webgl2"]);
  filter.destroy();
  return filter.kind;
}
