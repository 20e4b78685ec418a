// The packed package in test runners, whose globals differ from those of browsers and of Node.js.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cleanUp, liveServer, project, run } from "./support.js";

after(cleanUp);

/** @param {string} path @returns {string} the path of an installed file */
const installed = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

/** The tests in every runner. `sdk` and `pure` are the entries, `fake` and `real` switch timers. */
const TESTS = `
  const options = { apiKey: "oc_key", baseUrl: "https://api.test", dangerouslyAllowBrowser: true, maxRetries: 0 };
  const answer = (body, status = 200) => ({
    status, headers: new Map(), arrayBuffer: async () => new TextEncoder().encode(JSON.stringify(body)).buffer,
  });

  test("tags are validated", () => {
    expect(sdk.validateTags({ team: "zażółć 😀" })).toEqual([]);
    expect(pure.validateTags({ "oc:team": "é" }).map(({ code }) => code)).toEqual(["key_reserved_prefix"]);
  });

  test("a call succeeds with real and with fake timers", async () => {
    const client = new sdk.UsageClient({ ...options, fetch: async () => answer({ keys: [] }) });
    expect(await client.tags.listKeys()).toEqual([]);
    fake();
    expect(await client.tags.listKeys()).toEqual([]);
    real();
  });

  test("errors of this realm and of Node.js are described", async () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:9"), { code: "ECONNREFUSED" });
    const fetch = async () => { throw Object.assign(new TypeError("fetch failed"), { cause }); };
    const error = await new sdk.UsageClient({ ...options, fetch }).tags.listKeys().catch((error) => error);
    expect(error.name).toBe("ConnectionError");
    expect(error.message).toContain("fetch failed: connect ECONNREFUSED 127.0.0.1:9");
    expect(sdk.ConnectionError.isInstance(error)).toBe(true);
    const refused = await new sdk.UsageClient({ ...options, fetch: async () => answer({ error: "no" }, 404) }).tags.get("sb").catch((error) => error);
    expect(refused).toBeInstanceOf(sdk.NotFoundError);
  });

  test("a signal of this realm aborts a call", async () => {
    const controller = new AbortController();
    const client = new sdk.UsageClient({ ...options, fetch: () => new Promise(() => {}) });
    const call = client.tags.listKeys({ signal: controller.signal }).catch((error) => error);
    controller.abort();
    expect((await call).name).toBe("AbortError");
  });
`;
/** A call of the live server with the environment's own `fetch`. */
const LIVE = `
  test("the environment's fetch reaches the live server", async () => {
    const { baseUrl, apiKey } = JSON.parse(process.env.SERVER);
    const { signal } = new AbortController();
    const client = new sdk.UsageClient({ baseUrl, apiKey, dangerouslyAllowBrowser: true });
    const page = await client.usage.bySandbox({ limit: 40 }, { signal });
    expect(page.items).toHaveLength(40);
  });
`;
const CJS = `
  const sdk = require("@opencomputer/usage");
  const pure = require("@opencomputer/usage/validate");
`;
const ESM = `
  import * as sdk from "@opencomputer/usage";
  import * as pure from "@opencomputer/usage/validate";
`;
const JEST = "const fake = () => jest.useFakeTimers(), real = () => jest.useRealTimers();";
const JEST_ESM = 'import { jest } from "@jest/globals";';
/** jsdom in Jest lacks the text codecs. The first use says so, and Node.js has them. */
const NO_CODECS = `
  test("the first use names what is missing", () => {
    expect(() => pure.validateTags({})).toThrow("TextDecoder");
    Object.assign(globalThis, codecs);
  });
`;

/**
 * Runs a file of tests in Jest.
 *
 * @param {string} environment @param {string} name @param {string} text
 */
async function jest(environment, name, text) {
  const config = {
    testEnvironment: environment,
    transform: {},
    testMatch: ["**/main.test.*"],
    moduleFileExtensions: ["js", "mjs", "cjs", "json"],
  };
  const cwd = await project({ [name]: text, "jest.config.json": JSON.stringify(config) });
  const args = [
    "--experimental-vm-modules",
    installed("jest/bin/jest.js"),
    "--config",
    "jest.config.json",
    "--rootDir",
    cwd,
  ];
  await run(process.execPath, args, {
    cwd,
    env: { SERVER: JSON.stringify(await liveServer()), NODE_NO_WARNINGS: "1" },
  });
}

test("Jest 29 requires it", async () => {
  await jest("node", "main.test.cjs", CJS + JEST + TESTS + LIVE);
});

test("Jest 29 imports it", async () => {
  await jest("node", "main.test.mjs", ESM + JEST_ESM + JEST + TESTS + LIVE);
});

test("Jest 29 requires it in jsdom", async () => {
  const codecs = 'const codecs = require("node:util");';
  await jest(
    installed("jest-environment-jsdom"),
    "main.test.cjs",
    CJS + codecs + JEST + NO_CODECS + TESTS,
  );
});

test("Jest 29 imports it in jsdom", async () => {
  const codecs = 'import * as codecs from "node:util";';
  await jest(
    installed("jest-environment-jsdom"),
    "main.test.mjs",
    ESM + codecs + JEST_ESM + JEST + NO_CODECS + TESTS,
  );
});

for (const environment of ["jsdom", "happy-dom"]) {
  test(`Vitest imports it in ${environment}`, async () => {
    const head = `
      import { expect, test, vi } from "vitest";
      const fake = () => vi.useFakeTimers({ toFake: ["performance", "Date", "setTimeout"] }), real = () => vi.useRealTimers();
    `;
    const cwd = await project({ "main.test.mjs": head + ESM + TESTS + LIVE });
    const args = [
      installed("vitest/vitest.mjs"),
      "run",
      "--root",
      cwd,
      "--environment",
      environment,
    ];
    await run(process.execPath, args, { cwd, env: { SERVER: JSON.stringify(await liveServer()) } });
  });
}

for (const version of ["6", "7"]) {
  test(`a client works with the fetch of undici ${version} and closes its streams`, async () => {
    const main = `
      import assert from "node:assert/strict";
      import { createServer } from "node:http";
      import { UsageClient } from "@opencomputer/usage";
      import undici from ${JSON.stringify(installed(`undici-${version}/index.js`))};
      const { baseUrl, apiKey } = JSON.parse(process.env.SERVER);
      const client = new UsageClient({ baseUrl, apiKey, fetch: undici.fetch });
      let items = 0;
      for await (const _ of client.usage.bySandbox({ limit: 40 }, { signal: new AbortController().signal })) items++;
      assert.ok(items > 40);
      const down = new UsageClient({ baseUrl: "http://127.0.0.1:65530", apiKey, fetch: undici.fetch, maxRetries: 0 });
      await assert.rejects(down.tags.listKeys(), /fetch failed: connect ECONNREFUSED/);

      // The connection of an endless body is closed.
      const server = createServer((_, response) => {
        response.writeHead(500);
        const timer = setInterval(() => response.write("x".repeat(65_536)), 1);
        response.on("close", () => { clearInterval(timer); console.log("closed"); });
      }).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const endless = new UsageClient({ baseUrl: "http://127.0.0.1:" + server.address().port, apiKey, fetch: undici.fetch, maxRetries: 0 });
      await assert.rejects(endless.tags.listKeys(), { name: "ServerError" });
      server.close();
    `;
    const cwd = await project({ "main.mjs": main });
    const env = { SERVER: JSON.stringify(await liveServer()) };
    assert.equal(await run(process.execPath, ["main.mjs"], { cwd, env }), "closed\n");
  });
}

test("msw answers the calls of a client", async () => {
  const main = `
    import assert from "node:assert/strict";
    import { RateLimitError, UsageClient } from "@opencomputer/usage";
    import { http, HttpResponse } from ${JSON.stringify(installed("msw/lib/core/index.mjs"))};
    import { setupServer } from ${JSON.stringify(installed("msw/lib/node/index.mjs"))};
    const seen = [];
    const tags = http.put("https://api.test/api/sandboxes/:id/tags", async ({ request, params }) => {
      seen.push([params.id, request.headers.get("if-match"), await request.json()]);
      return HttpResponse.json(
        { tags: { team: "payments" }, tagsLastUpdatedAt: null },
        { headers: { etag: '"2"' } },
      );
    });
    const keys = http.get("https://api.test/api/tags", () =>
      HttpResponse.json({ error: "slow down", code: "rate_limited" }, { status: 429 }),
    );
    // Made before the mock is in place, as a module of an application does.
    const client = new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", maxRetries: 0 });
    const server = setupServer(tags, keys);
    server.listen({ onUnhandledRequest: "error" });
    const state = await client.tags.set("sb 1", { team: "payments" }, { ifMatch: '"1"' });
    assert.deepEqual(state, { tags: { team: "payments" }, tagsLastUpdatedAt: null, etag: '"2"' });
    assert.deepEqual(seen, [["sb 1", '"1"', { team: "payments" }]]);
    await assert.rejects(client.tags.listKeys(), RateLimitError);
    server.close();
  `;
  await run(process.execPath, ["main.mjs"], { cwd: await project({ "main.mjs": main }) });
});
