/** `FrameFilter` on WebGPU: anime4k-webgpu's networks between our own first and last pass. */

import type { Anime4KPipeline } from "anime4k-webgpu";
import type { FilterSettings, FrameSource, Size } from "../types";
import { checkSizes, type GpuFilter, NEVER } from "./gpu";
import { findPreset, type Net, type Preset, plan, type Stage } from "./presets";
import { WGSL_FINISH, WGSL_PEAKS } from "./shaders";
import { Stopwatch } from "./stopwatch";
import { Workbench } from "./workbench";

type Library = typeof import("anime4k-webgpu");

const CLASSES = {
  "restore-m": "CNNM",
  "restore-vl": "CNNVL",
  "restore-ul": "CNNUL",
  "restore-soft-m": "CNNSoftM",
  "restore-soft-vl": "CNNSoftVL",
  "restore-gan-uul": "GANUUL",
  "upscale-m": "CNNx2M",
  "upscale-vl": "CNNx2VL",
  "upscale-ul": "CNNx2UL",
  "upscale-denoise-vl": "DenoiseCNNx2VL",
  "upscale-gan-x3-l": "GANx3L",
  "upscale-gan-x4-uul": "GANx4UUL",
} as const satisfies Record<Net, keyof Library>;

/** Everything that is made anew when the networks or their sizes change. */
interface Chain {
  key: string;
  bench: Workbench;
  size: Size;
  input: GPUTexture;
  pipelines: Anime4KPipeline[];
  peaks: { pipeline: GPURenderPipeline; group: GPUBindGroup; view: GPUTextureView } | null;
  settings: GPUBuffer;
  finish: GPUBindGroup;
}

export class WebGpuFilter implements GpuFilter {
  readonly kind = "webgpu";
  readonly canvas = document.createElement("canvas");
  readonly gpu: string;
  readonly lost: Promise<string>;
  private readonly device: GPUDevice;
  private readonly context: GPUCanvasContext;
  private readonly modules = new Map<string, GPUShaderModule>();
  private readonly finish: GPURenderPipeline;
  private readonly peaks: GPURenderPipeline;
  private readonly sampler: GPUSampler;
  private readonly stopwatch: Stopwatch;
  private chain: Chain | null = null;
  private settings: FilterSettings | null = null;
  private destroyed = false;

  /** Throws, with a reason for people, where there is no WebGPU. */
  static async open(): Promise<WebGpuFilter> {
    if (!navigator.gpu) throw new Error(isSecureContext ? "This browser has no WebGPU." : "WebGPU needs HTTPS.");
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new Error("WebGPU found no GPU that it may use.");
    const requiredFeatures = (["timestamp-query"] as const).filter((name) => adapter.features.has(name));
    return new WebGpuFilter(await adapter.requestDevice({ requiredFeatures }), describe(adapter));
  }

  private constructor(device: GPUDevice, gpu: string) {
    this.device = device;
    this.gpu = gpu;
    this.lost = device.lost.then(({ message }) => (this.destroyed ? NEVER : `The GPU was lost. ${message}`.trim()));
    this.stopwatch = new Stopwatch(device);
    const context = this.canvas.getContext("webgpu");
    if (!context) throw new Error("The browser gave no canvas for WebGPU.");
    this.context = context;
    const format = navigator.gpu.getPreferredCanvasFormat();
    context.configure({ device, format, alphaMode: "opaque" });
    this.sampler = device.createSampler({ magFilter: "linear", minFilter: "linear" });
    this.finish = pass(device, WGSL_FINISH, format);
    this.peaks = pass(device, WGSL_PEAKS, "rgba16float");
  }

  async configure(source: Size, settings: FilterSettings): Promise<void> {
    const preset = findPreset(settings.preset);
    const stages = plan(preset, source, settings.target);
    const key = JSON.stringify([source, stages, preset.clampsHighlights]);
    if (this.chain?.key !== key) {
      const chain = await this.build(key, source, preset, stages);
      this.chain?.bench.destroy();
      this.chain = chain;
    }
    this.settings = settings;
  }

  private async build(key: string, source: Size, preset: Preset, stages: Stage[]): Promise<Chain> {
    const library = await import("anime4k-webgpu");
    checkSizes(this.device.limits.maxTextureDimension2D, source, ...stages.map(({ to }) => to));
    const bench = new Workbench(this.device, this.modules);
    this.device.pushErrorScope("validation");
    this.device.pushErrorScope("out-of-memory");
    const chain = this.connect(library, bench, key, source, preset, stages);
    const problems = await Promise.all([this.device.popErrorScope(), this.device.popErrorScope()]);
    const problem = problems.find((found) => found !== null);
    if (!problem) return chain;
    bench.destroy();
    throw new Error(`The GPU refused ${preset.label}: ${problem.message}`);
  }

  private connect(library: Library, bench: Workbench, key: string, size: Size, preset: Preset, stages: Stage[]): Chain {
    const usage = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_DST;
    const input = bench.texture({ size, format: "rgba16float", usage });
    const pipelines: Anime4KPipeline[] = [];
    let made = input;
    for (const { net, to } of stages) {
      const pipeline = makePipeline(library, bench.device, net, made, to);
      pipelines.push(pipeline);
      made = pipeline.getOutputTexture();
    }
    const clamps = preset.clampsHighlights && stages.length > 0;
    const peaks = bench.texture({ size: clamps ? size : [1, 1], format: "rgba16float", usage });
    const settings = bench.buffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    const finish = this.bind(this.finish, { buffer: settings }, this.sampler, input, made, peaks);
    const group = clamps ? this.bind(this.peaks, input) : null;
    return {
      ...{ key, bench, size, input, pipelines, settings, finish },
      peaks: group && { pipeline: this.peaks, group, view: peaks.createView() },
    };
  }

  private bind(pipeline: GPURenderPipeline, ...resources: (GPUTexture | GPUSampler | GPUBufferBinding)[]): GPUBindGroup {
    const entries = resources.map((resource, binding) => ({
      binding,
      resource: resource instanceof GPUTexture ? resource.createView() : resource,
    }));
    return this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  async render(frame: FrameSource): Promise<number> {
    const { chain, settings } = this.ready();
    const { queue } = this.device;
    const { size, input } = chain;
    queue.copyExternalImageToTexture({ source: frame }, { texture: input, colorSpace: "srgb" }, size);
    const { strength, target } = settings;
    queue.writeBuffer(
      chain.settings,
      0,
      new Float32Array([target.width, target.height, strength, chain.peaks ? 1 : 0]),
    );
    resize(this.canvas, target);
    const encoder = this.device.createCommandEncoder();
    this.stopwatch.start(encoder);
    if (chain.peaks) draw(encoder, chain.peaks.pipeline, chain.peaks.group, chain.peaks.view);
    for (const pipeline of chain.pipelines) pipeline.pass(encoder);
    const view = this.context.getCurrentTexture().createView();
    draw(encoder, this.finish, chain.finish, view, this.stopwatch.stopping);
    this.stopwatch.stop(encoder);
    queue.submit([encoder.finish()]);
    return this.stopwatch.read();
  }

  private ready(): { chain: Chain; settings: FilterSettings } {
    if (!this.chain || !this.settings) throw new Error("The filter was not configured.");
    return { chain: this.chain, settings: this.settings };
  }

  lose(): void {
    this.device.destroy();
  }

  destroy(): void {
    this.destroyed = true;
    this.chain?.bench.destroy();
    this.chain = null;
    this.context.unconfigure();
    this.device.destroy();
  }
}

function makePipeline(library: Library, device: GPUDevice, net: Stage["net"], inputTexture: GPUTexture, to: Size) {
  if (net === "resize") return new library.Downscale({ device, inputTexture, targetDimensions: to });
  return new library[CLASSES[net]]({ device, inputTexture });
}

function pass(device: GPUDevice, code: string, format: GPUTextureFormat): GPURenderPipeline {
  const module = device.createShaderModule({ code });
  const fragment = { module, entryPoint: "paint", targets: [{ format }] };
  return device.createRenderPipeline({ layout: "auto", vertex: { module, entryPoint: "corners" }, fragment });
}

function draw(
  encoder: GPUCommandEncoder,
  pipeline: GPURenderPipeline,
  group: GPUBindGroup,
  view: GPUTextureView,
  timing: Partial<GPURenderPassDescriptor> = {},
): void {
  const attachment = { view, loadOp: "clear", storeOp: "store" } as const;
  const painting = encoder.beginRenderPass({ colorAttachments: [attachment], ...timing });
  painting.setPipeline(pipeline);
  painting.setBindGroup(0, group);
  painting.draw(3);
  painting.end();
}

function resize(canvas: HTMLCanvasElement, { width, height }: Size): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function describe({ info }: GPUAdapter): string {
  return [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ") || "unknown GPU";
}
