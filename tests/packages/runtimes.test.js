// The packed package in the runtimes of servers.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { build as esbuild } from "esbuild";
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

for (const format of /** @type {const} */ (["cjs", "esm"])) {
  test(`a function bundled by esbuild as for AWS Lambda runs without node_modules, as ${format}`, async () => {
    const handler = `${ESM}
      export const handler = async (event) => ({
        statusCode: 200, body: JSON.stringify(await probe(sdk, pure, JSON.parse(event.body))),
      });
    `;
    const directory = await project({ "handler.mjs": handler });
    const task = mkdtempSync(join(tmpdir(), "task-"));
    try {
      const outfile = join(task, format === "cjs" ? "index.js" : "index.mjs");
      const { warnings } = await esbuild({
        entryPoints: [join(directory, "handler.mjs")],
        outfile,
        bundle: true,
        minify: true,
        platform: "node",
        target: "node20",
        format,
        external: ["@aws-sdk/*"],
        logLevel: "silent",
      });
      assert.deepEqual(warnings, []);
      // Like the runtime of Lambda, loads the handler's module once and calls the handler for each event.
      const main = `
        const { handler } = ${format === "cjs" ? "require" : "await import"}(${JSON.stringify(outfile)});
        const event = { body: process.env.SERVER };
        const invoke = async () => {
          for (let n = 0; n < 2; n++) console.log((await handler(event)).body);
        };
        ${format === "cjs" ? "" : "await "}invoke();
      `;
      const file = join(task, format === "cjs" ? "bootstrap.cjs" : "bootstrap.mjs");
      writeFileSync(file, main);
      const env = { SERVER: JSON.stringify(await liveServer()) };
      const lines = (await run(process.execPath, [file], { cwd: task, env })).trim().split("\n");
      const results = lines.map((line) => JSON.parse(line));
      assert.deepEqual(results, [FOUND, FOUND]);
    } finally {
      rmSync(task, { recursive: true });
    }
  });
}

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
