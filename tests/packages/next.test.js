// The packed package in a Next.js application, built by Turbopack: in the page, and on its standalone server under both
// runtimes. The application also has the example of the documentation.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageClient, userTags } from "../../sdks/typescript/dist/esm/index.js";
import { closeBrowser, newPage, visit } from "./browser.js";
import { FOUND } from "./probe.js";
import { cleanUp, liveServer, program, project, run } from "./support.js";

/** The folder with the installed packages. */
const root = fileURLToPath(new URL(".", import.meta.url));
const example = join(root, "../../docs/examples/nextjs");

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
  // What readers of the example have: the alias, their check of the session, and a page for the form.
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      paths: { "@/*": ["./*"] },
    },
  }),
  "auth.ts": `
    import { cookies } from "next/headers";
    export const auth = async () => (await cookies()).get("session") ?? null;
  `,
  "app/tags/[id]/page.tsx": `
    import { TagForm } from "../../tag-form";
    export default async function Page({ params }: { params: Promise<{ id: string }> }) {
      return <TagForm sandboxId={(await params).id} />;
    }
  `,
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

/** The built application, away from the packages that it was built with. */
const copy = mkdtempSync(join(tmpdir(), "standalone-"));
let application = "";
/** @type {import("node:child_process").ChildProcess[]} */
const servers = [];
let url = "";

before(async () => {
  const cwd = await project(FILES);
  cpSync(example, cwd, { recursive: true });
  await run(program("next"), ["build"], { cwd, env: { NEXT_TELEMETRY_DISABLED: "1" } });
  cpSync(join(cwd, ".next/standalone"), copy, { recursive: true, verbatimSymlinks: true });
  application = join(copy, relative(root, cwd));
  cpSync(join(cwd, ".next/static"), join(application, ".next/static"), { recursive: true });
  url = await started(await liveServer());
});

after(closeBrowser);
after(cleanUp);
after(() => {
  for (const server of servers) server.kill();
  rmSync(copy, { recursive: true, maxRetries: 5 });
});

/** Starts the application with an API and returns its URL. @param {{ baseUrl: string, apiKey: string }} api */
async function started({ baseUrl, apiKey }) {
  const variables = { OPENCOMPUTER_API_URL: baseUrl, OPENCOMPUTER_API_KEY: apiKey };
  const env = { ...process.env, ...variables, HOSTNAME: "127.0.0.1", PORT: await freePort() };
  const server = spawn(process.execPath, ["server.js"], {
    cwd: application,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  servers.push(server);
  for await (const line of createInterface(server.stdout)) {
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (address) return address;
  }
  throw new Error("next announced no address");
}

test("Next.js builds with it, and its pages and routes use it", async () => {
  const config = await liveServer();
  assert.deepEqual(await visit(url, config), FOUND);
  const fields = [9, 1, 1];
  const flown = { data: fields, page: fields, later: fields, asked: 1 };
  assert.deepEqual(await visit(`${url}/flight`, {}), flown);
  for (const path of ["node", "edge"]) {
    const body = JSON.stringify(config);
    const response = await fetch(`${url}/${path}`, { method: "POST", body });
    assert.deepEqual(await response.json(), FOUND, path);
  }
});

const SIGNED_IN = { cookie: "session=1" };
const SANDBOX = "sb-runaway";

/**
 * Calls a route of the example and returns its status, body and headers.
 *
 * @param {string} target @param {RequestInit} [init] @param {string} [application]
 */
async function ask(target, init = {}, application = url) {
  const response = await fetch(application + target, {
    ...init,
    headers: { ...SIGNED_IN, ...init.headers },
  });
  const { apiKey } = await liveServer();
  const text = await response.text();
  assert(![text, ...response.headers.values()].some((shown) => shown.includes(apiKey)));
  return { status: response.status, headers: response.headers, body: JSON.parse(text) };
}

test("the route of the example reports usage to who is signed in, and answers nothing else", async () => {
  const { apiKey, baseUrl } = await liveServer();
  const client = new UsageClient({ apiKey, baseUrl });
  const day = (/** @type {number} */ ago) =>
    new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  const window = { from: day(20), to: day(10) };

  const { status, body, headers } = await ask(
    `/api/usage?${new URLSearchParams({ ...window, by: "env", timeZone: "Asia/Tokyo" })}`,
  );
  assert.equal(status, 200);
  const timeZone = "Asia/Tokyo";
  const expected = await client.usage.byTag("env", { ...window, timeZone, interval: "1d" });
  assert.deepEqual({ ...body, asOf: null }, { ...expected.toJSON(), asOf: null });
  assert.equal(body.buckets.length, 10);
  assert.equal(headers.get("cache-control"), "private, max-age=60");

  for (const [target, init, problem] of /** @type {const} */ ([
    ["/api/usage", { headers: { cookie: "" } }, [401, "unauthorized"]],
    ["/api/usage?by=customer", {}, [400, "invalid_group_by"]],
    ["/api/usage?groupBy=sandbox", {}, [400, "unknown_parameter"]],
    ["/api/usage?from=yesterday", {}, [400, "invalid_timestamp"]],
    ["/api/usage?timeZone=Mars/Olympus", {}, [400, "invalid_timezone"]],
  ])) {
    const { status, body, headers } = await ask(target, init);
    assert.deepEqual([status, body.code, typeof body.error], [...problem, "string"], target);
    assert.equal(headers.get("cache-control"), "no-store");
  }
});

test("the route of the example writes valid tags that nobody else has changed", async () => {
  const path = `/api/sandboxes/${SANDBOX}/tags`;
  const { body: tags, headers } = await ask(path);
  const etag = headers.get("etag") ?? "";
  /** @param {string} body @param {Record<string, string>} [headers] */
  const put = (body, headers = { "if-match": etag }) => ask(path, { method: "PUT", body, headers });

  const invalid = await put(JSON.stringify({ ...tags, "cost center": "42" }));
  assert.deepEqual([invalid.status, invalid.body.code], [400, "invalid_tags"]);
  assert.equal(invalid.body.violations[0].code, "key_invalid_characters");
  for (const [response, problem] of /** @type {const} */ ([
    [await put("{"), [400, "invalid_body"]],
    [await put("[]"), [400, "invalid_body"]],
    [await put("{}", {}), [428, "precondition_required"]],
    [await put("{}", { "if-match": '"other"' }), [412, "tags_changed"]],
    [await put("{}", { "if-match": etag, cookie: "" }), [401, "unauthorized"]],
    // Too long if its escapes were not decoded.
    [await ask(`/api/sandboxes/sb-${"%20".repeat(100)}missing/tags`), [404, "sandbox_not_found"]],
    [await ask(path, { headers: { cookie: "" } }), [401, "unauthorized"]],
  ])) {
    assert.deepEqual([response.status, response.body.code], problem);
  }
  assert.deepEqual((await ask(path)).body, tags);

  const written = await put(JSON.stringify({ ...tags, reviewed: "yes" }));
  assert.deepEqual([written.status, written.body], [200, { ...tags, reviewed: "yes" }]);
  assert.notEqual(written.headers.get("etag"), etag);
});

test("the routes of the example hide that the API rejects their key or is down", async () => {
  const { apiKey, baseUrl } = await liveServer();
  for (const api of [
    { baseUrl, apiKey: "oc_wrong" },
    { baseUrl: `http://127.0.0.1:${await freePort()}`, apiKey },
  ]) {
    const application = await started(api);
    for (const path of ["usage", `sandboxes/${SANDBOX}/tags`]) {
      const { status, body } = await ask(`/api/${path}`, {}, application);
      const error = "usage is not available right now";
      assert.deepEqual([status, body], [502, { error, code: "unavailable" }]);
    }
  }
});

test("the form of the example checks tags as one types and saves them unless they have changed", async () => {
  const { apiKey, baseUrl } = await liveServer();
  const client = new UsageClient({ apiKey, baseUrl });
  const tags = async () => userTags((await client.tags.get(SANDBOX)).tags);
  await client.tags.set(SANDBOX, { env: "dev", team: "growth" });
  const page = await newPage();
  await page.context().addCookies([{ name: "session", value: "1", url }]);
  const faults = /** @type {string[]} */ ([]);
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`${url}/tags/${SANDBOX}`);
  const [keys, values] = [page.getByLabel("Key"), page.getByLabel("Value")];
  const save = page.getByRole("button", { name: "Save" });
  const status = page.getByRole("status");
  const says = (/** @type {string} */ text) => status.filter({ hasText: text }).waitFor();
  /** Types a text and returns the message beside it. @param {typeof keys} input @param {string} text */
  const typed = async (input, text) => {
    await input.fill(text);
    const [invalid, id] = await Promise.all([
      input.getAttribute("aria-invalid"),
      input.getAttribute("aria-describedby"),
    ]);
    const message = await page.locator(`[id="${id}"]`).textContent();
    assert.deepEqual([invalid, await save.isDisabled()], [String(message !== ""), message !== ""]);
    return message ?? "";
  };

  await values.nth(1).waitFor();
  assert.equal(await keys.nth(1).inputValue(), "team");
  assert.match(await typed(keys.nth(1), "cost center"), /U\+0020/);
  assert.match(await typed(keys.nth(1), "oc:team"), /oc:/);
  assert.match(await typed(keys.nth(1), "env"), /another tag/);
  assert.equal(await typed(keys.nth(1), "cost-center"), "");
  assert.match(await typed(values.nth(1), "x".repeat(257)), /256/);
  assert.equal(await typed(values.nth(1), "42"), "");
  await save.click();
  await says("Saved.");
  const saved = { "cost-center": "42", env: "dev" };
  assert.deepEqual(await tags(), saved);

  await client.tags.update(SANDBOX, (tags) => ({ ...tags, owner: "jane" }));
  await typed(values.nth(0), "43");
  await save.click();
  await says("Somebody else changed these tags.");
  assert.deepEqual(await tags(), { ...saved, owner: "jane" });
  await page.getByRole("button", { name: "Reload" }).click();
  await keys.nth(2).waitFor();
  await page.getByRole("button", { name: "Remove" }).nth(2).click();
  await save.click();
  await says("Saved.");
  assert.deepEqual(await tags(), saved);

  const most = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`tag-${n}`, ""]));
  await client.tags.set(SANDBOX, most);
  await page.getByRole("button", { name: "Reload" }).click();
  await keys.nth(49).waitFor();
  await page.getByRole("button", { name: "Add a tag" }).click();
  await keys.nth(50).fill("tag-50");
  await says("50");
  assert(await save.isDisabled());
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByRole("button", { name: "Remove" }).nth(50).click();
  await says("sign in first");
  assert.deepEqual(faults, []);
  await page.close();
});
