import { InvalidRequestError, UsageClient } from "@opencomputer/usage";
import { afterEach, describe, expect, test, vi } from "vitest";
import { answering, expectOurs, failure, recorded, response } from "./support/calls.js";

const KEY = "oc_secret_key";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

describe("options of a client", () => {
  const make = (options: object) => () =>
    new UsageClient({ apiKey: KEY, baseUrl: "https://x.test", ...options });

  const bad: [string, object, string | undefined][] = [
    ["an unknown option", { timeout: 5 }, "unknown_parameter"],
    ["a base URL without a scheme", { baseUrl: "example.com" }, undefined],
    ["credentials in the base URL", { baseUrl: "https://a:b@example.com" }, undefined],
    ["a key with a line break", { apiKey: "a\nb" }, undefined],
    ["a fetch that is not a function", { fetch: "fetch" }, undefined],
    ["a logger that has no debug", { logger: { log: () => {} } }, undefined],
    ["headers that are a list", { headers: [] }, undefined],
    ["an endless timeout", { timeoutMs: Number.POSITIVE_INFINITY }, undefined],
  ];
  test.for(bad)("%s is rejected", async ([, options, code]) => {
    const error = await failure(make(options));
    expectOurs(error, InvalidRequestError, code);
    expect(String(error)).not.toContain(KEY);
  });

  test("the key and the URL are read from the environment", async () => {
    vi.stubEnv("OPENCOMPUTER_API_KEY", KEY);
    vi.stubEnv("OPENCOMPUTER_API_URL", "https://env.test/api/");
    const { sent, client } = answering({ keys: [] });
    await client({ apiKey: undefined, baseUrl: undefined }).tags.listKeys();
    expect(sent[0]?.url.href).toBe("https://env.test/api/tags");
    expect(new Headers(sent[0]?.init.headers).get("x-api-key")).toBe(KEY);
  });

  test("the error of a missing key or URL names its environment variable", () => {
    vi.stubEnv("OPENCOMPUTER_API_KEY", "");
    vi.stubEnv("OPENCOMPUTER_API_URL", "");
    expect(() => new UsageClient({ baseUrl: "https://x.test" })).toThrow(/OPENCOMPUTER_API_KEY/);
    expect(() => new UsageClient({ apiKey: KEY })).toThrow(/OPENCOMPUTER_API_URL/);
  });

  test("a key in a browser is rejected without dangerouslyAllowBrowser", async () => {
    vi.stubGlobal("window", {});
    vi.stubGlobal("document", {});
    expect(make({})).toThrow(/dangerouslyAllowBrowser/);
    expect(make({})).toThrow(InvalidRequestError);
    const { sent, client } = answering({ keys: [] });
    await client({ dangerouslyAllowBrowser: true }).tags.listKeys();
    expect(new Headers(sent[0]?.init.headers).has("user-agent")).toBe(false);
  });

  test("a worker of a browser counts as a browser, a worker of a server does not", () => {
    vi.stubGlobal("WorkerGlobalScope", class {});
    vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 (X11; Linux x86_64)" });
    expect(make({})).toThrow(/dangerouslyAllowBrowser/);
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    expect(make({})).not.toThrow();
  });

  test("outside of a browser a request has a user agent", async () => {
    const { sent, client } = answering({ keys: [] });
    await client().tags.listKeys({ headers: { "X-Trace": "1" } });
    const headers = new Headers(sent[0]?.init.headers);
    expect(headers.get("user-agent")).toMatch(/^opencomputer-usage-typescript\/\d+\.\d+\.\d+$/);
    expect(headers.get("x-trace")).toBe("1");
  });

  test("a fetch is called without this, and the global one is looked up per call", async () => {
    const calls: unknown[] = [];
    function fetch(this: unknown) {
      calls.push(this);
      return Promise.resolve(response({ status: 200, body: { keys: [] } }));
    }
    const client = make({})();
    vi.stubGlobal("fetch", fetch);
    await client.tags.listKeys();
    await make({ fetch })().tags.listKeys();
    expect(calls).toEqual([undefined, undefined]);
  });

  test("no log line, error or inspection of the client shows the key", async () => {
    const lines: string[] = [];
    const logger = { debug: (line: string) => lines.push(line) };
    const { client } = recorded(() =>
      response({ status: 401, body: { error: "no", code: "unauthorized" } }),
    );
    const sender = client({ apiKey: KEY, logger });
    const error = await failure(() => sender.usage.bySandbox());
    const { inspect } = await import("node:util");
    const seen = [
      ...lines,
      inspect(error),
      JSON.stringify(error),
      inspect(sender, { depth: 9, showHidden: true }),
    ];
    expect(seen.join("\n")).not.toContain(KEY);
    expect(lines).toEqual([expect.stringMatching(/^GET \/api\/usage 401 in \d+ ms$/)]);
  });

  test("a logger that throws does not fail the call", async () => {
    const { client } = answering({ keys: [] });
    const logger = {
      debug: () => {
        throw new Error("disk full");
      },
    };
    expect(await client({ logger }).tags.listKeys()).toEqual([]);
  });
});
