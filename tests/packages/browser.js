// Chromium, and a server of static files with a strict Content-Security-Policy.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const TYPES = /** @type {Record<string, string>} */ ({
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
});

/** The strictest policy that the package works with: it compiles its module from bytes. */
export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *";

/** @type {import("playwright-core").Browser | undefined} */
let browser;
/** @type {import("node:http").Server[]} */
const servers = [];

/** Closes the browser and the servers, at the end of a test file. */
export async function closeBrowser() {
  await browser?.close();
  for (const server of servers) server.close();
}

/** Serves a directory on a free port, under a policy. @param {string} directory @param {string} [policy] */
export async function serve(directory, policy = STRICT) {
  const server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const path = join(directory, pathname === "/" ? "index.html" : pathname);
    if (!existsSync(path)) return void response.writeHead(404).end();
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-security-policy": policy });
    response.end(await readFile(path));
  });
  servers.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}/`;
}

/** Opens an empty page, which the caller closes. */
export async function newPage() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
  return browser.newPage();
}

/**
 * Opens a page and waits for its `window.report`. If there is none, the error contains the messages of the page.
 *
 * @param {string} url @param {unknown} config becomes `window.config`
 * @param {number} [timeout] milliseconds to wait for the report
 */
export async function visit(url, config, timeout = 30_000) {
  const page = await newPage();
  const complaints = /** @type {string[]} */ ([]);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => complaints.push(message.text()));
  try {
    await page.addInitScript((config) => Object.assign(window, { config }), config);
    await page.goto(url);
    const report = await page.waitForFunction(() => Reflect.get(window, "report"), undefined, {
      timeout,
    });
    return await report.jsonValue();
  } catch (error) {
    throw new Error([error, ...complaints].join("\n"));
  } finally {
    await page.close();
  }
}
