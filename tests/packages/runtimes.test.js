// The packed package in the runtimes of servers.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { unstable_startWorker as startWorker } from "wrangler";
import { FOUND } from "./probe.js";
import { cleanUp, liveServer, program, project, run } from "./support.js";

after(cleanUp);

// Otherwise it would download a sample of request metadata.
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

const ESM = `
import * as sdk from "@opencomputer/usage";
import * as pure from "@opencomputer/usage/validate";
import { probe } from "./probe.mjs";
`;
const REPORT =
  "console.log(JSON.stringify(await probe(sdk, pure, JSON.parse(process.env.SERVER))));";

/**
 * Runs a program that reports what the probe finds.
 *
 * @param {string} file @param {readonly string[]} args @param {Readonly<Record<string, string>>} files
 */
async function reported(file, args, files) {
  const env = { SERVER: JSON.stringify(await liveServer()) };
  return JSON.parse(await run(file, args, { cwd: await project(files), env }));
}

test("Node.js imports it", async () => {
  const found = await reported(process.execPath, ["main.mjs"], { "main.mjs": ESM + REPORT });
  assert.deepEqual(found, FOUND);
});

test("Node.js requires it", async () => {
  const main = `
    const sdk = require("@opencomputer/usage");
    const pure = require("@opencomputer/usage/validate");
    import("./probe.mjs").then(async ({ probe }) => { ${REPORT} });
  `;
  assert.deepEqual(await reported(process.execPath, ["main.cjs"], { "main.cjs": main }), FOUND);
});

test("Bun imports it", async () => {
  const found = await reported(program("bun"), ["main.ts"], { "main.ts": ESM + REPORT });
  assert.deepEqual(found, FOUND);
});

test("Deno imports it", async () => {
  const main = ESM + REPORT.replace("process.env.SERVER", 'Deno.env.get("SERVER")');
  const args = ["run", "--no-prompt", "--cached-only", "--allow-env", "--allow-net", "main.ts"];
  assert.deepEqual(await reported(program("deno"), args, { "main.ts": main }), FOUND);
});

test("a Worker imports it, with the module as a file", async () => {
  const main = `${ESM}
    export default {
      fetch: async (request) => Response.json(await probe(sdk, pure, await request.json())),
    };
  `;
  const directory = await project({ "worker.mjs": main });
  const worker = await startWorker({
    name: "probe",
    entrypoint: `${directory}/worker.mjs`,
    compatibilityDate: "2026-04-01",
    dev: {
      remote: false,
      inspector: false,
      watch: false,
      persist: false,
      logLevel: "error",
      server: { port: 0 },
    },
    sendMetrics: false,
  });
  try {
    const body = JSON.stringify(await liveServer());
    const response = await worker.fetch("http://worker.test/", { method: "POST", body });
    assert.deepEqual(await response.json(), FOUND);
  } finally {
    await worker.dispose();
  }
});
