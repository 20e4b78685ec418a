// Pages in Chromium that note everything a reader must never see.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./server.js").Server} Server */

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts Chromium. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });

/** @type {import("playwright-core").Browser | undefined} */
let browser;

/** Closes the browser, at the end of a test file. */
export async function closeBrowser() {
  await browser?.close();
}

/**
 * Opens a page in a new browser context. At the end of the test it fails if the page wrote a message to the console, threw
 * an error, asked another host, or asked for a URL that contains the key.
 *
 * @param {import("node:test").TestContext} t
 * @param {Server} server
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openPage(t, server, options = {}) {
  browser ??= await launch();
  const context = await browser.newContext({
    locale: "en-US",
    timezoneId: "UTC",
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults = /** @type {string[]} */ ([]);
  const expected = /** @type {RegExp[]} */ ([]);
  page.on("pageerror", (error) => faults.push(`error: ${error}`));
  page.on("console", (message) => {
    if (!expected.some((pattern) => pattern.test(message.text())))
      faults.push(`console: ${message.text()}`);
  });
  const foreign = /** @type {Set<import("playwright-core").Request>} */ (new Set());
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${server.url}/`) && !/^(data|blob):/.test(url)) foreign.add(request);
    if (url.includes(server.key)) faults.push(`a request with the key in its URL: ${url}`);
    const { referer } = request.headers();
    if (referer) faults.push(`a request with a referrer: ${referer}`);
  });
  // The policy stopped these before they were sent.
  context.on("requestfailed", (request) => {
    if (request.failure()?.errorText === "csp") foreign.delete(request);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual([...faults, ...[...foreign].map((request) => `asks ${request.url()}`)], []);
  });
  return {
    page,
    /** Expects a message, such as Chromium's own about a failed request. @param {RegExp} pattern */
    expectMessage: (pattern) => void expected.push(pattern),
  };
}

/**
 * Opens a view as a reader who is signed in.
 *
 * @param {import("node:test").TestContext} t
 * @param {Server} server
 * @param {string} path
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openView(t, server, path, options) {
  const opened = await openPage(t, server, options);
  await opened.page.goto(`${server.url}${path}#key=${server.key}`);
  return opened;
}

/** Returns the path and the query of the address bar. @param {Page} page */
export function place(page) {
  const { pathname, search } = new URL(page.url());
  return pathname + search;
}

/**
 * Fails if axe-core finds a violation. It runs outside of the page's Content-Security-Policy.
 *
 * @param {Page} page
 * @param {string} view
 */
export async function assertAccessible(page, view) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => Reflect.get(window, "axe").run());
  const found = violations.map((/** @type {any} */ { id, nodes }) => ({
    id,
    nodes: nodes.map((/** @type {any} */ { html, failureSummary }) => `${html} ${failureSummary}`),
  }));
  assert.deepEqual(found, [], view);
}
