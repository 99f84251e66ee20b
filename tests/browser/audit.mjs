// What axe-core finds wrong with a page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SERIOUS = ["serious", "critical"];

/** Colours half-way are nobody's choice: waits for what moves and will end, in shadow trees too. */
async function settleAnimations() {
  const roots = [document, ...Array.from(document.querySelectorAll("*"), ({ shadowRoot }) => shadowRoot)];
  for (const root of roots) {
    if (root && root !== document) roots.push(...Array.from(root.querySelectorAll("*"), ({ shadowRoot }) => shadowRoot));
  }
  const moving = roots.filter(Boolean).flatMap((root) => root.getAnimations());
  const ending = moving.filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime));
  await Promise.allSettled(ending.map(({ finished }) => finished));
}

/** Serious violations of the page as it is, as `rule: element`. */
export async function audit(page) {
  // A hidden control is nobody's problem: what is judged is what one sees.
  await page.mouse.move(5, 5);
  await page.evaluate(settleAnimations);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => SERIOUS.includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.flat().join(" ")}: ${failureSummary}`));
}
