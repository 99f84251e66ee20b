/** mpv's user shaders, as Anime4K is published: text in, passes and what they need out. */

import type { Size } from "../types";

export interface MpvPass {
  title: string;
  /** `MAIN`, or `PREKERNEL` for what runs when all of MAIN is done. */
  hook: string;
  /** Textures that it reads. */
  binds: string[];
  /** The texture that it makes, anew if there is one of this name. */
  save: string;
  /** Expressions; null is as large as what it hooks, or always. */
  width: string | null;
  height: string | null;
  when: string | null;
  /** GLSL with a function `hook`. */
  body: string;
}

export function parseShader(text: string): MpvPass[] {
  const blocks = text.split(/^(?=\/\/!DESC )/m).filter((block) => block.startsWith("//!DESC"));
  if (!blocks.length) throw new Error("The shader has no passes.");
  return blocks.map(parsePass);
}

function parsePass(block: string): MpvPass {
  const all = (name: string): string[] =>
    [...block.matchAll(new RegExp(`^//!${name} (.+)$`, "gm"))].map((match) => match[1]!.trim());
  const one = (name: string): string | null => all(name)[0] ?? null;
  return {
    title: one("DESC") ?? "",
    hook: one("HOOK") ?? "MAIN",
    binds: [...new Set(["MAIN", ...all("BIND").map(plain)])],
    save: plain(one("SAVE") ?? "MAIN"),
    width: one("WIDTH"),
    height: one("HEIGHT"),
    when: one("WHEN"),
    body: block.replace(/^\/\/!.*$/gm, ""),
  };
}

/** The picture, by all its names. */
const plain = (name: string): string => (name === "HOOKED" || name === "PREKERNEL" ? "MAIN" : name);

/** An expression in reverse Polish notation, such as `OUTPUT.w MAIN.w / 1.200 >`. */
export function evaluate(expression: string, sizes: ReadonlyMap<string, Size>): number {
  const stack: number[] = [];
  for (const word of expression.split(/\s+/)) {
    const operate = OPERATORS[word];
    if (!operate) {
      stack.push(operand(word, sizes));
      continue;
    }
    const [right, left] = [stack.pop(), stack.pop()];
    if (left === undefined || right === undefined) throw new Error(`Not an expression: ${expression}`);
    stack.push(operate(left, right));
  }
  const [result] = stack;
  if (result === undefined || stack.length !== 1) throw new Error(`Not an expression: ${expression}`);
  return result;
}

const OPERATORS: Record<string, (left: number, right: number) => number> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  ">": (left, right) => Number(left > right),
  "<": (left, right) => Number(left < right),
};

function operand(word: string, sizes: ReadonlyMap<string, Size>): number {
  const [, name, side] = /^(\w+)\.([wh])$/.exec(word) ?? [];
  const size = name && sizes.get(name);
  const value = size ? (side === "w" ? size.width : size.height) : Number(word);
  if (Number.isNaN(value)) throw new Error(`Not known in a shader's expression: ${word}`);
  return value;
}

/** The sampler of a texture, in what `fragmentShader` makes. */
export const rawName = (texture: string): string => `${texture}_raw`;

/** A fragment shader of WebGL2 that runs a pass; `made_size` is the size of what it draws. */
export function fragmentShader({ binds, body }: MpvPass): string {
  const names = [...binds.map((name) => [name, name]), ["HOOKED", "MAIN"]] as [string, string][];
  return [
    "#version 300 es",
    "precision highp float;",
    "precision highp sampler2D;",
    "uniform vec2 made_size;",
    "out vec4 made;",
    ...binds.map((name) => `uniform sampler2D ${rawName(name)};`),
    ...names.flatMap(([alias, name]) => access(alias, name)),
    body,
    "void main() { made = hook(); }",
  ].join("\n");
}

function access(alias: string, name: string): string[] {
  return [
    `#define ${alias}_pos (gl_FragCoord.xy / made_size)`,
    `#define ${alias}_size vec2(textureSize(${rawName(name)}, 0))`,
    `#define ${alias}_pt (1.0 / ${alias}_size)`,
    `#define ${alias}_tex(at) texture(${rawName(name)}, at)`,
    `#define ${alias}_texOff(off) ${alias}_tex(${alias}_pos + ${alias}_pt * vec2(off))`,
  ];
}
