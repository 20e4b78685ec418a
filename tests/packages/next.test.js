// The packed package in a Next.js application, built by Turbopack: in the page, and on its standalone server under both
// runtimes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeBrowser, visit } from "./browser.js";
import { FOUND } from "./probe.js";
import { cleanUp, liveServer, program, project, run } from "./support.js";

after(closeBrowser);
after(cleanUp);

/** The folder with the installed packages. */
const root = fileURLToPath(new URL(".", import.meta.url));

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
  "next.config.mjs": `export default {
    output: "standalone",
    turbopack: { root: ${JSON.stringify(root)} },
    outputFileTracingRoot: ${JSON.stringify(root)},
  };`,
  "app/layout.jsx": "export default ({ children }) => <html><body>{children}</body></html>;",
  "app/page.jsx": `"use client";
    import { useEffect } from "react";
    ${PROBE.replace("PATH", "..")}
    export default function Page() {
      useEffect(() => void probe(sdk, pure, window.config).then((found) => { window.report = found; }), []);
      return sdk.validateTags({}).length;
    }
  `,
  // A page of a report, from a component of the server to one of the client: by toJSON, as it is, and by a promise.
  "app/flight/page.jsx": `
    import { UsageClient } from "@opencomputer/usage";
    import Chart from "./chart.jsx";
    export const dynamic = "force-dynamic";
    export default async function Page() {
      let asked = 0;
      const row = { tagKey: "team", tagValue: "a", memoryGbSeconds: 1, diskOverageGbSeconds: 0, sandboxCount: 1 };
      const fetch = async () => Response.json({
        from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", asOf: "2026-01-02T00:00:00Z", groupBy: "tag:team",
        total: { memoryGbSeconds: 9, diskOverageGbSeconds: 0 }, untagged: { memoryGbSeconds: 8, diskOverageGbSeconds: 0, sandboxCount: 1 },
        items: [row], nextCursor: btoa(JSON.stringify({ v: 9 - asked++, t: "a" })).replaceAll("=", ""),
      });
      const client = new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", fetch });
      const page = await client.usage.byTag("team");
      return <Chart data={page.toJSON()} page={page} promise={Promise.resolve(page.toJSON())} asked={asked} />;
    }
  `,
  "app/flight/chart.jsx": `"use client";
    import { use, useEffect } from "react";
    export default function Chart({ data, page, promise, asked }) {
      const later = use(promise);
      useEffect(() => {
        const seen = ({ total, untagged, items }) => [total?.memoryGbSeconds, untagged?.sandboxCount, items?.length];
        window.report = { data: seen(data), page: seen(page), later: seen(later), asked };
      });
      return null;
    }
  `,
  "app/node/route.js": route("nodejs"),
  "app/edge/route.js": route("edge"),
};

/** Returns a free port, because the server treats port 0 as unset. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return String(port);
}

/**
 * Copies the standalone output of the built application away from the packages that it was built with, and starts it.
 * Returns its URL and its process.
 *
 * @param {string} cwd the project @param {string} to
 */
async function started(cwd, to) {
  cpSync(join(cwd, ".next/standalone"), to, { recursive: true, verbatimSymlinks: true });
  const application = join(to, relative(root, cwd));
  cpSync(join(cwd, ".next/static"), join(application, ".next/static"), { recursive: true });
  const env = { ...process.env, HOSTNAME: "127.0.0.1", PORT: await freePort() };
  const server = spawn(process.execPath, ["server.js"], {
    cwd: application,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface(server.stdout)) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (url) return { url, server };
  }
  throw new Error("next announced no address");
}

test("Next.js builds with it, and its pages and routes use it", async () => {
  const cwd = await project(FILES);
  await run(program("next"), ["build"], { cwd, env: { NEXT_TELEMETRY_DISABLED: "1" } });
  const copy = mkdtempSync(join(tmpdir(), "standalone-"));
  const { url, server } = await started(cwd, copy);
  try {
    const config = await liveServer();
    assert.deepEqual(await visit(url, config), FOUND);
    const fields = [9, 1, 1];
    const flown = { data: fields, page: fields, later: fields, asked: 1 };
    assert.deepEqual(await visit(`${url}/flight`, {}), flown);
    for (const path of ["node", "edge"]) {
      const response = await fetch(`${url}/${path}`, {
        method: "POST",
        body: JSON.stringify(config),
      });
      assert.deepEqual(await response.json(), FOUND, path);
    }
  } finally {
    server.kill();
    rmSync(copy, { recursive: true, maxRetries: 5 });
  }
});
