import {
  type APIError,
  type AuthenticationError,
  type Cursor,
  condition,
  type ErrorCode,
  type GroupBy,
  type GroupByDimension,
  type GroupUsagePage,
  type Measured,
  type OpenComputerError,
  type PagePromise,
  parseFilter,
  parseGroupBy,
  type Sandbox,
  type SandboxPage,
  type SandboxTags,
  type SandboxUsage,
  type SandboxUsageItem,
  type SandboxUsagePage,
  type SandboxUsageTotals,
  type TagMap,
  type TagUsageItem,
  TagUsagePage,
  type TagValuePage,
  type TagViolation,
  type UntaggedUsage,
  type UsageBucket,
  UsageClient,
  type UsageInterval,
  type UsagePoint,
  type UsageQuery,
  type UsageSeries,
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
    expectTypeOf<SandboxUsage["totals"]>().toEqualTypeOf<Measured<SandboxUsageTotals> | null>();
    expectTypeOf<SandboxUsage["points"]>().toEqualTypeOf<Measured<UsagePoint>[] | null>();
    for (const name of ["region", "workerID", "template"] as const) {
      expectTypeOf<Sandbox[typeof name]>().toEqualTypeOf<string | null>();
    }
  });

  test("are awaited as pages and iterated as items", async () => {
    expectTypeOf(await client.usage.bySandbox()).toEqualTypeOf<SandboxUsagePage>();
    for await (const item of client.usage.bySandbox()) {
      expectTypeOf(item).toEqualTypeOf<SandboxUsageItem>();
    }
  });
});

describe("reports with an interval", () => {
  test("have series and buckets that are never undefined", async () => {
    const page = await client.usage.byTag("team", { interval: "1d" });
    expectTypeOf(page.total.series).toEqualTypeOf<UsageSeries>();
    expectTypeOf(page.untagged?.series.memoryGbSeconds).toEqualTypeOf<number[] | undefined>();
    expectTypeOf(page.items[0]?.series).toEqualTypeOf<UsageSeries | undefined>();
    expectTypeOf(page.buckets).toEqualTypeOf<readonly UsageBucket[]>();
    expectTypeOf(page.interval).toEqualTypeOf<UsageInterval>();
    expectTypeOf((await page.getNextPage()).buckets).toEqualTypeOf<readonly UsageBucket[]>();
    expectTypeOf(page.toJSON().buckets).toEqualTypeOf<readonly UsageBucket[]>();
    for await (const item of client.usage.bySandbox({ interval: "1w" })) {
      expectTypeOf(item.series.diskOverageGbSeconds).toEqualTypeOf<number[]>();
    }
    for (const item of page) expectTypeOf(item.series).toEqualTypeOf<UsageSeries>();
  });

  test("are told apart from those without", async () => {
    for (const page of [
      await client.usage.byTag("team"),
      await client.usage.byTag("team", {}),
      await client.usage.byTag("team", { interval: undefined, limit: 5 }),
      await client.usage.byTag("team", { interval: null }),
    ]) {
      expectTypeOf(page).toEqualTypeOf<TagUsagePage>();
      expectTypeOf(page).not.toHaveProperty("buckets");
      expectTypeOf(page.total).not.toHaveProperty("series");
    }
  });

  test("may have no series if the option may be absent", async () => {
    const page = await client.usage.bySandbox({} as UsageQuery);
    expectTypeOf(page.total.series).toEqualTypeOf<UsageSeries | undefined>();
    expectTypeOf(page.buckets).toEqualTypeOf<readonly UsageBucket[] | undefined>();
    const known: SandboxUsagePage = page;
    expectTypeOf(known.items).toEqualTypeOf<readonly SandboxUsageItem[]>();
  });

  test("have points of one sandbox", async () => {
    const usage = await client.usage.forSandbox("sb-1", { interval: "1h" });
    expectTypeOf(usage.points).toEqualTypeOf<Measured<UsagePoint>[]>();
    expectTypeOf(usage.totals.usedFraction).toEqualTypeOf<number | null>();
    expectTypeOf(usage.points[0]?.usedFraction).toEqualTypeOf<number | null | undefined>();
    expectTypeOf(await client.usage.forSandbox("sb-1")).toEqualTypeOf<SandboxUsage>();
  });
});

describe("reports by dimensions", () => {
  test("by one tag and by sandbox are those of byTag and bySandbox", () => {
    expectTypeOf(client.usage.by("tag:team")).toEqualTypeOf(client.usage.byTag("team"));
    expectTypeOf(client.usage.by(["tag:team"])).toEqualTypeOf(client.usage.byTag("team"));
    expectTypeOf(client.usage.by("sandbox")).toEqualTypeOf(client.usage.bySandbox());
    expectTypeOf(client.usage.by("tag:team", { interval: "1d" })).toEqualTypeOf(
      client.usage.byTag("team", { interval: "1d" }),
    );
  });

  test("know the members of a group", async () => {
    const page = await client.usage.by(["tag:team", "region"], { interval: "1mo" });
    const [item] = page.items;
    expectTypeOf(item?.group["tag:team"]).toEqualTypeOf<string | null | undefined>();
    for (const { group, series } of page) {
      expectTypeOf(group["tag:team"]).toEqualTypeOf<string | null>();
      expectTypeOf(group.region).toEqualTypeOf<string | null>();
      expectTypeOf(series.memoryGbSeconds).toEqualTypeOf<number[]>();
    }
    expectTypeOf(await client.usage.by("status")).toEqualTypeOf<GroupUsagePage<"status">>();
    const some: GroupUsagePage = page;
    expectTypeOf(some.untagged?.sandboxCount).toEqualTypeOf<number | undefined>();
  });

  test("accept only dimensions", () => {
    // @ts-expect-error: the key of a tag needs its prefix.
    client.usage.by("team");
    // @ts-expect-error: unknown dimension.
    client.usage.by(["tag:team", "worker"]);
    // @ts-expect-error: unknown interval.
    client.usage.by("region", { interval: "1y" });
    // @ts-expect-error: unknown option.
    client.usage.by("region", { intervall: "1d" });
  });
});

describe("lists", () => {
  test("are awaited as pages and iterated as items", async () => {
    const page = await client.sandboxes.list({ state: "all", exclude: { region: null } });
    const all: Sandbox[] = page;
    expectTypeOf(page).toEqualTypeOf<SandboxPage>();
    expectTypeOf(page.map(({ sandboxID }) => sandboxID)).toEqualTypeOf<string[]>();
    expectTypeOf(all.length).toEqualTypeOf<number>();
    for await (const { value, sandboxCount } of client.tags.listValues("team", { prefix: "p" })) {
      expectTypeOf(value).toEqualTypeOf<string>();
      expectTypeOf(sandboxCount).toEqualTypeOf<number>();
    }
    expectTypeOf(await client.tags.listValues("team")).toEqualTypeOf<TagValuePage>();
    // @ts-expect-error: unknown state.
    client.sandboxes.list({ state: "stopped" });
    // @ts-expect-error: there is no prefix of sandboxes.
    client.sandboxes.list({ prefix: "sb" });
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
  else if (groupBy.kind === "sandbox") groupBy.key;
  else if (groupBy.kind === "dimensions") {
    expectTypeOf(groupBy.dimensions).toEqualTypeOf<readonly GroupByDimension[]>();
  } else expectTypeOf(groupBy.kind).toEqualTypeOf<"template" | "region" | "status">();
});

test("errors have typed details", () => {
  expectTypeOf<AuthenticationError>().toExtend<APIError>();
  expectTypeOf<OpenComputerError["code"]>().toEqualTypeOf<ErrorCode | (string & {}) | undefined>();
  expectTypeOf<"invalid_cursor">().toExtend<ErrorCode>();
  expectTypeOf<APIError["body"]>().toBeUnknown();
});
