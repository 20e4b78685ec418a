// The server's in-memory demo while clients cancel thousands of calls, over HTTP/1.1.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeBrowser, serve, visit } from "./browser.js";
import { SURVIVED } from "./cancel.js";
import { cleanUp, liveServer, project, run } from "./support.js";

after(closeBrowser);
after(cleanUp);

const WANTED = 10_000;
const TIMEOUT_MS = 300_000;
const CANCEL = fileURLToPath(new URL("cancel.js", import.meta.url));

/** Requests whose client disconnected before the response, by the server's own count. @param {string} baseUrl */
async function abandoned(baseUrl) {
  const metrics = await (await fetch(new URL("/metrics", baseUrl))).text();
  const counts = metrics.matchAll(
    /^opencomputer_usage_http_requests_total\{.*status="499".*\} (\d+)$/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** @param {(config: object) => Promise<unknown>} cancelCalls */
async function survives(cancelCalls) {
  const server = await liveServer();
  const before = await abandoned(server.baseUrl);
  assert.deepEqual(await cancelCalls({ ...server, wanted: WANTED }), SURVIVED);
  // Others were cancelled before they were sent, or after the server had answered.
  const reached = (await abandoned(server.baseUrl)) - before;
  assert.ok(reached > WANTED / 20, `only ${reached} of the calls were cancelled in the server`);
}

test("the demo answers right after Node.js cancelled 10,000 calls", {
  timeout: TIMEOUT_MS,
}, async () => {
  const main = `
    import * as sdk from "@opencomputer/usage";
    import { cancelCalls } from ${JSON.stringify(CANCEL)};
    console.log(JSON.stringify(await cancelCalls(sdk, JSON.parse(process.env.CONFIG))));
  `;
  const cwd = await project({ "main.mjs": main });
  await survives(async (config) => {
    const env = { CONFIG: JSON.stringify(config) };
    return JSON.parse(await run(process.execPath, ["main.mjs"], { cwd, env }));
  });
});

test("the demo answers right after Chromium cancelled 10,000 calls", {
  timeout: TIMEOUT_MS,
}, async () => {
  const main = `
    import * as sdk from "./node_modules/@opencomputer/usage/dist/esm/index.js";
    import { cancelCalls } from "./cancel.js";
    cancelCalls(sdk, window.config).then((report) => { window.report = report; });
  `;
  const files = {
    "index.html": '<!doctype html><script type="module" src="/main.js"></script>',
    "main.js": main,
    "cancel.js": readFileSync(CANCEL, "utf8"),
  };
  const url = await serve(await project(files));
  await survives((config) => visit(url, config, TIMEOUT_MS));
});
