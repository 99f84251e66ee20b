/** `FrameFilter` on WebGL2: runs the mpv shaders that the origin's own models are read from. */

import type { FilterSettings, FrameSource, Size } from "../types";
import { checkSizes, type GpuFilter } from "./gpu";
import { evaluate, fragmentShader, type MpvPass, parseShader } from "./mpv";
import { findPreset } from "./presets";
import { GLSL_CORNERS, GLSL_FINISH } from "./shaders";

/** Of the origin that this script came from. */
const SHADERS = "/api/shaders";

/** A program with the textures that it reads, and what it draws to. */
interface Draw {
  program: WebGLProgram;
  inputs: [name: string, texture: WebGLTexture][];
  output: WebGLFramebuffer | null;
  size: Size;
}

interface Chain {
  key: string;
  passes: Draw[];
  input: WebGLTexture;
  finish: Draw;
  made: (WebGLTexture | WebGLFramebuffer)[];
}

export class WebGl2Filter implements GpuFilter {
  readonly kind = "webgl2";
  readonly canvas = document.createElement("canvas");
  readonly gpu: string;
  readonly lost: Promise<string>;
  private readonly gl: WebGL2RenderingContext;
  private readonly programs = new Map<string, WebGLProgram>();
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
    const shader = await this.shader(model);
    const key = JSON.stringify([model, source, settings.target]);
    if (this.chain?.key !== key) {
      const chain = this.build(key, shader, source, settings.target);
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

  private build(key: string, shader: MpvPass[], source: Size, target: Size): Chain {
    const gl = this.gl;
    checkSizes(gl.getParameter(gl.MAX_TEXTURE_SIZE) as number, source, target);
    const input = texture(gl);
    const made: Chain["made"] = [input];
    const textures = new Map([["MAIN", input]]);
    const sizes = new Map([["MAIN", source], ["NATIVE", source], ["OUTPUT", target]]);
    const passes: Draw[] = [];
    for (const pass of inOrder(shader)) {
      const hooked = sizes.get("MAIN") ?? source;
      if (pass.when && !evaluate(pass.when, sizes)) continue;
      const size = {
        width: Math.round(pass.width ? evaluate(pass.width, sizes) : hooked.width),
        height: Math.round(pass.height ? evaluate(pass.height, sizes) : hooked.height),
      };
      const saved = texture(gl, size);
      const output = framebuffer(gl, saved);
      made.push(saved, output);
      passes.push({ program: this.program(fragmentShader(pass)), inputs: bound(pass, textures), output, size });
      textures.set(pass.save, saved);
      sizes.set(pass.save, size);
    }
    const inputs: Draw["inputs"] = [["source", input], ["made", textures.get("MAIN") ?? input]];
    const finish = { program: this.program(GLSL_FINISH), inputs, output: null, size: target };
    return { key, passes, input, finish, made };
  }

  private program(fragment: string): WebGLProgram {
    const known = this.programs.get(fragment);
    if (known) return known;
    const program = link(this.gl, fragment);
    this.programs.set(fragment, program);
    return program;
  }

  async render(frame: FrameSource): Promise<number> {
    if (!this.chain || !this.settings) throw new Error("The filter was not configured.");
    const gl = this.gl;
    const { input, passes, finish } = this.chain;
    const took = this.time();
    gl.bindTexture(gl.TEXTURE_2D, input);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    for (const pass of passes) draw(gl, pass);
    const { width, height } = finish.size;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    gl.useProgram(finish.program);
    gl.uniform1f(gl.getUniformLocation(finish.program, "strength"), this.settings.strength);
    draw(gl, finish);
    return took();
  }

  /** Milliseconds from now to when it is called and the GPU is done: by its own clock if it has one. */
  private time(): () => Promise<number> {
    const gl = this.gl;
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

function inOrder(shader: MpvPass[]): MpvPass[] {
  const hooks = (hook: string): MpvPass[] => shader.filter((pass) => pass.hook === hook);
  return [...hooks("MAIN"), ...hooks("PREKERNEL")];
}

function bound({ binds }: MpvPass, textures: ReadonlyMap<string, WebGLTexture>): Draw["inputs"] {
  return binds.map((name) => {
    const found = textures.get(name);
    if (!found) throw new Error(`The shader reads ${name} before it is made.`);
    return [`${name}_raw`, found];
  });
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

function draw(gl: WebGL2RenderingContext, { program, inputs, output, size }: Draw): void {
  gl.bindFramebuffer(gl.FRAMEBUFFER, output);
  gl.viewport(0, 0, size.width, size.height);
  gl.useProgram(program);
  inputs.forEach(([name, bound], unit) => {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, bound);
    gl.uniform1i(gl.getUniformLocation(program, name), unit);
  });
  gl.uniform2f(gl.getUniformLocation(program, "made_size"), size.width, size.height);
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
