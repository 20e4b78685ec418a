// Every method against imitations of the platform's servers: it works or fails with the expected error.

import {
  AuthenticationError,
  condition,
  InvalidRequestError,
  NotFoundError,
  OpenComputerError,
  PermissionDeniedError,
  Tags,
  UnsupportedByServerError,
  Usage,
  UsageClient,
} from "@opencomputer/usage";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { failure } from "./support/calls.js";
import { type LiveServer, startPlatform, VARIANTS, type Variant } from "./support/server.js";

type ErrorClass = new (...args: never[]) => OpenComputerError;
/** The expected outcome: a result that passes the check, or an error of the class. */
type Outcome = ErrorClass | ((value: never) => void);

interface Method {
  name: string;
  call: (client: UsageClient, server: LiveServer) => Promise<unknown>;
  outcome: Outcome | (Partial<Record<Variant, Outcome>> & { other: Outcome });
}

const MAY = { from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z" };
const HOUR = { from: "2026-05-27T00:00:00Z", to: "2026-05-27T01:00:00Z" };
const ids = (items: readonly { sandboxId: string }[]) => items.map(({ sandboxId }) => sandboxId);
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const METHODS: Method[] = [
  {
    name: "usage.bySandbox",
    call: (client) => client.usage.bySandbox({ ...MAY, filter: { "tag:team": ["payments"] } }),
    outcome: (page: never) =>
      expect(page).toMatchObject({
        asOf: null,
        groupBy: "sandbox",
        items: expect.arrayContaining([expect.objectContaining({ sandboxId: "sb-abc123" })]),
      }),
  },
  {
    name: "usage.bySandbox over all pages, without a window",
    call: (client) =>
      all(client.usage.bySandbox({ filter: { "tag:team": ["payments", "growth"] }, limit: 1 })),
    outcome: (items: { sandboxId: string }[]) =>
      expect(ids(items).sort()).toEqual(["sb-abc", "sb-abc123", "sb-moves"]),
  },
  {
    name: "usage.bySandbox over all pages, with an open end and equal amounts",
    call: (client) =>
      all(
        client.usage.bySandbox({
          from: new Date(Date.now() - 3_600_000),
          filter: { "tag:team": ["search"] },
          limit: 1,
        }),
      ),
    outcome: (items: { sandboxId: string }[]) =>
      expect(ids(items)).toEqual(["sb-run1", "sb-run2", "sb-run3"]),
  },
  {
    name: "usage.bySandbox with a value that needs quotes",
    call: (client) => client.usage.bySandbox({ ...MAY, filter: { "tag:team": ["a,b"] } }),
    outcome: UnsupportedByServerError,
  },
  {
    name: "usage.bySandbox by sandbox",
    call: (client) => client.usage.bySandbox({ ...MAY, filter: { sandbox: "sb-abc" } }),
    outcome: InvalidRequestError,
  },
  {
    name: "usage.byTag",
    call: (client) => client.usage.byTag("team", MAY),
    outcome: (page: never) =>
      expect(page).toMatchObject({
        asOf: null,
        groupBy: "tag:team",
        untagged: { sandboxCount: expect.any(Number) },
        items: expect.arrayContaining([expect.objectContaining({ tagValue: "R&D <core>" })]),
      }),
  },
  {
    name: "usage.byTag with bare dates",
    call: (client) => client.usage.byTag("team", { from: "2026-05-01", to: "2026-06-01" }),
    outcome: (page: never) => expect(page).toMatchObject({ from: "2026-05-01T00:00:00Z" }),
  },
  {
    name: "usage.forSandbox",
    call: (client) => client.usage.forSandbox("sb-abc123", HOUR),
    outcome: {
      original: (usage: never) =>
        expect(usage).toMatchObject({
          asOf: null,
          memoryGbSeconds: 3600,
          totals: null,
          points: null,
        }),
      other: (usage: { points: unknown[] }) => {
        expect(usage).toMatchObject({
          asOf: null,
          memoryGbSeconds: 3600,
          diskOverageGbSeconds: null,
          tags: null,
          totals: { memoryAllocatedGbSeconds: 3600, uptimeSeconds: 3600 },
        });
        expect(usage.points).toHaveLength(60);
      },
    },
  },
  {
    name: "usage.forSandbox of an unknown sandbox",
    call: (client) => client.usage.forSandbox("sb-none", HOUR),
    outcome: NotFoundError,
  },
  {
    name: "tags.listKeys",
    call: (client) => client.tags.listKeys(),
    outcome: (keys: { key: string }[]) => expect(keys.map(({ key }) => key)).toContain("team"),
  },
  {
    name: "tags.get",
    call: (client) => client.tags.get("sb-abc123"),
    outcome: (state: never) =>
      expect(state).toMatchObject({ tags: { team: "payments", env: "prod" }, etag: null }),
  },
  {
    name: "tags.get of an unknown sandbox",
    call: (client) => client.tags.get("sb-none"),
    outcome: NotFoundError,
  },
  {
    name: "tags.set",
    call: (client) => client.tags.set("sb-abc", { team: "growth", owner: "<ann>" }),
    outcome: (state: never) =>
      expect(state).toMatchObject({ tags: { team: "growth", owner: "<ann>" }, etag: null }),
  },
  {
    name: "tags.set with a condition",
    call: (client) => client.tags.set("sb-abc", { team: "growth" }, { ifMatch: '"e"' }),
    outcome: UnsupportedByServerError,
  },
  {
    name: "tags.set of a value longer than 256 bytes",
    call: (client) => client.tags.set("sb-abc", { team: "é".repeat(200) }),
    outcome: InvalidRequestError,
  },
  {
    name: "tags.update",
    call: (client) => client.tags.update("sb-abc", (tags) => ({ ...tags, env: "dev" })),
    outcome: UnsupportedByServerError,
  },
  {
    name: "sandboxes.list",
    call: (client) => client.sandboxes.list(),
    outcome: {
      original: (list: never) =>
        expect(list).toContainEqual(expect.objectContaining({ region: expect.any(String) })),
      today: (list: never) =>
        expect(list).toContainEqual(expect.objectContaining({ region: expect.any(String) })),
      other: (list: never) =>
        expect(list).toContainEqual(
          expect.objectContaining({
            sandboxID: "sb-abc123",
            region: null,
            startedAt: expect.stringMatching(/Z$/),
          }),
        ),
    },
  },
  {
    name: "sandboxes.get",
    call: (client) => client.sandboxes.get("sb-abc123"),
    outcome: (sandbox: never) =>
      expect(sandbox).toMatchObject({ sandboxID: "sb-abc123", status: "running" }),
  },
  {
    name: "sandboxes.get of an unknown sandbox",
    call: (client) => client.sandboxes.get("sb-none"),
    outcome: NotFoundError,
  },
  {
    name: "Usage.bySandbox",
    call: (_, { url, apiKey }) => new Usage(url, apiKey).bySandbox({ from: "", to: "" }),
    outcome: (page: never) => expect(page).toMatchObject({ groupBy: "sandbox" }),
  },
  {
    name: "Usage.byTag",
    call: (_, { url, apiKey }) =>
      new Usage(url, apiKey).byTag("team", { filter: { "tag:env": "prod" } }),
    outcome: (page: never) =>
      expect(page).toMatchObject({ groupBy: "tag:team", untagged: { sandboxCount: 0 } }),
  },
  {
    name: "Usage.forSandbox",
    call: (_, { url, apiKey }) => new Usage(url, apiKey).forSandbox("sb-abc123"),
    outcome: {
      original: UnsupportedByServerError,
      other: (usage: never) =>
        expect(usage).toMatchObject({ totals: { uptimeSeconds: 3600 }, points: expect.any(Array) }),
    },
  },
  {
    name: "Tags.listKeys, get and set",
    call: async (_, { url, apiKey }) => {
      const tags = new Tags(url, apiKey);
      const written = await tags.set("sb-abc123", { team: "payments" });
      return { keys: await tags.listKeys(), written, read: await tags.get("sb-abc123") };
    },
    outcome: ({ read, written }: { read: unknown; written: unknown }) =>
      expect(read).toEqual(written),
  },
  {
    name: "a wrong key",
    call: (_, { url }) => new UsageClient({ baseUrl: url, apiKey: "osb_wrong" }).tags.listKeys(),
    outcome: { edge: AuthenticationError, other: PermissionDeniedError },
  },
];

describe.each(VARIANTS)("the platform's server, %s:", (variant) => {
  let server: LiveServer;
  let client: UsageClient;

  beforeAll(async () => {
    server = await startPlatform(variant);
    client = new UsageClient({ baseUrl: server.url, apiKey: server.apiKey, maxRetries: 0 });
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    await fetch(`${server.url}/__reset`, { method: "POST" });
  });

  test.for(METHODS.map((method) => [method.name, method] as const))(
    "%s",
    async ([, { call, outcome }]) => {
      const expected = (
        "other" in outcome ? (outcome[variant] ?? outcome.other) : outcome
      ) as Outcome;
      if (isClass(expected))
        expect(await failure(() => call(client, server))).toBeInstanceOf(expected);
      else expected((await call(client, server)) as never);
    },
  );

  test("an unsupported update writes nothing, an unsupported condition says that it wrote", async () => {
    const before = await client.tags.get("sb-abc");
    expect(() => condition(before)).toThrow(UnsupportedByServerError);
    const update = () => client.tags.update("sb-abc", () => ({}));
    expect(await failure(update)).toHaveProperty(
      "message",
      expect.stringContaining("nothing was written"),
    );
    expect(await client.tags.get("sb-abc")).toEqual(before);
    const set = () => client.tags.set("sb-abc", {}, { ifMatch: '"e"' });
    expect(await failure(set)).toHaveProperty("message", expect.stringContaining("were written"));
    expect((await client.tags.get("sb-abc")).tags).toEqual({});
  });
});

function isClass(outcome: Outcome): outcome is ErrorClass {
  return outcome.prototype instanceof OpenComputerError;
}
