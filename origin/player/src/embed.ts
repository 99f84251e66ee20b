/** The module at /player/upscale-player.js, whose name never changes: defines `<upscale-player>`. */

export { UpscalePlayerElement } from "./player/element";
