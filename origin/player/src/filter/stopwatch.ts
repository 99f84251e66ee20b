/** How long a frame takes on the GPU: by its own clock where it has one, else by ours. */

export class Stopwatch {
  private readonly device: GPUDevice;
  private readonly clock: { queries: GPUQuerySet; resolved: GPUBuffer; readable: GPUBuffer } | null = null;
  private submitted = 0;

  constructor(device: GPUDevice) {
    this.device = device;
    if (!device.features.has("timestamp-query")) return;
    this.clock = {
      queries: device.createQuerySet({ type: "timestamp", count: 2 }),
      resolved: device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }),
      readable: device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    };
  }

  /** Before the first pass. */
  start(encoder: GPUCommandEncoder): void {
    this.submitted = performance.now();
    if (!this.clock) return;
    const { queries } = this.clock;
    encoder.beginComputePass({ timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0 } }).end();
  }

  /** Goes into the descriptor of the last pass. */
  get stopping(): Pick<GPURenderPassDescriptor, "timestampWrites"> {
    if (!this.clock) return {};
    return { timestampWrites: { querySet: this.clock.queries, endOfPassWriteIndex: 1 } };
  }

  /** After the last pass. */
  stop(encoder: GPUCommandEncoder): void {
    if (!this.clock) return;
    const { queries, resolved, readable } = this.clock;
    encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16);
  }

  /** Milliseconds, once all that was submitted is done. */
  async read(): Promise<number> {
    await this.device.queue.onSubmittedWorkDone();
    const waited = performance.now() - this.submitted;
    if (!this.clock) return waited;
    const { readable } = this.clock;
    await readable.mapAsync(GPUMapMode.READ);
    const [began = 0n, ended = 0n] = new BigUint64Array(readable.getMappedRange().slice(0));
    readable.unmap();
    const took = Number(ended - began) / 1e6;
    return took > 0 && took < waited ? took : waited;
  }
}
