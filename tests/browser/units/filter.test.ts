import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate, fragmentShader, parseShader } from "../../../origin/player/src/filter/mpv";
import { Pace } from "../../../origin/player/src/filter/pace";
import { cost, findPreset, lighter, plan, PRESETS, presetsFor, stepped } from "../../../origin/player/src/filter/presets";
import { complete } from "../../../origin/player/src/filter/settings";
import { targetSize } from "../../../origin/player/src/filter/target";
import { clampReads, Workbench } from "../../../origin/player/src/filter/workbench";

const size = (width: number, height: number) => ({ width, height });
const source = size(640, 360);
const nets = (preset: string, target: { width: number; height: number }) =>
  plan(findPreset(preset), source, target).map(({ net, to }) => `${net} ${to.width}`);

test("networks run where mpv would run them", () => {
  assert.deepEqual(nets("mode-a", size(1280, 720)), ["restore-vl 640", "upscale-vl 1280"]);
  assert.deepEqual(nets("mode-a", size(960, 540)), ["restore-vl 640", "upscale-vl 1280", "resize 960"]);
  assert.deepEqual(nets("mode-a", size(1920, 1080)), [
    ...["restore-vl 640", "upscale-vl 1280"],
    ...["resize 960", "upscale-m 1920"],
  ]);
  assert.deepEqual(nets("mode-a", size(2560, 1440)), ["restore-vl 640", "upscale-vl 1280", "upscale-m 2560"]);
  assert.deepEqual(nets("mode-a", size(640, 360)), ["restore-vl 640"]);
  assert.deepEqual(nets("upscale-m", size(700, 394)), []);
});

test("every preset leads to a lighter one, and in the end to none", () => {
  const target = size(1280, 720);
  for (const { id } of PRESETS) {
    const seen: number[] = [];
    for (let preset: string | null = id; preset; preset = findPreset(preset).lighter) {
      seen.push(cost({ preset, strength: 1, target }, source));
    }
    assert.deepEqual([...seen].sort((a, b) => b - a), seen, id);
    assert.equal(new Set(seen).size, seen.length, id);
  }
});

test("steps down are lighter networks, then smaller targets, then nothing", () => {
  const asked = { preset: "mode-aa", strength: 1, target: size(3840, 2160) };
  const steps: string[] = [];
  for (let step = 0; ; step += 1) {
    const settings = stepped(asked, step, source, "webgpu");
    if (!settings) break;
    steps.push(`${settings.preset} ${settings.target.height}`);
  }
  assert.deepEqual(steps, [
    ...["mode-aa 2160", "mode-a 2160", "upscale-vl 2160", "upscale-m 2160"],
    ...["upscale-m 1440", "upscale-m 1080", "upscale-m 720"],
  ]);
  assert.equal(lighter({ preset: "upscale-m", strength: 1, target: size(1280, 720) }, size(1280, 700), "webgpu"), null);
});

test("WebGL2 has what the origin has a shader of, and takes the nearest of the rest", () => {
  assert.deepEqual(presetsFor("webgl2").map(({ id }) => id), ["mode-a", "upscale-m", "upscale-vl"]);
  const target = size(1280, 720);
  const taken = (preset: string) => stepped({ preset, strength: 1, target }, 0, source, "webgl2")?.preset;
  assert.deepEqual(["mode-aa", "mode-b", "restore-ul", "upscale-vl"].map(taken), [
    ...["mode-a", "upscale-vl", "upscale-m", "upscale-vl"],
  ]);
});

test("the target is the box in device pixels, or as high as was asked for", () => {
  assert.deepEqual(targetSize("auto", size(601, 338.06), 1.5, source), size(902, 507));
  assert.deepEqual(targetSize(1080, size(601, 338.0625), 1.5, source), size(1920, 1080));
  assert.deepEqual(targetSize("auto", size(0, 0), 1, source), source);
});

test("remembered settings that are gone or mad become the defaults", () => {
  assert.deepEqual(complete(null), { on: false, preset: "upscale-vl", strength: 1, target: "auto" });
  const mad = { on: 1, preset: "mode-z", strength: 9, target: 5 } as never;
  assert.deepEqual(complete(mad), { on: false, preset: "upscale-vl", strength: 2, target: "auto" });
});

function told(pace: Pace, milliseconds: number, frames: number, skipped = 0) {
  const verdicts = Array.from({ length: frames }, () => pace.observe({ milliseconds, interval: 40, skipped }));
  return verdicts.findIndex((verdict) => verdict !== null);
}

test("twelve slow frames are slow, but for the first three", () => {
  const pace = new Pace();
  assert.equal(told(pace, 39, 40), 3 + 12 - 1);
  pace.restart();
  assert.equal(told(pace, 31, 100), -1);
  assert.equal(pace.observe({ milliseconds: 200, interval: 40, skipped: 0 }), null);
});

test("frames left out count, however short the others took", () => {
  assert.equal(told(new Pace(), 10, 40, 1), 14);
});

test("there is room again only after long, and not for ever", () => {
  const pace = new Pace();
  assert.equal(told(pace, 5, 303), 302);
  for (let time = 0; time < 2; time += 1) {
    pace.returned();
    if (time === 0) assert.equal(told(pace, 5, 400), 302);
  }
  assert.equal(told(pace, 5, 1000), -1);
});

const SHADER = `// licence
//!DESC one
//!HOOK MAIN
//!BIND MAIN
//!SAVE features
//!WIDTH MAIN.w 2 *
//!WHEN OUTPUT.w MAIN.w / 1.200 > OUTPUT.h MAIN.h / 1.200 > *
#define go_0(x, y) (MAIN_texOff(vec2(x, y)))
vec4 hook() { return go_0(1.0, 0.0); }
//!DESC two
//!HOOK PREKERNEL
//!BIND HOOKED
//!BIND features
vec4 hook() { return HOOKED_tex(HOOKED_pos); }
`;

test("mpv's passes are read with what they bind, save and need", () => {
  const [one, two] = parseShader(SHADER);
  assert.deepEqual([one?.binds, one?.save, one?.width, one?.height], [["MAIN"], "features", "MAIN.w 2 *", null]);
  assert.deepEqual([two?.hook, two?.binds, two?.save, two?.when], ["PREKERNEL", ["MAIN", "features"], "MAIN", null]);
  assert.match(fragmentShader(two!), /uniform sampler2D features_raw;/);
  assert.throws(() => parseShader("no passes"), /no passes/);
});

test("mpv's expressions are computed", () => {
  const sizes = new Map([["MAIN", source], ["OUTPUT", size(800, 450)]]);
  assert.equal(evaluate("MAIN.w 2 *", sizes), 1280);
  assert.equal(evaluate("OUTPUT.w MAIN.w / 1.200 > OUTPUT.h MAIN.h / 1.200 > *", sizes), 1);
  assert.equal(evaluate("MAIN.h 10 -", sizes), 350);
  for (const wrong of ["NATIVE.w", "1 2", "+", "MAIN.w 2 %"]) assert.throws(() => evaluate(wrong, sizes));
});

test("reads past the edge are clamped", () => {
  assert.equal(
    clampReads("max4(-textureLoad(a_tex, vec2i(i32(pos.x) + x_off, i32(pos.y) + y_off), 0), 0.0)"),
    "max4(-textureLoad(a_tex, clamp(vec2i(i32(pos.x) + x_off, i32(pos.y) + y_off), " +
      "vec2i(0), vec2i(textureDimensions(a_tex)) - 1), 0), 0.0)",
  );
});

test("what a pipeline makes is destroyed with the workbench, and shaders are compiled once", () => {
  const log: string[] = [];
  const make = (kind: string) => () => {
    log.push(kind);
    return { destroy: () => log.push(`no ${kind}`) };
  };
  const real = {
    label: "GPU",
    createTexture: make("texture"),
    createBuffer: make("buffer"),
    createShaderModule: make("module"),
    createSampler() {
      return this.label;
    },
  };
  const modules = new Map();
  for (let time = 0; time < 2; time += 1) {
    const bench = new Workbench(real as never, modules);
    const device = bench.device;
    device.createTexture({} as never);
    device.createBuffer({} as never);
    device.createShaderModule({ code: "same" });
    assert.equal(device.createSampler(), "GPU");
    bench.destroy();
  }
  assert.deepEqual(log, [
    ...["texture", "buffer", "module", "no texture", "no buffer"],
    ...["texture", "buffer", "no texture", "no buffer"],
  ]);
});
