// The classes that replace those of the platform's SDK.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  InvalidRequestError,
  Tags,
  TagValidationError,
  UnsupportedByServerError,
  Usage,
} from "@opencomputer/usage";
import { afterEach, describe, expect, test, vi } from "vitest";
import { expectOurs, failure, response } from "./support/calls.js";
import { type LiveServer, startPlatform, startWith } from "./support/server.js";

const KEY = "oc_secret_key";
const DOCUMENTED_URL = "https://app.opencomputer.dev";

let servers: LiveServer[] = [];
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
});

/** Answers every request with a body; returns the URLs of the requests. */
function answered(body: unknown): string[] {
  const urls: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    urls.push(url);
    return response({ status: 200, body });
  });
  return urls;
}

const TOTAL = { memoryGbSeconds: 1, diskOverageGbSeconds: 0 };
const POINT = {
  ts: "2026-05-01T00:00:00Z",
  memoryAllocatedGbSeconds: 60,
  memoryUsedGbSeconds: 30,
  uptimeSeconds: 60,
  allocatedMemoryMb: 1024,
  usedMemoryMbAvg: 512,
  usedMemoryMbPeak: 600,
};
const WINDOW = { from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z" };

describe("the documented examples", () => {
  test("compile in a strict project", () => {
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const files = ["reference", "guide", "types"].map((name) => `tests/documented/${name}.ts`);
    const options = "--strict --noEmit --target es2022 --module nodenext --types node".split(" ");
    execFileSync("npx", ["tsc", "--ignoreConfig", ...options, ...files], { cwd, stdio: "pipe" });
  }, 60_000);

  /** Runs an example unchanged against a server; returns the lines that it printed. */
  async function printed(example: string, server: LiveServer): Promise<string[]> {
    servers.push(server);
    vi.stubEnv("OPENCOMPUTER_API_KEY", server.apiKey);
    const { fetch } = globalThis;
    vi.stubGlobal("fetch", (url: string, init: RequestInit) =>
      fetch(url.replace(DOCUMENTED_URL, server.url), init),
    );
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => {
      lines.push(
        values
          .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
          .join(" "),
      );
    });
    vi.resetModules();
    const file = new URL(`documented/${example}.ts`, import.meta.url).pathname;
    await import(file);
    return lines;
  }

  const sandbox = { template: "base", region: "use2", workerId: "w-1" };
  const session = (sandboxId: string, startedAt: string) => ({
    type: "session",
    sandboxId,
    ...sandbox,
    status: "running",
    startedAt,
  });
  const scale = (sandboxId: string, startedAt: string) => ({
    type: "scale",
    sandboxId,
    memoryMb: 1024,
    cpuPercent: 100,
    diskMb: 20_480,
    startedAt,
  });
  const ours = () =>
    startWith([
      session("sb-abc123", "2026-05-01T00:00:00Z"),
      scale("sb-abc123", "2026-05-01T00:00:00Z"),
      { type: "tags", sandboxId: "sb-abc123", tags: { team: "payments", env: "prod" } },
      session("sb-abc", "2026-05-10T00:00:00Z"),
      scale("sb-abc", "2026-05-10T00:00:00Z"),
      { type: "tags", sandboxId: "sb-abc", tags: { team: "growth", env: "prod" } },
    ]);
  const current: [string, () => Promise<LiveServer>][] = [
    ["our server", ours],
    ["the platform of today", () => startPlatform("today")],
    ["the platform's edge", () => startPlatform("edge")],
    ["the platform in one process", () => startPlatform("combined")],
  ];

  test.for(current)("of the reference run on %s", async ([name, start]) => {
    const lines = await printed("reference", await start());
    expect(lines[0]).toMatch(
      name === "our server" ? /^0% memory/ : /^[1-9]\d*% memory utilization$/,
    );
    expect(lines.find((line) => line.startsWith("sb-abc123 "))).toMatch(
      /^sb-abc123 \d[\d.]* .*"team":"payments"/,
    );
    expect(lines.find((line) => line.startsWith("payments "))).toMatch(/^payments \d[\d.]* 1$/);
    expect(lines.find((line) => line.startsWith("untagged "))).toMatch(/^untagged \d/);
    expect(lines).toContainEqual(expect.stringMatching(/^\{.*"team:subsystem":"checkout".*\}$/));
    expect(lines.at(-1)).toMatch(/^team:subsystem \d+ \d+$/);
  });

  test.for(current)("of the guide run on %s", async ([name, start]) => {
    const lines = await printed("guide", await start());
    expect(lines).toEqual([
      name === "our server" ? "0% utilization" : expect.stringMatching(/^\d+% utilization$/),
    ]);
  });

  test("on the platform of April 2026 the missing points of a drilldown are an error", async () => {
    const error = await failure(async () => printed("guide", await startPlatform("original")));
    // The example imports another copy of the package, whose classes differ from those of this file.
    expect(error).toHaveProperty("name", "UnsupportedByServerError");
    expect(error).toHaveProperty("message", expect.stringContaining("`interval=1m`"));
  });
});

describe("the platform's classes", () => {
  test("take a URL, with or without /api, and a key", async () => {
    const keys = [{ key: "team", sandboxCount: 1, valueCount: 1 }];
    const urls = answered({ keys });
    expect(await new Tags("https://old.test/api", KEY).listKeys()).toEqual(keys);
    await failure(() =>
      new Usage("https://old.test", KEY).byTag("team", { filter: { "tag:env": "prod,dev" } }),
    );
    expect(urls).toEqual([
      "https://old.test/api/tags",
      "https://old.test/api/usage?groupBy=tag%3Ateam&filter%5Btag%3Aenv%5D=prod%2Cdev",
    ]);
  });

  test("treat an empty option as absent", async () => {
    const urls = answered({ ...WINDOW, total: TOTAL, items: [], nextCursor: null });
    const none = { from: "", to: "", sort: "" as never, cursor: "" };
    const usage = new Usage("https://old.test", KEY);
    await usage.bySandbox(none);
    await failure(() => usage.byTag("team", none));
    expect(urls.map((url) => url.replace("https://old.test/api/", ""))).toEqual([
      "usage?groupBy=sandbox",
      "usage?groupBy=tag%3Ateam",
    ]);
  });

  test.for([
    [undefined, "from=2026-05-27T09%3A30%3A00Z"],
    [{}, "from=2026-05-27T09%3A30%3A00Z"],
    [{ from: "", to: "" }, "from=2026-05-27T09%3A30%3A00Z"],
    [{ to: "2026-05-27T10:00:00Z" }, "from=2026-05-27T09%3A30%3A00Z&to=2026-05-27T10%3A00%3A00Z"],
    [{ from: "2026-05-26" }, "from=2026-05-26T00%3A00%3A00Z"],
  ] as const)(
    "ask for the minutes of the last hour or of the window %j",
    async ([window, query]) => {
      vi.useFakeTimers({ now: new Date("2026-05-27T10:30:00Z"), toFake: ["Date"] });
      const urls = answered({});
      await failure(() => new Usage("https://old.test", KEY).forSandbox("sb", window));
      vi.useRealTimers();
      expect(urls).toEqual([`https://old.test/api/sandboxes/sb/usage?${query}&interval=1m`]);
    },
  );

  test("keep an empty filter, which means that the tag is absent", async () => {
    const urls = answered({ ...WINDOW, total: TOTAL, items: [], nextCursor: null });
    await new Usage("https://old.test", KEY).bySandbox({ filter: { "tag:env": "" } });
    expect(urls).toEqual(["https://old.test/api/usage?groupBy=sandbox&filter%5Btag%3Aenv%5D="]);
  });

  test("reject an invalid call before anything is sent", async () => {
    const urls = answered({});
    const usage = new Usage("https://old.test", KEY);
    const set = () => new Tags("https://old.test", KEY).set("sb", { "": "" });
    expectOurs(await failure(set), TagValidationError);
    expectOurs(
      await failure(() => usage.bySandbox({ limit: 0 })),
      InvalidRequestError,
      "invalid_limit",
    );
    const typo = { limt: 5 } as object;
    expectOurs(
      await failure(() => usage.bySandbox(typo)),
      InvalidRequestError,
      "unknown_parameter",
    );
    expectOurs(await failure(() => usage.bySandbox(7 as never)), InvalidRequestError);
    expect(urls).toEqual([]);
  });

  test("fill in a dimension that the server leaves out", async () => {
    answered({ ...WINDOW, total: TOTAL, items: null });
    const page = await new Usage("https://old.test", KEY).bySandbox();
    expect(page).toMatchObject({ groupBy: "sandbox", items: [], nextCursor: null });
  });

  test.for([
    ["untagged", (usage: Usage) => usage.byTag("team")],
    ["tags", (usage: Usage) => usage.bySandbox()],
    ["totals", (usage: Usage) => usage.forSandbox("sb")],
  ] as const)("names a missing %s instead of leaving it out", async ([name, call]) => {
    const item = { sandboxId: "sb", ...TOTAL };
    const groups = { tags: "sandbox", untagged: "tag:team", totals: undefined };
    answered({
      ...WINDOW,
      ...item,
      groupBy: groups[name],
      total: TOTAL,
      items: name === "tags" ? [item] : [],
      points: [POINT],
    });
    const error = await failure(() => call(new Usage("https://old.test", KEY)));
    expectOurs(error, UnsupportedByServerError);
    expect(error).toHaveProperty("message", expect.stringContaining(`\`${name}\``));
  });
});
