// Idioms of JavaScript, and hosts that lack globals.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import * as esm from "@opencomputer/usage";
import {
  APIError,
  ConnectionError,
  OpenComputerError,
  RateLimitError,
  TimeoutError,
  userTags,
  validateTags,
  validateTagValue,
} from "@opencomputer/usage";
import { afterEach, describe, expect, test, vi } from "vitest";
import { answering, expectOurs, failure, METHODS, recorded, response } from "./support/calls.js";

const cwd = fileURLToPath(new URL("..", import.meta.url));
const cjs = createRequire(import.meta.url)("@opencomputer/usage") as typeof esm;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Runs a program in a child process; returns its output and its errors. */
function run(program: string, ...flags: string[]): string {
  const script = `(async () => {${program}})()`;
  const args = [...flags, "--input-type=module", "--eval", `${script}; export {};`];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  return (stdout + stderr).trim();
}

const CLIENT = `
  const { UsageClient } = await import("@opencomputer/usage");
  const client = new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", maxRetries: 0, fetch: async () => Response.json({ keys: [] }) });
`;

describe("methods", () => {
  test("survive destructuring", async () => {
    const { client } = recorded(() => response({ status: 200, body: { keys: [] } }));
    const { usage, tags, sandboxes } = client();
    const { listKeys, get, set, update } = tags;
    const { byTag, bySandbox, forSandbox } = usage;
    const { list, get: getSandbox } = sandboxes;
    expect(await listKeys()).toEqual([]);
    const calls = [
      () => get("sb"),
      () => set("sb", {}),
      () => update("sb", (tags) => tags),
      () => byTag("team"),
      () => bySandbox(),
      () => forSandbox("sb"),
      () => list(),
      () => getSandbox("sb"),
    ];
    // The body does not match the API, which only a call that received it can detect.
    for (const call of calls) expectOurs(await failure(call), esm.DecodeError);
  });

  test("of the platform's classes survive destructuring", async () => {
    vi.stubGlobal("fetch", async () => response({ status: 200, body: { keys: [] } }));
    const { listKeys } = new esm.Tags("https://api.test", "oc_key");
    expect(await listKeys()).toEqual([]);
  });

  test("never throw", async () => {
    const { client } = answering({});
    for (const method of Object.values(METHODS)) {
      for (const odd of [{ key: Symbol("s"), sandboxId: 5n }, { odd: () => {} }]) {
        const call = method(client(), odd, { odd: 5n });
        expectOurs(await failure(() => call), OpenComputerError);
      }
    }
    const trap = new Proxy({}, { ownKeys: raise, get: raise }) as never;
    const { usage, tags, sandboxes } = client();
    const calls = [
      usage.bySandbox(trap, trap),
      usage.forSandbox(trap, trap),
      tags.set(trap, trap, trap),
      tags.update(trap, trap),
      sandboxes.list(trap, trap),
    ];
    for (const call of calls) expectOurs(await failure(() => call), OpenComputerError);
  });

  test("return calls that may fail before they are awaited", () => {
    const program = `${CLIENT}
      const call = client.usage.byTag("");
      client.usage.bySandbox({ limit: 0 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await call.catch((error) => console.log(error.code));
    `;
    expect(run(program)).toBe("invalid_group_by");
  });
});

function raise(): never {
  throw new Error("no");
}

describe("signals", () => {
  test("shared by calls get one listener, and Node.js prints no warning", () => {
    const program = `
      const { UsageClient } = await import("@opencomputer/usage");
      const { getEventListeners } = await import("node:events");
      const { signal } = new AbortController();
      let most = 0;
      const fetch = async () => { most = Math.max(most, getEventListeners(signal, "abort").length); return Response.json({ keys: [] }); };
      const client = new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", fetch });
      await Promise.all(Array.from({ length: 50 }, () => client.tags.listKeys({ signal })));
      console.log(most, getEventListeners(signal, "abort").length);
    `;
    expect(run(program)).toBe("1 0");
  });

  test("abort every call that shares them", async () => {
    const { client } = recorded(() => new Promise<Response>(() => {}));
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 20 }, () =>
      failure(() => client().tags.listKeys({ signal })),
    );
    controller.abort(new Error("enough"));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([signal.reason]));
  });

  test("of jsdom, which have neither a reason nor throwIfAborted, work", async () => {
    const target = new EventTarget();
    const signal = Object.assign(target, { aborted: false }) as unknown as AbortSignal;
    const { client } = recorded(() => new Promise<Response>(() => {}));
    const call = failure(() => client().tags.listKeys({ signal }));
    Object.assign(signal, { aborted: true });
    target.dispatchEvent(new Event("abort"));
    expect(await call).toHaveProperty("name", "AbortError");
    const late = await failure(() => client().tags.listKeys({ signal }));
    expect(late).toHaveProperty("name", "AbortError");
  });
});

describe("clocks", () => {
  test.for([
    [
      "whose origin is a function, as fake timers have it",
      { now: (): number => 5, timeOrigin: () => {} },
    ],
    ["without an origin", { now: (): number => 5 }],
    ["that are missing", undefined],
  ] as const)("%s do not end a call", async ([, performance]) => {
    vi.stubGlobal("performance", performance);
    const { client } = answering({ keys: [] });
    expect(await client().tags.listKeys()).toEqual([]);
  });
});

describe("hosts that lack a global", () => {
  test.for(["TextDecoder", "TextEncoder", "WebAssembly"])(
    "without %s import the package, and the first use names what is missing",
    (name) => {
      for (const entry of ["@opencomputer/usage", "@opencomputer/usage/validate"]) {
        const program = `
        delete globalThis.${name};
        const { validateTags } = await import("${entry}");
        try { validateTags({}); } catch (error) { console.log(error.name, error.message); }
      `;
        expect(run(program)).toBe(
          `OpenComputerError this package needs \`${name}\`, which is missing here`,
        );
      }
    },
  );

  test("importing reads no global that could be missing", () => {
    const program = `
      for (const name of ["TextDecoder", "TextEncoder", "WebAssembly", "fetch", "AbortController", "performance", "atob", "Uint8Array"]) {
        Object.defineProperty(globalThis, name, { get: () => console.log("looked at", name), configurable: true });
      }
      await import("./dist/esm/validate.js");
      await import("./dist/esm/index.js");
      console.log("imported");
    `;
    expect(run(program)).toBe("imported");
  });
});

describe("errors", () => {
  const limited = () =>
    recorded(() =>
      response({
        status: 429,
        headers: { "retry-after": "2.5", "set-cookie": "a=b", "x-trace": "t" },
        body: { error: "slow down", code: "rate_limited" },
      }),
    ).client({ maxRetries: 0 });

  test("have retryAfter and the response headers without secrets", async () => {
    const error = await failure(() => limited().tags.listKeys());
    expectOurs(error, RateLimitError);
    expect(error).toMatchObject({
      retryAfter: 2.5,
      headers: { "x-trace": "t", "retry-after": "2.5" },
    });
    expect(error).not.toHaveProperty("headers.set-cookie");
  });

  test("are recognized across ES modules and CommonJS", async () => {
    expect(cjs.OpenComputerError).not.toBe(OpenComputerError);
    const error = await failure(() => limited().tags.listKeys());
    for (const Class of [cjs.RateLimitError, cjs.APIError, cjs.OpenComputerError]) {
      expect(error).not.toBeInstanceOf(Class);
      expect(Class.isInstance(error)).toBe(true);
    }
    expect(cjs.ConflictError.isInstance(error)).toBe(false);
    for (const value of [null, undefined, "x", {}, new Error("x")]) {
      expect(OpenComputerError.isInstance(value)).toBe(false);
    }
  });

  test("of a user's subclass are distinguished from those of its base", () => {
    class Mine extends APIError {}
    expect(Mine.isInstance(new APIError("x"))).toBe(false);
    expect(Mine.isInstance(new Mine("x"))).toBe(true);
    expect(cjs.APIError.isInstance(new Mine("x"))).toBe(true);
  });

  test("have a name that can be set, and a stack that shows it", () => {
    const error = new TimeoutError("late");
    expect([error.name, error.stack?.split("\n")[0]]).toEqual([
      "TimeoutError",
      "TimeoutError: late",
    ]);
    error.name = "Mine";
    expect([error.name, String(error)]).toEqual(["Mine", "Mine: late"]);
    expect(Object.keys(error)).not.toContain("name");
  });

  test("of another realm are described by their members", async () => {
    const foreign: unknown = vm.runInNewContext(
      'Object.assign(new TypeError("fetch failed"), { cause: new Error("connect ECONNREFUSED 127.0.0.1:9") })',
    );
    const { client } = recorded(() => Promise.reject(foreign));
    const error = await failure(() => client({ maxRetries: 0 }).tags.listKeys());
    expectOurs(error, ConnectionError);
    expect(error).toHaveProperty(
      "message",
      "no response from the server: https://api.test:443: fetch failed: connect ECONNREFUSED 127.0.0.1:9",
    );
  });

  test("mask a key that a fetch or a server echoes", async () => {
    const apiKey = "oc_0123456789";
    const throwing = recorded(() => Promise.reject(new Error(`bad header ${apiKey}`)));
    const telling = recorded(() => response({ status: 403, body: { error: `no ${apiKey}` } }));
    for (const { client } of [throwing, telling]) {
      const error = await failure(() => client({ apiKey, maxRetries: 0 }).tags.listKeys());
      expect(error).toHaveProperty("message", expect.stringContaining("[key]"));
      const { message, headers, body } = error as APIError;
      expect(JSON.stringify([message, headers, body])).not.toContain(apiKey);
    }
  });
});

test("a logger that rejects fails neither the call nor the process", () => {
  const program = CLIENT.replace(
    "maxRetries: 0",
    "logger: { debug: async () => { throw new Error('disk full'); } }",
  );
  expect(
    run(`${program} console.log((await client.tags.listKeys()).length);
    await new Promise((resolve) => setTimeout(resolve, 20));`),
  ).toBe("0");
});

describe("pages", () => {
  const body = {
    from: "2026-01-01T00:00:00Z",
    to: "2026-01-31T00:00:00Z",
    asOf: "2026-01-31T00:00:00Z",
    groupBy: "tag:team",
    total: { memoryGbSeconds: 3, diskOverageGbSeconds: 0 },
    untagged: { memoryGbSeconds: 1, diskOverageGbSeconds: 0, sandboxCount: 1 },
    items: ["a", "b"].map((tagValue) => ({
      tagKey: "team",
      tagValue,
      memoryGbSeconds: 1,
      diskOverageGbSeconds: 0,
      sandboxCount: 1,
    })),
    nextCursor: "eyJ2IjoxLCJ0IjoiYiJ9",
  };

  test("are iterable over their own items", async () => {
    const { client, sent } = answering(body);
    const page = await client().usage.byTag("team");
    const values = [];
    for (const { tagValue } of page) values.push(tagValue);
    expect(values).toEqual(["a", "b"]);
    expect(Array.from(page)).toEqual(page.items);
    expect(sent).toHaveLength(1);
  });

  test("become plain data by toJSON", async () => {
    const { client, sent } = answering(body);
    const data = (await client().usage.byTag("team")).toJSON();
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(data).toEqual(body);
    expect(Reflect.ownKeys(data)).toEqual(Object.keys(body));
    expect(structuredClone(data)).toEqual(body);
    expect(sent).toHaveLength(1);
  });
});

describe("tags", () => {
  test("without system tags can be written back", () => {
    expect(userTags({ team: "a", "oc:plan": "pro", "oc:": "x", oc: "y" })).toEqual({
      team: "a",
      oc: "y",
    });
    expect(Object.keys(userTags(JSON.parse('{"__proto__":"a"}')))).toEqual(["__proto__"]);
  });

  test("with a list or a map as a value are rejected without reading it", async () => {
    const unread = new Proxy([], { get: (_, name) => (name === "length" ? 1e6 : raise()) });
    const trap = Object.defineProperty({}, "a", { enumerable: true, get: raise });
    for (const value of [unread, trap]) {
      expect(validateTags({ a: value })).toMatchObject([{ code: "value_not_string" }]);
      expect(validateTagValue(value)).toMatchObject([{ code: "value_not_string" }]);
      const { client, sent } = answering({});
      const error = await failure(() => client().tags.set("sb", { a: value } as object));
      expect(error).toMatchObject({ violations: [{ code: "value_not_string" }] });
      expect(sent).toEqual([]);
    }
  });
});
