// Opens a page from a file in Chromium, uses it a little, and prints what happened as one JSON object.
// usage: node look.mjs '{"chromium": PATH, "page": FILE, "screenshots": {"light": FILE, "dark": FILE}}'

import { pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

const job = JSON.parse(process.argv[2]);
const FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];

/** Drags the slider to a quarter of the stage; says where the border between the pictures then is. */
async function drag(page) {
  await page.locator("#stage").scrollIntoViewIfNeeded();
  const stage = await page.locator("#stage").boundingBox();
  const middle = stage.y + stage.height / 2;
  await page.mouse.move(stage.x + stage.width / 2, middle);
  await page.mouse.down();
  await page.mouse.move(stage.x + stage.width / 4, middle, { steps: 5 });
  await page.mouse.up();
  return page.$eval("#handle", (handle) => parseFloat(handle.style.left));
}

/** Every choice once. */
async function choose(page) {
  for (const button of await page.locator("#stills button, #strip button, .switch button, #legend button").all()) {
    await button.click();
  }
  for (const button of await page.locator("#legend button").all()) await button.click();
  for (const button of await page.locator(".switch, #stills").all()) await button.locator("button").first().click();
}

const found = (page) =>
  page.evaluate(() => ({
    table: Array.from(document.querySelectorAll("#table tbody tr"), (row) => row.cells[0].firstChild.nextSibling.textContent),
    cards: document.querySelectorAll(".card").length,
    dots: document.querySelectorAll("#cost circle").length,
    curves: document.querySelectorAll("#curves g").length,
    versions: Array.from(document.querySelectorAll("#strip img"), (image) => image.alt),
    loaded: Array.from(document.images).every((image) => image.complete && image.naturalWidth > 0),
    command: document.querySelector("#command").textContent,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));

const PATIENCE_MS = 180_000;
const browser = await chromium.launch({ executablePath: job.chromium, args: FLAGS, headless: true, timeout: PATIENCE_MS });
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
  page.setDefaultTimeout(PATIENCE_MS);
  const url = pathToFileURL(job.page).href;
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (request.url() !== url && !request.url().startsWith("data:")) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  await choose(page);
  await page.evaluate(() => document.querySelector("#strip button:last-child").click());
  const border = await drag(page);
  await page.locator("#curves svg").hover();
  const tip = await page.locator(".tip").innerText();
  await page.setViewportSize({ width: 400, height: 800 });
  const fits = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  await page.waitForFunction(fits, null, { timeout: 60_000 }).catch(() => {}); // "resize" comes with a later frame
  const narrow = (await found(page)).overflow;
  await page.setViewportSize({ width: 1180, height: 900 });
  await page.mouse.move(0, 0);
  for (const [colorScheme, path] of Object.entries(job.screenshots)) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path, fullPage: true });
  }
  console.log(JSON.stringify({ complaints, border, tip, narrow, ...(await found(page)) }));
} finally {
  await browser.close();
}
