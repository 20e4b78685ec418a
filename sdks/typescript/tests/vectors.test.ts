import {
  type Cursor,
  decodeCursor,
  encodeCursor,
  formatFilter,
  formatGroupBy,
  type GroupBy,
  type ListPage,
  type PagePromise,
  parseFilter,
  parseGroupBy,
  type TagViolation,
  UsageClient,
  validateTagKey,
  validateTags,
  validateTagValue,
} from "@opencomputer/usage";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, expectError, failure, recorded, response } from "./support/calls.js";
import { type Answer, type Case, type ExpectedError, load } from "./support/vectors.js";

/** Runs every case of a suite. A case with an expected error must fail with it. */
function suite<T extends Case>(name: string, run: (testCase: T) => unknown): void {
  describe(name, () => {
    test.for(load<T>(name).map((testCase) => [testCase.name, testCase] as const))(
      "%s",
      async ([, testCase]) => {
        const expected = testCase["error"] as ExpectedError | undefined;
        if (expected) expectError(await failure(() => run(testCase)), expected);
        else await run(testCase);
      },
    );
  });
}

interface Violating extends Case {
  violations: TagViolation[];
}

suite<Violating>("tags", ({ tags, violations }) => {
  expect(validateTags(tags)).toEqual(violations);
});

suite<Violating>("tag-key", ({ key, violations }) => {
  expect(validateTagKey(key as string)).toEqual(violations);
});

suite<Violating>("tag-value", ({ value, violations }) => {
  expect(validateTagValue(value)).toEqual(violations);
});

suite<Case & { groupBy: string; result: GroupBy }>("group-by", ({ groupBy, result }) => {
  expect(parseGroupBy(groupBy)).toEqual(result);
  expect(formatGroupBy(result)).toBe(groupBy);
});

suite<Case & { raw: string; values: string[] | null }>("filter-parse", ({ raw, values }) => {
  expect(parseFilter(raw)).toEqual(values);
  expect(parseFilter(formatFilter(values))).toEqual(values);
});

suite<Case & { raw: string; values: string[] | null }>("filter-format", ({ raw, values }) => {
  expect(formatFilter(values)).toBe(raw);
});

suite<Case & { cursor?: Cursor; encoded: string; decodeOnly?: true }>("cursors", (testCase) => {
  const { cursor, encoded, decodeOnly } = testCase;
  if (cursor && !decodeOnly) expect(encodeCursor(cursor)).toBe(encoded);
  expect(decodeCursor(encoded)).toEqual(cursor);
});

suite<Case & { options: Record<string, unknown> }>("options", ({ options }) => {
  new UsageClient({ apiKey: "key", baseUrl: "https://api.test", ...options });
});

interface Calling extends Case {
  operation: string;
  params: Record<string, unknown>;
}

interface Request {
  method: string;
  path: string;
  query?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Compares a request with the expected one. */
function expectSent({ url, init }: { url: URL; init: RequestInit }, expected: Request): void {
  expect(url.origin).toBe("https://api.test");
  expect(`${init.method} ${url.pathname}`).toBe(`${expected.method} ${expected.path}`);
  if (expected.query !== undefined) expect(url.search.slice(1)).toBe(expected.query);
  const headers = Object.fromEntries(new Headers(init.headers));
  expect(headers).toMatchObject({ "x-api-key": "oc_key", ...expected.headers });
  if ("body" in expected) expect(JSON.parse(String(init.body))).toEqual(expected.body);
  expect(init.redirect).toBe("manual");
}

suite<Calling & { request: Request }>("requests", async ({ operation, params, request }) => {
  const { client, sent } = recorded(() => response({ status: 418 }));
  const error = await failure(() => call(client(), operation, params));
  const [first] = sent;
  if (!first) throw error;
  expect(request, "a rejected call sends nothing").toBeDefined();
  expect(sent).toHaveLength(1);
  expectSent(first, request);
});

suite<Calling & { response: Answer; result: unknown }>("responses", async (testCase) => {
  const { client } = recorded(() => response(testCase.response));
  const result = await call(client({ maxRetries: 0 }), testCase.operation, testCase.params);
  expect(result).toEqual(testCase.result);
});

interface Walking extends Calling {
  pages: { query: string; answer: Answer }[];
  items: string[];
}

describe("walks", () => {
  const named = (item: object) => {
    const names = ["tagValue", "sandboxId", "value", "sandboxID", "group"] as const;
    const name = names.find((name) => name in item);
    return name && (item as Record<typeof name, unknown>)[name];
  };
  const cases = load<Walking>("walks").map((testCase) => [testCase.name, testCase] as const);

  test.for(cases)("%s", async ([, { operation, params, pages, items, error: expected }]) => {
    const ahead = [...pages];
    const { client, sent } = recorded(() => {
      const page = ahead.shift() ?? expect.unreachable("a request after the last page");
      return response(page.answer);
    });
    const walked: unknown[] = [];
    const walk = async () => {
      const call = walkOf(client({ maxRetries: 0 }), operation, params);
      for await (const item of call) walked.push(named(item));
    };
    if (expected) expectError(await failure(walk), expected as ExpectedError);
    else await walk();
    expect(walked).toEqual(items);
    expect(sent.map(({ url }) => url.search.slice(1))).toEqual(pages.map(({ query }) => query));
  });

  test.for(cases)("page by page: %s", async ([, { operation, params, pages, items, error }]) => {
    const ahead = [...pages];
    const { client } = recorded(() => response(ahead.shift()?.answer ?? { status: 418 }));
    const walked: unknown[] = [];
    const walk = async () => {
      let page: ListPage<object> = await walkOf(client({ maxRetries: 0 }), operation, params);
      for (;;) {
        walked.push(...page.items.map(named));
        if (!page.hasNextPage()) return;
        page = await page.getNextPage();
      }
    };
    if (error) expectError(await failure(walk), error as ExpectedError);
    else await walk();
    expect(walked).toEqual(items);
    expect(ahead).toEqual([]);
  });
});

/** Calls one of the lists. */
function walkOf(
  client: UsageClient,
  operation: string,
  params: Record<string, unknown>,
): PagePromise<ListPage<object>, object> {
  const { key, ...query } = params;
  const calls: Record<string, () => unknown> = {
    "usage.by": () => client.usage.by(params["groupBy"] as "region", without(params, "groupBy")),
    "usage.by_tag": () => client.usage.byTag(key as string, query),
    "usage.by_sandbox": () => client.usage.bySandbox(query),
    "tags.list_values": () => client.tags.listValues(key as string, query),
    "sandboxes.list": () => client.sandboxes.list(query),
  };
  const call = calls[operation] ?? expect.unreachable(`no list ${operation}`);
  return call() as PagePromise<ListPage<object>, object>;
}

function without({ ...params }: Record<string, unknown>, name: string): Record<string, unknown> {
  delete params[name];
  return params;
}

interface Step {
  send?: Request;
  answer?: Answer;
  fault?: "connection" | "timeout";
  elapsedMs?: number;
  waitMs?: number;
  change?: unknown;
  to?: Record<string, string>;
}

interface Retrying extends Calling {
  random: number;
  steps: Step[];
  outcome: { result: unknown } | { error: ExpectedError };
  maxRetries?: number;
  timeoutMs?: number;
}

describe("with a fake clock", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date("2026-01-01T00:00:00Z") });
    // The fake clock moves `performance.now()` but not its origin.
    vi.stubGlobal("performance", { now: () => Date.now(), timeOrigin: 0 });
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.unstubAllGlobals();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  suite<Retrying>("retries", async (testCase) => {
    const { operation, params, random, steps, outcome, maxRetries, timeoutMs } = testCase;
    vi.spyOn(Math, "random").mockReturnValue(random);
    const ahead = [...steps];
    const next = (what: string) =>
      ahead.shift() ?? expect.unreachable(`${what} after the last step`);
    let idleSince = Date.now();

    /** Checks what the client waited before this request. */
    const waited = () => {
      if (ahead[0]?.waitMs !== undefined)
        expect(Date.now() - idleSince).toBe(next("a wait").waitMs);
      else expect(Date.now()).toBe(idleSince);
    };
    const { client } = recorded(async (url, init) => {
      waited();
      const step = next("a send");
      expect(step.send, "a send where none was expected").toBeDefined();
      if (step.send) expectSent({ url: new URL(url), init }, step.send);
      await new Promise((resolve) => setTimeout(resolve, step.elapsedMs ?? 0));
      idleSince = Date.now();
      if (step.fault === "timeout") throw new DOMException("too late", "TimeoutError");
      if (step.fault) throw new TypeError("fetch failed");
      return response(step.answer ?? expect.unreachable("a send without an answer"));
    });
    const change = (tags: unknown) => {
      const step = next("a change");
      expect(tags).toEqual(step.change);
      return step.to ?? {};
    };
    const started = Date.now();
    const settled = run(client({ maxRetries, timeoutMs }), operation, params, change).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    await vi.runAllTimersAsync();
    const actual = await settled;

    expect(ahead).toEqual([]);
    if ("error" in outcome) {
      expectError("error" in actual ? actual.error : undefined, outcome.error);
      const last = steps.at(-1);
      if (last?.fault === "timeout") {
        const passed = steps.reduce((ms, step) => ms + (step.elapsedMs ?? step.waitMs ?? 0), 0);
        expect(Date.now() - started).toBe(passed);
      }
    } else {
      expect(actual).toEqual({ result: outcome.result });
    }
  });
});

function run(
  client: UsageClient,
  operation: string,
  params: Record<string, unknown>,
  change: (tags: unknown) => Record<string, string>,
): Promise<unknown> {
  if (operation === "tags.update") return client.tags.update(params["sandboxId"] as string, change);
  return call(client, operation, params);
}
