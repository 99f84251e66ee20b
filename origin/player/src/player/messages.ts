/** What went wrong, in words for a viewer. */

import Hls, { type ErrorData } from "hls.js";

export const NO_MSE = "This browser has no Media Source Extensions, which this page plays with. Any recent desktop browser has.";

const { ErrorDetails, ErrorTypes } = Hls;

/** The subtitles part speaks of these. */
export function isAboutSubtitles({ details, frag }: ErrorData): boolean {
  if (details === ErrorDetails.SUBTITLE_LOAD_ERROR || details === ErrorDetails.SUBTITLE_TRACK_LOAD_TIMEOUT) return true;
  return frag?.type === "subtitle";
}

/** Null where hls.js copes and a viewer need not know. */
export function explain(data: ErrorData): string | null {
  if (isAboutSubtitles(data)) return null;
  if (!data.fatal && data.details !== ErrorDetails.FRAG_LOAD_ERROR) return null;
  const status = data.response?.code;
  const reason = problemDetail(data.networkDetails);
  switch (data.details) {
    case ErrorDetails.MANIFEST_LOAD_ERROR:
      if (status === 404) return "This title is gone. Reload the page to see what there is.";
      return `This title cannot be played${because(reason, status)}`;
    case ErrorDetails.FRAG_LOAD_ERROR:
    case ErrorDetails.FRAG_LOAD_TIMEOUT:
      return `Segment ${data.frag?.sn ?? ""} could not be fetched${because(reason, status)}${
        data.fatal ? "" : " Trying another variant."
      }`;
    case ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR:
      return "This browser cannot decode any variant of this title.";
  }
  if (data.type === ErrorTypes.NETWORK_ERROR) return `The origin did not answer${because(reason, status)}`;
  if (data.type === ErrorTypes.MEDIA_ERROR) return `The browser could not play this video (${data.details}).`;
  return `Playback stopped (${data.details}).`;
}

function because(reason: string | null, status: number | undefined): string {
  if (reason) return `: ${reason.replace(/\.?$/, ".")}`;
  return status ? ` (HTTP ${status}).` : ": is the origin still running?";
}

/** The `detail` of an application/problem+json body. */
function problemDetail(details: unknown): string | null {
  if (!(details instanceof XMLHttpRequest)) return null;
  if (!details.getResponseHeader("Content-Type")?.includes("problem+json")) return null;
  try {
    const body: unknown = details.response;
    const text = body instanceof ArrayBuffer ? new TextDecoder().decode(body) : String(body);
    const { detail } = JSON.parse(text) as { detail?: string };
    return detail ?? null;
  } catch {
    return null;
  }
}
