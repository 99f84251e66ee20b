import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decision, decide, type Situation } from "../../../origin/player/src/auto/decide";
import type { Variant } from "../../../origin/player/src/types";

const variant = (id: string, height: number, megabits: number, model: string | null = null): Variant => ({
  ...{ id, height, model, label: id, index: 0, width: Math.round((height * 16) / 9) },
  bitrate: megabits * 1e6,
  madeBy: model ? "server" : "source",
});

const source = variant("480p", 480, 1);
const small = variant("240p", 240, 0.4);
const fast = variant("up-960p-anime4k-m", 960, 4, "anime4k-m");
const good = variant("up-960p-waifu2x", 960, 5, "waifu2x-upconv7");
const tall = variant("up-1440p", 1440, 9, "anime4k-m");

const usual: Situation = {
  variants: [source, fast],
  box: { width: 1920, height: 1080 },
  interval: 40,
  bandwidth: 20e6,
  preset: "upscale-vl",
  filter: { kind: "webgpu", speed: 1000 },
  savesData: false,
  onBattery: false,
};
const slowGpu = { kind: "webgpu", speed: 1 } as const;

function chosen(changed: Partial<Situation>, current: Decision | null = null) {
  const { variant, filter, why } = decide({ ...usual, ...changed }, current);
  assert.match(why, /^[A-Z].*\.$/);
  assert.doesNotMatch(why, /undefined|null|NaN/);
  return { variant, preset: filter?.preset ?? null, why };
}

test("a GPU with time to spare upscales what the source variant brings", () => {
  const { variant, preset, why } = chosen({});
  assert.deepEqual([variant, preset], ["480p", "upscale-vl"]);
  assert.match(why, /^This browser upscales, with Upscale VL: it takes about \d+ of 40 ms per frame/);
});

test("the filter's size is the picture's", () => {
  assert.deepEqual(decide(usual).filter?.target, usual.box);
});

test("a server's far larger network is preferred, where the network carries it", () => {
  const variants = [source, fast, good];
  assert.deepEqual(chosen({ variants }).variant, good.id);
  assert.deepEqual(chosen({ variants: [source, good] }), {
    variant: "up-960p-waifu2x",
    preset: null,
    why: "The server upscales, to 960 lines with waifu2x-upconv7: its network is far larger than any that runs here.",
  });
  assert.deepEqual(chosen({ variants: [source, good], bandwidth: 5e6 }).variant, "480p");
});

test("a GPU that is too slow leaves it to the server, and then to nobody", () => {
  assert.deepEqual(chosen({ filter: slowGpu }).variant, fast.id);
  const alone = chosen({ filter: slowGpu, bandwidth: 3e6 });
  assert.deepEqual([alone.variant, alone.preset], ["480p", null]);
  assert.match(alone.why, /3\.0 Mb\/s are too few for the 4\.0 Mb\/s .*, and this GPU is too slow/);
});

test("of the networks, the heaviest that fits runs", () => {
  const pixels = 854 * 480;
  const forVl = (8.5 * pixels + 0.05 * 1920 * 1080) / 1000;
  const at = (milliseconds: number) => chosen({ filter: { kind: "webgpu", speed: forVl / milliseconds } }).preset;
  assert.equal(at(19), "upscale-vl");
  assert.equal(at(21), "upscale-m");
  assert.equal(at(200), null);
});

test("without a filter the reason is told", () => {
  const filter = "This browser has no WebGL2.";
  assert.match(chosen({ filter }).why, /^The server upscales, .*: this browser has no WebGL2\.$/);
});

test("nothing is upscaled where nothing is missing", () => {
  const { variant, preset } = chosen({ box: { width: 960, height: 540 } });
  assert.deepEqual([variant, preset], ["480p", null]);
});

test("before the network was measured nothing tall is asked for", () => {
  assert.deepEqual(chosen({ bandwidth: null, filter: slowGpu }).variant, "480p");
});

test("a network that cannot carry the source brings the smaller one, and the smallest if need be", () => {
  const variants = [source, small, fast];
  assert.equal(chosen({ variants, bandwidth: 1e6 }).variant, "240p");
  assert.equal(chosen({ variants, bandwidth: 0.1e6 }).variant, "240p");
});

test("of the server's variants the smallest that fills the picture plays", () => {
  const variants = [source, fast, tall];
  assert.equal(chosen({ variants, filter: slowGpu }).variant, "up-1440p");
  assert.equal(chosen({ variants, filter: slowGpu, box: { width: 1280, height: 720 } }).variant, fast.id);
});

test("who saves data gets the source and the filter; who runs on battery, the server", () => {
  assert.equal(chosen({ variants: [source, good], savesData: true }).preset, "upscale-vl");
  assert.equal(chosen({ onBattery: true }).variant, fast.id);
  assert.equal(chosen({ onBattery: true, bandwidth: 2e6 }).preset, "upscale-vl");
});

test("what was decided is kept until something else is clearly better", () => {
  const network = { variants: [source, fast], filter: slowGpu };
  const current = decide({ ...usual, ...network });
  assert.equal(current.variant, fast.id);
  assert.equal(chosen({ ...network, bandwidth: 5e6 }, current).variant, fast.id);
  assert.equal(chosen({ ...network, bandwidth: 5e6 }).variant, "480p");
  assert.equal(chosen({ ...network, bandwidth: 4e6 }, current).variant, "480p");
  const filtered = decide(usual);
  const box = { width: 1067, height: 600 };
  assert.equal(chosen({ box }, filtered).preset, "upscale-vl");
  assert.equal(chosen({ box }).preset, null);
  const busier = { filter: { kind: "webgpu", speed: 140 } as const };
  assert.equal(chosen(busier, filtered).preset, "upscale-vl");
  assert.equal(chosen(busier).preset, "upscale-m");
});

test("a title without a source variant is left to the network", () => {
  assert.equal(chosen({ variants: [fast] }).variant, null);
});
