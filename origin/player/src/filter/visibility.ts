/** Whether somebody sees the video where it stands on the page. */

export class Visibility {
  private onScreen = true;
  private readonly observer: IntersectionObserver;
  private readonly ended = new AbortController();

  constructor(
    private readonly video: HTMLVideoElement,
    onChange: () => void,
  ) {
    this.observer = new IntersectionObserver((entries) => {
      this.onScreen = entries.at(-1)?.isIntersecting ?? true;
      onChange();
    });
    this.observer.observe(video);
    const { signal } = this.ended;
    document.addEventListener("visibilitychange", onChange, { signal });
    for (const event of ["enterpictureinpicture", "leavepictureinpicture"]) {
      video.addEventListener(event, onChange, { signal });
    }
  }

  /** In a picture-in-picture window, which no canvas can follow. */
  get isAway(): boolean {
    return (this.video.getRootNode() as ShadowRoot | Document).pictureInPictureElement === this.video;
  }

  get isSeen(): boolean {
    return this.onScreen && !this.isAway && document.visibilityState === "visible";
  }

  destroy(): void {
    this.observer.disconnect();
    this.ended.abort();
  }
}
