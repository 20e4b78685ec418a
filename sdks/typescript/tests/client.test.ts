import {
  InvalidRequestError,
  type OpenComputerError,
  TagValidationError,
  TimeoutError,
  UsageClient,
} from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { answering, expectOurs, failure, METHODS, recorded, response } from "./support/calls.js";

describe("rejected calls send nothing", () => {
  const cases: [string, (client: UsageClient) => unknown, string | undefined][] = [
    [
      "an unknown option of a query",
      (c) => c.usage.byTag("team", { limt: 5 } as object),
      "unknown_parameter",
    ],
    [
      "a query that repeats an argument",
      (c) => c.usage.byTag("team", { key: "env" } as object),
      "unknown_parameter",
    ],
    [
      "an unknown option of a call",
      (c) => c.tags.get("sb", { timeout: 5 } as object),
      "unknown_parameter",
    ],
    [
      "an unknown option of a write",
      (c) => c.tags.set("sb", {}, { match: "x" } as object),
      "unknown_parameter",
    ],
    ["a query that is not an object", (c) => c.usage.bySandbox("2026" as never), undefined],
    ["a query that is a Map", (c) => c.usage.bySandbox(new Map() as never), undefined],
    ["options that are not an object", (c) => c.tags.listKeys("now" as never), undefined],
    ["an empty tag key", (c) => c.usage.byTag(""), "invalid_group_by"],
    ["no tag key", (c) => (c.usage.byTag as () => unknown)(), "invalid_group_by"],
    ["no sandbox id", (c) => (c.tags.get as () => unknown)(), "invalid_sandbox_id"],
    [
      "an invalid date",
      (c) => c.usage.byTag("team", { from: new Date(Number.NaN) }),
      "invalid_timestamp",
    ],
    [
      "a date beyond the calendar",
      (c) => c.usage.byTag("team", { to: new Date(8.64e15) }),
      "invalid_timestamp",
    ],
    [
      "a filter that is undefined",
      (c) => c.usage.byTag("team", { filter: { "tag:env": undefined as never } }),
      "invalid_filter",
    ],
    [
      "a sparse list of values",
      (c) => c.usage.byTag("team", { filter: { "tag:a": new Array(2 ** 31) } }),
      "invalid_filter",
    ],
    ["a date as a tag value", (c) => c.tags.set("sb", { at: new Date() as never }), "invalid_tags"],
    ["tags that are not an object", (c) => c.tags.set("sb", [] as never), "invalid_body"],
    ["a negative timeout", (c) => c.tags.listKeys({ timeoutMs: -1 }), undefined],
    ["half a retry", (c) => c.tags.listKeys({ maxRetries: 0.5 }), undefined],
    ["an invalid header name", (c) => c.tags.listKeys({ headers: { "a b": "c" } }), undefined],
    ["a signal that is not one", (c) => c.tags.listKeys({ signal: {} as never }), undefined],
    [
      "a signal that cannot be listened to",
      (c) => c.tags.listKeys({ signal: { aborted: false, throwIfAborted: () => {} } as never }),
      undefined,
    ],
    ["a change that is not a function", (c) => c.tags.update("sb", {} as never), undefined],
  ];
  test.for(cases)("%s", async ([, run, code]) => {
    const { client, sent } = answering({});
    const type = code === "invalid_tags" ? TagValidationError : InvalidRequestError;
    expectOurs(await failure(() => run(client())), type, code);
    expect(sent).toEqual([]);
  });

  test("a method rejects and does not throw", async () => {
    const { client } = answering({});
    for (const method of Object.values(METHODS)) {
      const promise = method(client(), { nonsense: 1 });
      await expect(promise).rejects.toThrow(InvalidRequestError);
    }
    expect(() =>
      client()
        .usage.byTag("")
        .catch(() => {}),
    ).not.toThrow();
  });

  test("a TagValidationError lists all violations", async () => {
    const { client } = answering({});
    const tags = { "oc:a": "", "": "v".repeat(257) };
    const error = await failure(() => client().tags.set("sb", tags));
    expect(error).toMatchObject({
      name: "TagValidationError",
      violations: [
        { code: "key_empty" },
        { code: "value_too_long" },
        { code: "key_reserved_prefix" },
      ],
      status: undefined,
    });
  });
});

describe("arguments that throw when they are read", () => {
  const thrown = new Error("no");
  const trap = () => {
    throw thrown;
  };
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const values: [string, unknown][] = [
    ["a getter that throws", Object.defineProperty({}, "from", { get: trap, enumerable: true })],
    ["a proxy that throws", new Proxy({}, { ownKeys: trap, get: trap })],
    ["a list whose length throws", { filter: { "tag:a": new Proxy([], { get: trap }) } }],
    ["a revoked proxy", { filter: { "tag:a": revoked } }],
  ];
  test.for(values)("%s causes an OpenComputerError", async ([, value]) => {
    const { client, sent } = answering({});
    for (let i = 0; i < 100; i++) {
      expectOurs(
        await failure(() => client().usage.byTag("team", value as object)),
        InvalidRequestError,
      );
      expectOurs(await failure(() => client().tags.listKeys(value as object)), InvalidRequestError);
      expectOurs(await failure(() => new UsageClient(value as object)), InvalidRequestError);
    }
    expect(sent).toEqual([]);
  });

  test("the cause of the error is the thrown value", async () => {
    const { client } = answering({});
    const query = {
      get limit(): number {
        throw thrown;
      },
    };
    expect(await failure(() => client().usage.bySandbox(query))).toHaveProperty("cause", thrown);
  });
});

describe("pages", () => {
  const page = (items: unknown[], nextCursor: string | null) => ({
    from: "2026-01-01T00:00:00Z",
    to: "2026-01-31T00:00:00Z",
    asOf: "2026-01-31T00:00:00Z",
    groupBy: "sandbox",
    total: { memoryGbSeconds: 3, diskOverageGbSeconds: 0 },
    items,
    nextCursor,
  });
  const item = (sandboxId: string) => ({
    sandboxId,
    tags: JSON.parse('{"__proto__":"a","constructor":"b"}'),
    tagsLastUpdatedAt: null,
    memoryGbSeconds: 1,
    diskOverageGbSeconds: 0,
  });
  const cursors = ["eyJ2IjoxLCJ0IjoiYSJ9", "eyJ2IjoxLCJ0IjoiYiJ9"];
  const walk = () =>
    recorded((url) => {
      const at = cursors.indexOf(new URL(url).searchParams.get("cursor") ?? "") + 1;
      return response({ status: 200, body: page([item(`sb-${at}`)], cursors[at] ?? null) });
    });

  test("a call is a promise of its page and iterates over all items", async () => {
    const { sent, client } = walk();
    const ids: string[] = [];
    for await (const { sandboxId } of client().usage.bySandbox({
      limit: 1,
      from: new Date("2026-01-01"),
    }))
      ids.push(sandboxId);
    expect(ids).toEqual(["sb-0", "sb-1", "sb-2"]);
    expect(sent.map(({ url }) => url.searchParams.get("limit"))).toEqual(["1", "1", "1"]);
    expect(sent.map(({ url }) => url.searchParams.get("from"))).toEqual(
      Array(3).fill("2026-01-01T00:00:00Z"),
    );
  });

  test("getNextPage fetches the following pages", async () => {
    const { client } = walk();
    const first = await client().usage.bySandbox();
    expect(first.hasNextPage()).toBe(true);
    const last = await (await first.getNextPage()).getNextPage();
    expect(last.hasNextPage()).toBe(false);
    expect(last.items[0]?.sandboxId).toBe("sb-2");
    expectOurs(await failure(() => last.getNextPage()), InvalidRequestError);
  });

  test("a query is read once, when the call is made", async () => {
    const { sent, client } = walk();
    const from = new Date("2026-01-01");
    const query = { limit: 1, from, filter: { "tag:team": ["payments"] } };
    const call = client().usage.bySandbox(query);
    const change = (n: number) => {
      from.setUTCFullYear(2000 + n);
      query.filter["tag:team"].push(`other ${n}`);
      query.limit = n;
    };
    change(2);
    const first = await call;
    change(3);
    await first.getNextPage();
    const queries = sent.map(({ url }) => {
      const { searchParams: params } = url;
      return ["limit", "from", "filter[tag:team]"].map((name) => params.get(name));
    });
    expect(queries).toEqual(Array(2).fill(["1", "2026-01-01T00:00:00Z", "payments"]));
  });

  test("a page serializes to its JSON", async () => {
    const { client } = walk();
    const first = await client().usage.bySandbox();
    expect(JSON.parse(JSON.stringify(first))).toEqual(page([item("sb-0")], cursors[0] ?? ""));
    expect(Object.keys(first.items[0]?.tags ?? {})).toEqual(["__proto__", "constructor"]);
  });

  test("a loop that ends early sends no further requests", async () => {
    const { sent, client } = walk();
    for await (const _ of client().usage.bySandbox()) break;
    expect(sent).toHaveLength(1);
  });

  test("a call has the methods of a promise", async () => {
    const { client } = walk();
    const promise = client().usage.bySandbox();
    expect(promise).toBeInstanceOf(Promise);
    expect(await promise.then((page) => page.items.length).finally(() => {})).toBe(1);
  });
});

describe("updates", () => {
  const state = (tags: object) =>
    response({ status: 200, headers: { etag: '"1"' }, body: { tags, tagsLastUpdatedAt: null } });

  test("time out with the call while the callback runs", async () => {
    const { sent, client } = recorded(() => state({}));
    const error = await failure(() =>
      client().tags.update("sb", () => new Promise(() => {}), { timeoutMs: 50 }),
    );
    expectOurs(error, TimeoutError);
    expect(sent.map(({ init }) => init.method)).toEqual(["GET"]);
  });

  test("write back the changed user tags", async () => {
    const { sent, client } = recorded((_, { method, body }) =>
      state(method === "GET" ? { team: "a", "oc:plan": "pro" } : JSON.parse(String(body))),
    );
    const after = await client().tags.update("sb", async (tags) => ({ ...tags, env: "prod" }));
    expect(after).toEqual({
      tags: { team: "a", env: "prod" },
      tagsLastUpdatedAt: null,
      etag: '"1"',
    });
    expect(new Headers(sent[1]?.init.headers).get("if-match")).toBe('"1"');
  });

  test("reject with the error of the callback and write nothing", async () => {
    const { sent, client } = recorded(() => state({}));
    const mine = new RangeError("mine");
    const error = await failure(() =>
      client().tags.update("sb", () => {
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(sent.map(({ init }) => init.method)).toEqual(["GET"]);
  });

  test("validate the result of the callback", async () => {
    const { sent, client } = recorded(() => state({}));
    const bad: [unknown, typeof OpenComputerError][] = [
      [undefined, InvalidRequestError],
      [{ "oc:a": "b" }, TagValidationError],
      [
        Object.defineProperty({}, "a", {
          get: () => {
            throw 1;
          },
          enumerable: true,
        }),
        InvalidRequestError,
      ],
    ];
    for (const [tags, type] of bad) {
      expectOurs(await failure(() => client().tags.update("sb", () => tags as never)), type);
    }
    expect(sent.every(({ init }) => init.method === "GET")).toBe(true);
  });
});
