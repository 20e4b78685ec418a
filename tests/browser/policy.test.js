// The Content-Security-Policy as Chromium enforces it, and the bytes of the first view.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { closeBrowser, openPage, openView } from "./page.js";
import { start } from "./server.js";

/** The most bytes of scripts, styles and WebAssembly that the first view may transfer, compressed with gzip. */
const BUDGET = 150 * 1024;

/** @type {import("./server.js").Server} */
let server;
before(async () => {
  server = await start("SQLite");
});
after(async () => {
  await closeBrowser();
  await server.remove();
});

test("scripts, styles, frames and requests that are not the dashboard's own are blocked", async (t) => {
  const { page, expectMessage } = await openView(t, server, "/");
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  expectMessage(/Content Security Policy|Trusted/);
  const blocked = await page.evaluate(async () => {
    const violated = /** @type {string[]} */ ([]);
    addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
    const attempts = /** @type {Record<string, () => unknown>} */ ({
      markup: () => {
        document.body.innerHTML = "<b>markup</b>";
      },
      evaluation: () => Function("return 1")(),
      script: () => {
        const script = document.createElement("script");
        script.text = "window.ran = true";
        document.head.append(script);
      },
      handler: () => {
        const image = document.createElement("b");
        image.setAttribute("onclick", "window.ran = true");
        image.click();
      },
      request: () => fetch("http://127.0.0.1:9/").catch(() => {}),
      image: () => {
        new Image().src = "http://127.0.0.1:9/";
      },
      frame: () => {
        const frame = document.createElement("iframe");
        frame.src = "/";
        document.body.append(frame);
      },
      base: () => {
        const base = document.createElement("base");
        base.href = "http://127.0.0.1:9/";
        document.head.append(base);
      },
    });
    // Chromium exempts the evaluated script itself from the policy, but not a task that it starts.
    await new Promise((resolve) => setTimeout(resolve));
    const thrown = [];
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        await attempt();
      } catch {
        thrown.push(name);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { violated: [...new Set(violated)].sort(), thrown, ran: "ran" in window };
  });
  assert.equal(blocked.ran, false);
  assert.deepEqual(blocked.thrown, ["markup", "evaluation", "script", "handler"]);
  assert.deepEqual(blocked.violated, [
    "base-uri",
    "connect-src",
    "frame-src",
    "img-src",
    "require-trusted-types-for",
  ]);
});

test("inline scripts and styles in the page itself are blocked", async (t) => {
  const { page, expectMessage } = await openPage(t, server);
  expectMessage(/Content Security Policy/);
  const inline = "<head><script>window.ran = true</script><style>html { display: none }</style>";
  await page.route(`${server.url}/`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace("<head>", inline) });
  });
  await page.goto(`${server.url}/`);
  await page.getByLabel("API key").waitFor();
  assert.equal(await page.locator("script:not([src])").count(), 1);
  assert.equal(await page.evaluate(() => "ran" in window), false);
});

test("another page cannot frame the dashboard", async (t) => {
  const { page, expectMessage } = await openPage(t, server);
  expectMessage(/frame-ancestors|X-Frame-Options/i);
  await page.route("**/framing", (route) =>
    route.fulfill({
      headers: { "content-type": "text/html", "referrer-policy": "no-referrer" },
      body: `<iframe src="${server.url}/"></iframe>`,
    }),
  );
  const refused = page.waitForEvent("console", { predicate: (said) => /frame/i.test(said.text()) });
  await page.goto(`${server.url}/framing`);
  await refused;
});

test("the first view transfers at most 150 KB of scripts, styles and WebAssembly with gzip", async (t) => {
  const { page } = await openPage(t, server, { extraHTTPHeaders: { "accept-encoding": "gzip" } });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  const types = new Map();
  let bytes = 0;
  cdp.on("Network.responseReceived", ({ requestId, type, response }) => {
    const isWasm = response.mimeType === "application/wasm";
    if (type === "Script" || type === "Stylesheet" || isWasm) {
      assert.equal(response.headers["content-encoding"], "gzip", response.url);
      types.set(requestId, type);
    }
  });
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (types.has(requestId)) bytes += encodedDataLength;
  });
  await page.goto(`${server.url}/#key=${server.key}`);
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  await page.waitForLoadState("networkidle");
  assert.deepEqual([...new Set(types.values())].sort(), ["Script", "Stylesheet"]);
  t.diagnostic(`${bytes} bytes with headers`);
  assert.ok(bytes > 10_000 && bytes <= BUDGET, `${bytes} bytes`);
});
