/** `FrameFilter` on WebGL2: runs the mpv shaders that the origin's own models are read from. */

import type { FilterSettings, FrameSource, Size } from "../types";
import { checkSizes, type GpuFilter } from "./gpu";
import { evaluate, fragmentShader, type MpvPass, parseShader, rawName } from "./mpv";
import { findPreset } from "./presets";
import { GLSL_CORNERS, GLSL_FINISH } from "./shaders";

/** Of the origin that this script came from. */
const SHADERS = "/api/shaders";

interface Program {
  handle: WebGLProgram;
  size: WebGLUniformLocation | null;
  strength: WebGLUniformLocation | null;
}

interface Draw {
  program: Program;
  inputs: WebGLTexture[];
  /** Null is the canvas. */
  output: WebGLFramebuffer | null;
  size: Size;
}

/** Everything that is made anew when the passes or their sizes change. */
interface Chain {
  key: string;
  input: WebGLTexture;
  passes: Draw[];
  /** What the last of them made. */
  enlarged: WebGLTexture;
  finish: Program;
  made: (WebGLTexture | WebGLFramebuffer)[];
}

export class WebGl2Filter implements GpuFilter {
  readonly kind = "webgl2";
  readonly canvas = document.createElement("canvas");
  readonly gpu: string;
  readonly lost: Promise<string>;
  private readonly gl: WebGL2RenderingContext;
  private readonly programs = new Map<string, Program>();
  private readonly shaders = new Map<string, MpvPass[]>();
  private chain: Chain | null = null;
  private settings: FilterSettings | null = null;
  private destroyed = false;

  /** Throws, with a reason for people, where there is no WebGL2 that can draw into float textures. */
  static async open(): Promise<WebGl2Filter> {
    return new WebGl2Filter();
  }

  private constructor() {
    const gl = this.canvas.getContext("webgl2", {
      alpha: false,
      antialias: false,
      depth: false,
      powerPreference: "high-performance",
      preserveDrawingBuffer: true,
    });
    if (!gl) throw new Error("This browser has no WebGL2.");
    if (!gl.getExtension("EXT_color_buffer_float") && !gl.getExtension("EXT_color_buffer_half_float")) {
      throw new Error("WebGL2 cannot draw into float textures on this GPU.");
    }
    this.gl = gl;
    this.gpu = `WebGL2 ${describe(gl)}`;
    this.lost = new Promise((resolve) => {
      this.canvas.addEventListener("webglcontextlost", () => {
        if (!this.destroyed) resolve("The browser took WebGL2 away.");
      });
    });
  }

  async configure(source: Size, settings: FilterSettings): Promise<void> {
    const { model, label } = findPreset(settings.preset);
    if (!model) throw new Error(`${label} needs WebGPU.`);
    const needed = sized(await this.shader(model), source, settings.target);
    const key = JSON.stringify([model, source, needed.map(({ size }) => size)]);
    checkSizes(this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE) as number, source, settings.target);
    if (this.chain?.key !== key) {
      const chain = this.build(key, needed);
      this.release(this.chain);
      this.chain = chain;
    }
    this.settings = settings;
  }

  private async shader(model: string): Promise<MpvPass[]> {
    const known = this.shaders.get(model);
    if (known) return known;
    const response = await fetch(new URL(`${SHADERS}/${model}.glsl`, import.meta.url));
    if (!response.ok) throw new Error(`The origin has no shader of ${model} (HTTP ${response.status}).`);
    const passes = parseShader(await response.text());
    this.shaders.set(model, passes);
    return passes;
  }

  private build(key: string, needed: { pass: MpvPass; size: Size }[]): Chain {
    const { gl } = this;
    const input = texture(gl);
    const made: Chain["made"] = [input];
    const textures = new Map([["MAIN", input]]);
    const passes = needed.map(({ pass, size }): Draw => {
      const saved = texture(gl, size);
      const output = framebuffer(gl, saved);
      const inputs = pass.binds.map((name) => find(textures, name));
      made.push(saved, output);
      textures.set(pass.save, saved);
      return { program: this.program(fragmentShader(pass), pass.binds.map(rawName)), inputs, output, size };
    });
    const finish = this.program(GLSL_FINISH, ["source", "made"]);
    return { key, passes, input, finish, enlarged: find(textures, "MAIN"), made };
  }

  /** Its samplers read the texture units in the order of `inputs`. */
  private program(fragment: string, inputs: string[]): Program {
    const known = this.programs.get(fragment);
    if (known) return known;
    const { gl } = this;
    const handle = link(gl, fragment);
    gl.useProgram(handle);
    inputs.forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(handle, name), unit));
    const program = {
      handle,
      size: gl.getUniformLocation(handle, "made_size"),
      strength: gl.getUniformLocation(handle, "strength"),
    };
    this.programs.set(fragment, program);
    return program;
  }

  async render(frame: FrameSource): Promise<number> {
    if (!this.chain || !this.settings) throw new Error("The filter was not configured.");
    const { gl } = this;
    const { input, enlarged, passes, finish } = this.chain;
    const { target, strength } = this.settings;
    const took = this.time();
    gl.bindTexture(gl.TEXTURE_2D, input);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    for (const pass of passes) draw(gl, pass);
    if (this.canvas.width !== target.width) this.canvas.width = target.width;
    if (this.canvas.height !== target.height) this.canvas.height = target.height;
    draw(gl, { program: finish, inputs: [input, enlarged], output: null, size: target }, strength);
    return took();
  }

  /** Milliseconds from now to when it is called and the GPU is done: by its own clock if it has one. */
  private time(): () => Promise<number> {
    const { gl } = this;
    const clock = gl.getExtension("EXT_disjoint_timer_query_webgl2") as { TIME_ELAPSED_EXT: number } | null;
    const query = clock && gl.createQuery();
    const began = performance.now();
    if (clock && query) gl.beginQuery(clock.TIME_ELAPSED_EXT, query);
    return async () => {
      if (clock) gl.endQuery(clock.TIME_ELAPSED_EXT);
      await done(gl);
      const waited = performance.now() - began;
      if (!query) return waited;
      const known = gl.getQueryParameter(query, gl.QUERY_RESULT_AVAILABLE) as boolean;
      const nanoseconds = known ? (gl.getQueryParameter(query, gl.QUERY_RESULT) as number) : 0;
      gl.deleteQuery(query);
      return nanoseconds > 0 ? Math.min(nanoseconds / 1e6, waited) : waited;
    };
  }

  private release(chain: Chain | null): void {
    for (const made of chain?.made ?? []) {
      if (made instanceof WebGLTexture) this.gl.deleteTexture(made);
      else this.gl.deleteFramebuffer(made);
    }
  }

  lose(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  destroy(): void {
    this.destroyed = true;
    this.release(this.chain);
    this.chain = null;
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** The passes that run, in their order, and how large each draws. */
function sized(shader: MpvPass[], source: Size, target: Size): { pass: MpvPass; size: Size }[] {
  const sizes = new Map([["MAIN", source], ["NATIVE", source], ["OUTPUT", target]]);
  const needed: { pass: MpvPass; size: Size }[] = [];
  const hooks = (hook: string): MpvPass[] => shader.filter((pass) => pass.hook === hook);
  for (const pass of [...hooks("MAIN"), ...hooks("PREKERNEL")]) {
    if (pass.when && !evaluate(pass.when, sizes)) continue;
    const hooked = sizes.get("MAIN") ?? source;
    const size = {
      width: pass.width ? Math.round(evaluate(pass.width, sizes)) : hooked.width,
      height: pass.height ? Math.round(evaluate(pass.height, sizes)) : hooked.height,
    };
    sizes.set(pass.save, size);
    needed.push({ pass, size });
  }
  return needed;
}

function find(textures: ReadonlyMap<string, WebGLTexture>, name: string): WebGLTexture {
  const found = textures.get(name);
  if (!found) throw new Error(`The shader reads ${name} before it is made.`);
  return found;
}

/** Without a size it is one that frames are copied into. */
function texture(gl: WebGL2RenderingContext, size: Size | null = null): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  if (size) gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA16F, size.width, size.height);
  return made;
}

function framebuffer(gl: WebGL2RenderingContext, target: WebGLTexture): WebGLFramebuffer {
  const made = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, made);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  return made;
}

function link(gl: WebGL2RenderingContext, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, text] of [[gl.VERTEX_SHADER, GLSL_CORNERS], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("The browser took WebGL2 away.");
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS)) return program;
  const logs = (gl.getAttachedShaders(program) ?? []).map((shader) => gl.getShaderInfoLog(shader));
  throw new Error(`WebGL2 refused a shader: ${[...logs, gl.getProgramInfoLog(program)].filter(Boolean).join(" ")}`);
}

function draw(gl: WebGL2RenderingContext, { program, inputs, output, size }: Draw, strength = 1): void {
  gl.bindFramebuffer(gl.FRAMEBUFFER, output);
  gl.viewport(0, 0, size.width, size.height);
  gl.useProgram(program.handle);
  for (const [unit, texture] of inputs.entries()) {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
  }
  gl.uniform2f(program.size, size.width, size.height);
  gl.uniform1f(program.strength, strength);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
  gl.activeTexture(gl.TEXTURE0);
}

/** Once the GPU is through with what it was given, or is lost. */
async function done(gl: WebGL2RenderingContext): Promise<void> {
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  while (fence && !gl.isContextLost()) {
    await new Promise((resolve) => setTimeout(resolve));
    const status = gl.clientWaitSync(fence, 0, 0);
    if (status === gl.ALREADY_SIGNALED || status === gl.CONDITION_SATISFIED) break;
  }
  gl.deleteSync(fence);
}

function describe(gl: WebGL2RenderingContext): string {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}
