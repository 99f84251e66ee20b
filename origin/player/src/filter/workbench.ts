/**
 * What anime4k-webgpu builds with instead of the device itself.
 *
 * Its pipelines never destroy their textures, compile the same shaders anew each time, and read
 * beyond the edges of a texture, where WebGPU leaves open what is found and mpv's clamped textures
 * repeat the edge. Here textures are kept until `destroy`, shaders are compiled once per device, and
 * reads are clamped.
 */

const PAST_THE_EDGE = /textureLoad\((\w+), (vec2i\(i32\(pos\.x\) \+ x_off, i32\(pos\.y\) \+ y_off\)), 0\)/g;

export function clampReads(wgsl: string): string {
  return wgsl.replace(
    PAST_THE_EDGE,
    "textureLoad($1, clamp($2, vec2i(0), vec2i(textureDimensions($1)) - 1), 0)",
  );
}

export class Workbench {
  private readonly real: GPUDevice;
  private readonly modules: Map<string, GPUShaderModule>;
  private readonly made: { destroy(): void }[] = [];

  /** `modules` outlives this: the shaders of the device by their text. */
  constructor(device: GPUDevice, modules: Map<string, GPUShaderModule>) {
    this.real = device;
    this.modules = modules;
  }

  /** The device as pipelines see it. */
  get device(): GPUDevice {
    return new Proxy(this.real, {
      get: (device, name) => {
        if (name === "createTexture") return (texture: GPUTextureDescriptor) => this.texture(texture);
        if (name === "createBuffer") return (buffer: GPUBufferDescriptor) => this.buffer(buffer);
        if (name === "createShaderModule") return ({ code }: GPUShaderModuleDescriptor) => this.module(code);
        const value: unknown = Reflect.get(device, name, device);
        return typeof value === "function" ? value.bind(device) : value;
      },
    });
  }

  texture(descriptor: GPUTextureDescriptor): GPUTexture {
    const texture = this.real.createTexture(descriptor);
    this.made.push(texture);
    return texture;
  }

  buffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    const buffer = this.real.createBuffer(descriptor);
    this.made.push(buffer);
    return buffer;
  }

  module(code: string): GPUShaderModule {
    const known = this.modules.get(code);
    if (known) return known;
    const module = this.real.createShaderModule({ code: clampReads(code) });
    this.modules.set(code, module);
    return module;
  }

  destroy(): void {
    for (const made of this.made) made.destroy();
    this.made.length = 0;
  }
}
