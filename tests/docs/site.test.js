// The built site: every link resolves, nothing comes from another host, and the search works without a network.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { Parser } from "htmlparser2";
import { chromium } from "playwright-core";
import { root } from "./pages.js";

const site = join(root, "target/docs");
const TYPES = {
  ".css": "text/css",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};
const ORIGIN = "https://site.invalid";
// The path of the site on its host, for which `make docs` has built it.
const BASE = process.env["DOCS_BASE"] ?? "/";
// What a page loads, by element, and what it links to.
const LOADED = { img: "src", link: "href", script: "src", source: "srcset" };

/** Returns the file of the site for the path of a URL, which may omit `.html`. @param {string} path */
function fileOf(path) {
  if (!path.startsWith(BASE)) return undefined;
  const file = join(site, decodeURIComponent(path.slice(BASE.length)));
  return [file, `${file}.html`, join(file, "index.html")].find(
    (name) => existsSync(name) && extname(name) !== "",
  );
}

/**
 * Returns the ids, the links and the loaded files of a page.
 *
 * @param {string} file
 */
function scan(file) {
  const [ids, links, loaded] = [
    new Set(),
    /** @type {string[]} */ ([]),
    /** @type {string[]} */ ([]),
  ];
  const parser = new Parser({
    onopentag(name, attributes) {
      for (const id of [attributes["id"], attributes["name"]]) if (id) ids.add(id);
      if (name === "a" && attributes["href"] !== undefined) links.push(attributes["href"]);
      const target = attributes[LOADED[/** @type {keyof typeof LOADED} */ (name)] ?? ""];
      if (target && attributes["rel"] !== "canonical") loaded.push(target);
    },
  });
  parser.end(readFileSync(file, "utf8"));
  return { ids, links, loaded };
}

// rustdoc checks its own links, and repeats documentation from other crates with links that have no target here.
const isChecked = (/** @type {string} */ file) => !file.startsWith("api/rust/");

const files = readdirSync(site, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".html"),
);
/** @type {Map<string, ReturnType<typeof scan>>} */
const scanned = new Map(files.map((file) => [join(site, file), scan(join(site, file))]));

test("every internal link and image resolves", () => {
  let [internal, external] = [0, 0];
  /** The pages with a broken link. @type {Map<string, string[]>} */
  const broken = new Map();
  const checked = files.filter(isChecked);
  for (const file of checked) {
    const { links, loaded } = /** @type {ReturnType<typeof scan>} */ (
      scanned.get(join(site, file))
    );
    // Pages are served without `.html`.
    const path = file.replaceAll("\\", "/").replace(/(^|\/)index\.html$/, "$1");
    const url = new URL(BASE + path, ORIGIN);
    for (const link of [...links, ...loaded]) {
      const target = URL.canParse(link, url) ? new URL(link, url) : undefined;
      if (target?.protocol === "data:" || target?.protocol === "javascript:") continue;
      if (target && target.origin !== ORIGIN) {
        external++;
        continue;
      }
      internal++;
      const found = target && fileOf(target.pathname);
      const anchor = decodeURIComponent(target?.hash.slice(1) ?? "");
      // The text of a Python class links to members that it inherits, which have no anchor of their own.
      const inherited = file.startsWith("api/python/") && anchor.includes(".");
      const ids = found && scanned.get(found)?.ids;
      const known = anchor === "" || inherited || !ids || ids.has(anchor);
      if (!found || !known) broken.set(link, [...(broken.get(link) ?? []), file]);
    }
  }
  console.log(
    `${internal} internal links and files on ${checked.length} pages, ${external} external links not followed`,
  );
  const list = [...broken].map(
    ([link, files]) => `${link} on ${files.length} pages, such as ${files[0]}`,
  );
  assert.deepEqual(list, []);
});

test("no page loads anything from another host", () => {
  const foreign = [...scanned].flatMap(([file, { loaded }]) =>
    loaded.filter((target) => /^(https?:)?\/\//.test(target)).map((target) => `${file}: ${target}`),
  );
  assert.deepEqual(foreign, []);
});

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("node:http").Server} */
let server;
let origin = "";

before(async () => {
  server = createServer((request, response) => {
    const file = fileOf(new URL(request.url ?? "/", ORIGIN).pathname);
    const type =
      TYPES[/** @type {keyof typeof TYPES} */ (extname(file ?? ""))] ?? "text/html; charset=utf-8";
    response
      .writeHead(file ? 200 : 404, { "content-type": type })
      .end(file ? readFileSync(file) : "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  origin = `http://127.0.0.1:${address.port}`;
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser.close();
  server.close();
});

test("the search finds pages without a network", async () => {
  const page = await browser.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => request.url().startsWith(origin) || problems.push(request.url()));
  await page.goto(origin + BASE);
  for (const [words, path] of [
    ["violationCount", "api/errors"],
    ["reconcile-worker", "reference/cli"],
    ["time zone buckets", "api/time"],
  ]) {
    await page.getByRole("button", { name: "Search" }).first().click();
    await page.locator(".VPLocalSearchBox input").fill(words ?? "");
    await page.locator(`.VPLocalSearchBox a[href^="${BASE}${path}"]`).first().waitFor();
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(problems, []);
});
