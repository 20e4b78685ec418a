// The packed package in a Next.js application: in the page, and on its server under both runtimes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { closeBrowser, visit } from "./browser.js";
import { FOUND } from "./probe.js";
import { cleanUp, liveServer, program, project, run } from "./support.js";

after(closeBrowser);
after(cleanUp);

const PROBE = `
  import * as sdk from "@opencomputer/usage";
  import * as pure from "@opencomputer/usage/validate";
  import { probe } from "PATH/probe.mjs";
`;
/** @param {string} runtime */
const route = (runtime) => `${PROBE.replace("PATH", "../..")}
  export const runtime = "${runtime}";
  export const POST = async (request) => Response.json(await probe(sdk, pure, await request.json()));
`;

const FILES = {
  "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(new URL(".", import.meta.url).pathname)} } };`,
  "app/layout.jsx": "export default ({ children }) => <html><body>{children}</body></html>;",
  "app/page.jsx": `"use client";
    import { useEffect } from "react";
    ${PROBE.replace("PATH", "..")}
    export default function Page() {
      useEffect(() => void probe(sdk, pure, window.config).then((found) => { window.report = found; }), []);
      return sdk.validateTags({}).length;
    }
  `,
  "app/node/route.js": route("nodejs"),
  "app/edge/route.js": route("edge"),
};

/** Starts what was built; answers where, and with what to stop it. @param {string} cwd */
async function started(cwd) {
  const args = ["start", "--hostname", "127.0.0.1", "--port", "0"];
  const server = spawn(program("next"), args, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(server.stdout)) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (url) return { url, server };
  }
  throw new Error("next announced no address");
}

test("Next.js builds with it, and its pages and routes use it", async () => {
  const cwd = await project(FILES);
  await run(program("next"), ["build"], { cwd, env: { NEXT_TELEMETRY_DISABLED: "1" } });
  const { url, server } = await started(cwd);
  try {
    const config = await liveServer();
    assert.deepEqual(await visit(url, config), FOUND);
    for (const path of ["node", "edge"]) {
      const response = await fetch(`${url}/${path}`, {
        method: "POST",
        body: JSON.stringify(config),
      });
      assert.deepEqual(await response.json(), FOUND, path);
    }
  } finally {
    server.kill();
  }
});
