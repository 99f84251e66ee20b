/** Where the picture lies. */

/** The picture within the video's box, letterboxing taken off, in CSS pixels from the box's corner. */
export function pictureBox(video: HTMLVideoElement): DOMRect {
  const { clientWidth: width, clientHeight: height, videoWidth, videoHeight } = video;
  if (!videoWidth || !videoHeight) return new DOMRect(0, 0, width, height);
  const scale = Math.min(width / videoWidth, height / videoHeight);
  const [shownWidth, shownHeight] = [videoWidth * scale, videoHeight * scale];
  return new DOMRect((width - shownWidth) / 2, (height - shownHeight) / 2, shownWidth, shownHeight);
}
