import {
  type APIError,
  type AuthenticationError,
  type Cursor,
  condition,
  type ErrorCode,
  type GroupBy,
  type OpenComputerError,
  type PagePromise,
  parseFilter,
  parseGroupBy,
  type Sandbox,
  type SandboxTags,
  type SandboxUsage,
  type SandboxUsageItem,
  type SandboxUsagePage,
  type SandboxUsageTotals,
  type TagMap,
  type TagUsageItem,
  TagUsagePage,
  type TagViolation,
  type UntaggedUsage,
  UsageClient,
  type UsagePoint,
  validateTags,
} from "@opencomputer/usage";
import * as pure from "@opencomputer/usage/validate";
import { describe, expectTypeOf, test } from "vitest";

const client = {} as UsageClient;

describe("reports", () => {
  test("by tag have an untagged part and values, by sandbox neither", () => {
    expectTypeOf(client.usage.byTag("team")).toEqualTypeOf<
      PagePromise<TagUsagePage, TagUsageItem>
    >();
    expectTypeOf<TagUsagePage["untagged"]>().toEqualTypeOf<UntaggedUsage | null>();
    expectTypeOf<SandboxUsagePage>().not.toHaveProperty("untagged");
    expectTypeOf<TagUsageItem>().not.toHaveProperty("sandboxId");
    expectTypeOf<SandboxUsageItem>().not.toHaveProperty("tagValue");
  });

  test("are told apart by their classes", () => {
    const page = {} as TagUsagePage | SandboxUsagePage;
    if (page instanceof TagUsagePage) {
      expectTypeOf(page.untagged?.sandboxCount).toEqualTypeOf<number | undefined>();
    } else expectTypeOf(page).toEqualTypeOf<SandboxUsagePage>();
  });

  test("allow null for members that the platform's own servers omit", () => {
    expectTypeOf<SandboxUsagePage["asOf"]>().toEqualTypeOf<string | null>();
    expectTypeOf<SandboxUsagePage["groupBy"]>().toEqualTypeOf<"sandbox" | null>();
    expectTypeOf<SandboxUsageItem["tags"]>().toEqualTypeOf<TagMap | null>();
    expectTypeOf<SandboxUsage["asOf"]>().toEqualTypeOf<string | null>();
    expectTypeOf<SandboxUsage["diskOverageGbSeconds"]>().toEqualTypeOf<number | null>();
    expectTypeOf<SandboxUsage["tags"]>().toEqualTypeOf<TagMap | null>();
    expectTypeOf<SandboxUsage["totals"]>().toEqualTypeOf<SandboxUsageTotals | null>();
    expectTypeOf<SandboxUsage["points"]>().toEqualTypeOf<UsagePoint[] | null>();
    for (const name of ["region", "workerID", "template"] as const) {
      expectTypeOf<Sandbox[typeof name]>().toEqualTypeOf<string | null>();
    }
  });

  test("are awaited as pages and iterated as items", async () => {
    expectTypeOf<
      Awaited<ReturnType<typeof client.usage.bySandbox>>
    >().toEqualTypeOf<SandboxUsagePage>();
    for await (const item of client.usage.bySandbox()) {
      expectTypeOf(item).toEqualTypeOf<SandboxUsageItem>();
    }
  });
});

describe("arguments", () => {
  test("accept only known filters", () => {
    client.usage.byTag("team", { filter: { "tag:env": ["prod"], sandbox: "sb-1", "tag:x": null } });
    // @ts-expect-error: unknown dimension.
    client.usage.byTag("team", { filter: { team: ["a"] } });
    // @ts-expect-error: undefined could widen a report.
    client.usage.byTag("team", { filter: { "tag:env": undefined } });
    // @ts-expect-error: null is only for tags.
    client.usage.byTag("team", { filter: { sandbox: null } });
    // @ts-expect-error: unknown order.
    client.usage.bySandbox({ sort: "memoryGbSeconds" });
    // @ts-expect-error: unknown option.
    client.usage.bySandbox({ limt: 5 });
    // @ts-expect-error: tags are strings.
    client.tags.set("sb-1", { a: 1 });
  });

  test("accept tags of an interface", () => {
    interface Known {
      team: string;
      env?: string;
    }
    const known: Known = { team: "payments" };
    client.tags.set("sb-1", known);
    client.tags.set("sb-1", { team: "payments" } as TagMap);
    client.tags.set("sb-1", {});
    // @ts-expect-error: tags are strings.
    client.tags.set("sb-1", { team: 1 });
    // @ts-expect-error: a list is not a map.
    client.tags.set("sb-1", ["team"]);
    // @ts-expect-error: a Map is not a plain object.
    client.tags.set("sb-1", new Map([["team", "payments"]]));
  });

  test("reject a condition that may be missing", () => {
    const state = {} as SandboxTags;
    client.tags.set("sb-1", {}, { ifMatch: condition(state) });
    // @ts-expect-error: null would make the write unconditional.
    client.tags.set("sb-1", {}, { ifMatch: state.etag });
  });

  test("accept any fetch with the required members", () => {
    new UsageClient({ fetch });
    new UsageClient({ fetch: async (_url: string) => new Response() });
    new UsageClient({
      fetch: async (_url, { headers }) => ({
        status: headers["accept"] ? 200 : 400,
        headers: new Map<string, string>(),
        arrayBuffer: async () => new ArrayBuffer(0),
      }),
    });
    // @ts-expect-error: it does not return a promise of a response.
    new UsageClient({ fetch: () => 5 });
  });

  test("accept options of a client and of a call", () => {
    new UsageClient({ apiKey: "k", baseUrl: "u", timeoutMs: 1, maxRetries: 0, logger: console });
    // @ts-expect-error: unknown option.
    new UsageClient({ key: "k" });
    client.tags.get("sb-1", { signal: new AbortController().signal, headers: { a: "b" } });
    expectTypeOf(client.tags.update("sb-1", async (tags) => ({ ...tags, a: "b" }))).toEqualTypeOf<
      Promise<SandboxTags>
    >();
  });
});

test("pure functions have exact types", () => {
  expectTypeOf(validateTags).parameter(0).toBeUnknown();
  expectTypeOf(validateTags).returns.toEqualTypeOf<TagViolation[]>();
  expectTypeOf(parseFilter).returns.toEqualTypeOf<string[] | null>();
  expectTypeOf(pure.validateTags).toEqualTypeOf(validateTags);
  expectTypeOf(pure.decodeCursor).returns.toEqualTypeOf<Cursor>();
  const groupBy: GroupBy = parseGroupBy("tag:team");
  if (groupBy.kind === "tag") expectTypeOf(groupBy.key).toEqualTypeOf<string>();
  // @ts-expect-error: a group by sandbox has no key.
  else groupBy.key;
});

test("errors have typed details", () => {
  expectTypeOf<AuthenticationError>().toExtend<APIError>();
  expectTypeOf<OpenComputerError["code"]>().toEqualTypeOf<ErrorCode | (string & {}) | undefined>();
  expectTypeOf<"invalid_cursor">().toExtend<ErrorCode>();
  expectTypeOf<APIError["body"]>().toBeUnknown();
});
