import {
  AuthenticationError,
  ConflictError,
  condition,
  decodeCursor,
  InvalidRequestError,
  NotFoundError,
  Tags,
  Usage,
  UsageClient,
  type UsageTotals,
  userTags,
} from "@opencomputer/usage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failure } from "./support/calls.js";
import { type LiveServer, startDemo } from "./support/server.js";

let server: LiveServer;
let client: UsageClient;

beforeAll(async () => {
  server = await startDemo();
  client = new UsageClient({ apiKey: server.apiKey, baseUrl: server.url });
}, 30_000);
afterAll(() => server?.stop());

const sum = (amounts: readonly UsageTotals[], name: keyof UsageTotals) =>
  amounts.reduce((sum, amount) => sum + amount[name], 0);

/** Checks that parts add up to a whole, except for rounding. */
function expectSum(parts: readonly UsageTotals[], whole: UsageTotals): void {
  for (const name of ["memoryGbSeconds", "diskOverageGbSeconds"] as const) {
    expect(Math.abs(sum(parts, name) / whole[name] - 1)).toBeLessThan(1e-9);
  }
}

describe("against the live server", () => {
  test("a walk shows every sandbox once, at one instant, and adds up to the total", async () => {
    const first = await client.usage.bySandbox({ limit: 33 });
    const pages = [first];
    for (let page = first; page.hasNextPage(); ) {
      page = await page.getNextPage();
      pages.push(page);
    }
    expect(pages.length).toBeGreaterThan(3);
    expect(new Set(pages.map(({ asOf }) => asOf)).size).toBe(1);
    expect(decodeCursor(first.nextCursor ?? "").asOf).toBe(first.asOf);
    const items = pages.flatMap(({ items }) => items);
    expect(new Set(items.map(({ sandboxId }) => sandboxId)).size).toBe(items.length);
    expectSum(items, first.total);
    const amounts = items.map(({ memoryGbSeconds }) => memoryGbSeconds);
    expect(amounts).toEqual([...amounts].sort((a, b) => b - a));
  });

  test("a walk by iteration shows the same as one large page", async () => {
    const to = new Date(Date.now() - 86_400_000);
    const walked: string[] = [];
    for await (const { sandboxId } of client.usage.bySandbox({ to, limit: 50 }))
      walked.push(sandboxId);
    const page = await client.usage.bySandbox({ to, limit: 500 });
    expect(walked).toEqual(page.items.map(({ sandboxId }) => sandboxId));
  });

  test("the values of a tag and the untagged part add up to the total", async () => {
    const page = await client.usage.byTag("team", { limit: 500 });
    expect(page.groupBy).toBe("tag:team");
    const untagged = page.untagged ?? expect.unreachable("no untagged part");
    expect(untagged.sandboxCount).toBeGreaterThan(0);
    expectSum([...page.items, untagged], page.total);
    const lacking = await client.usage.bySandbox({ filter: { "tag:team": null }, limit: 500 });
    expect(lacking.items).toHaveLength(untagged.sandboxCount);
  });

  test("a drilldown agrees with the report", async () => {
    const to = new Date(Date.now() - 86_400_000);
    const [top] = (await client.usage.bySandbox({ to, limit: 1 })).items;
    const usage = await client.usage.forSandbox(top?.sandboxId ?? "", {
      from: new Date(to.getTime() - 30 * 86_400_000),
      to,
    });
    expect(usage).toMatchObject(top ?? {});
  });

  test("tags are set, read, changed and cleared", async () => {
    const { sandboxId } = await anySandbox();
    const tags = { team: "payments", quoted: 'a,"b" 😀' };
    const written = await client.tags.set(sandboxId, tags);
    expect(written.tags).toMatchObject(tags);
    expect(await client.tags.get(sandboxId)).toEqual(written);
    const updated = await client.tags.update(sandboxId, ({ quoted: _, ...rest }) => ({
      ...rest,
      env: "dev",
    }));
    expect(updated.tags).toMatchObject({ team: "payments", env: "dev" });
    expect(updated.tags).not.toHaveProperty("quoted");
    expect((await client.sandboxes.get(sandboxId)).tags).toEqual(updated.tags);
    expect((await client.tags.listKeys()).map(({ key }) => key)).toContain("team");
    await client.tags.set(sandboxId, {});
  });

  test("a write with an outdated entity tag is a conflict and writes nothing", async () => {
    const { sandboxId } = await anySandbox();
    const before = await client.tags.set(sandboxId, { a: "1" });
    const after = await client.tags.set(sandboxId, { a: "2" });
    const error = await failure(() =>
      client.tags.set(sandboxId, { a: "3" }, { ifMatch: condition(before) }),
    );
    expect(error).toBeInstanceOf(ConflictError);
    expect(error).toMatchObject({
      status: 412,
      code: "tags_changed",
      requestId: expect.any(String),
    });
    expect(await client.tags.get(sandboxId)).toEqual(after);
  });

  test("an update survives a write in between", async () => {
    const { sandboxId } = await anySandbox();
    await client.tags.set(sandboxId, { a: "1" });
    let calls = 0;
    const { tags } = await client.tags.update(sandboxId, async (tags) => {
      if (calls++ === 0) await client.tags.set(sandboxId, { ...tags, b: "theirs" });
      return { ...tags, c: "ours" };
    });
    expect(calls).toBe(2);
    expect(tags).toMatchObject({ a: "1", b: "theirs", c: "ours" });
  });

  test("twenty concurrent updates succeed without losing a tag", async () => {
    const { sandboxId } = await anySandbox();
    await client.tags.set(sandboxId, {});
    const keys = Array.from({ length: 20 }, (_, i) => `writer${i}`);
    const update = (key: string) =>
      client.tags.update(sandboxId, (tags) => ({ ...tags, [key]: "x" }));
    await Promise.all(keys.map(update));
    const { tags } = await client.tags.get(sandboxId);
    expect(Object.keys(userTags(tags)).sort()).toEqual([...keys].sort());
    await client.tags.set(sandboxId, {});
  }, 60_000);

  test("a series adds up to its amount, by days of a time zone and several dimensions", async () => {
    const page = await client.usage.by(["tag:team", "region"], {
      from: new Date(Date.now() - 20 * 86_400_000),
      timeZone: "Europe/Berlin",
      interval: "1d",
      limit: 100,
    });
    expect(page.timezone).toBe("Europe/Berlin");
    expect(page.buckets.length).toBeGreaterThan(19);
    expect(page.buckets[0]).toMatchObject({ from: page.from, partial: true });
    const untagged = page.untagged ?? expect.unreachable("no untagged part");
    expect(page.items.length).toBeGreaterThan(5);
    for (const { series, ...amounts } of [page.total, untagged, ...page.items]) {
      for (const name of ["memoryGbSeconds", "diskOverageGbSeconds"] as const) {
        expect(series[name]).toHaveLength(page.buckets.length);
        const sum = series[name].reduce((sum, one) => sum + one, 0);
        expect(Math.abs(sum - amounts[name])).toBeLessThanOrEqual(1e-9 * amounts[name]);
      }
    }
    expectSum([...page.items, untagged], page.total);
    expect(new Set(page.items.map(({ group }) => JSON.stringify(group))).size).toBe(
      page.items.length,
    );
  });

  test("a walk over several dimensions shows every group once", async () => {
    const dimensions = ["tag:team", "region", "status"] as const;
    const all = await client.usage.by(dimensions, { limit: 500 });
    const walked: unknown[] = [];
    for await (const { group } of client.usage.by(dimensions, { limit: 7 })) walked.push(group);
    expect(walked).toEqual(all.items.map(({ group }) => group));
    expect(walked.length).toBeGreaterThan(7);
  });

  test("a filter and the same exclusion divide the total", async () => {
    const to = new Date(Date.now() - 86_400_000);
    const values = { "tag:env": ["prod"] };
    const [all, kept, dropped] = await Promise.all([
      client.usage.bySandbox({ to, limit: 1 }),
      client.usage.bySandbox({ to, limit: 1, filter: values }),
      client.usage.bySandbox({ to, limit: 1, exclude: values }),
    ]);
    expectSum([kept.total, dropped.total], all.total);
    expect(kept.total.memoryGbSeconds).toBeGreaterThan(0);
    expect(dropped.total.memoryGbSeconds).toBeGreaterThan(0);
  });

  test("the points of a sandbox add up to its totals", async () => {
    const { sandboxId } = await anySandbox();
    const { totals, points, buckets } = await client.usage.forSandbox(sandboxId, {
      interval: "1w",
      timeZone: "America/New_York",
    });
    expect(points.map(({ ts }) => ts)).toEqual(buckets?.map(({ from }) => from));
    const allocated = points.reduce((sum, point) => sum + point.memoryAllocatedGbSeconds, 0);
    expect(allocated).toBeGreaterThan(0);
    expect(Math.abs(allocated / totals.memoryAllocatedGbSeconds - 1)).toBeLessThan(1e-9);
    for (const { usedFraction } of [totals, ...points]) {
      if (usedFraction !== null) expect(usedFraction).toBeGreaterThan(0);
    }
  });

  test("running sandboxes are listed first, and a walk shows every sandbox once", async () => {
    const running = await client.sandboxes.list();
    expect(running.length).toBeGreaterThan(0);
    expect(running.every(({ status }) => status !== "stopped")).toBe(true);
    const walked: string[] = [];
    for await (const { sandboxID } of client.sandboxes.list({ state: "all", limit: 33 })) {
      walked.push(sandboxID);
    }
    expect(new Set(walked).size).toBe(walked.length);
    expect(walked.length).toBeGreaterThan(running.length);
    const some = await client.sandboxes.list({ filter: { "tag:env": ["prod"] }, limit: 5 });
    expect(some.map(({ tags }) => tags?.["env"])).toEqual(some.map(() => "prod"));
  });

  test("the values of a tag are listed, by prefix and page by page", async () => {
    const keys = await client.tags.listKeys();
    const { key, valueCount } =
      keys.find(({ valueCount }) => valueCount > 3) ?? expect.unreachable("no key with values");
    const walked: string[] = [];
    for await (const { value } of client.tags.listValues(key, { limit: 2 })) walked.push(value);
    expect(walked).toHaveLength(valueCount);
    const [value = ""] = walked;
    const page = await client.tags.listValues(key, { prefix: value });
    expect(page.items.every((item) => item.value.startsWith(value))).toBe(true);
    expect(page.items[0]?.sandboxCount).toBeGreaterThan(0);
    expect((await client.tags.listValues("no-such-key")).items).toEqual([]);
  });

  test("a wrong key is an authentication error", async () => {
    const stranger = new UsageClient({ apiKey: "oc_wrong", baseUrl: server.url });
    const error = await failure(() => stranger.tags.listKeys());
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: "unauthorized" });
  });

  test("an unknown sandbox is not found", async () => {
    const id = "no such/sandbox?";
    const calls = [
      () => client.tags.get(id),
      () => client.tags.update(id, (tags) => tags),
      () => client.usage.forSandbox(id),
      () => client.sandboxes.get(id),
    ];
    for (const call of calls) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ status: 404, code: "sandbox_not_found" });
    }
  });

  test("the server rejects a cursor of another query", async () => {
    const { nextCursor } = await client.usage.bySandbox({ limit: 1 });
    const error = await failure(() => client.usage.byTag("team", { cursor: nextCursor }));
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(error).toMatchObject({
      status: 400,
      code: "invalid_cursor",
      requestId: expect.any(String),
    });
  });

  test("the platform's classes work", async () => {
    const usage = new Usage(`${server.url}/api`, server.apiKey);
    const page = await usage.byTag("team");
    expect(page.items.length).toBeGreaterThan(0);
    const { points, totals } = await usage.forSandbox((await anySandbox()).sandboxId);
    expect(points.length).toBeGreaterThanOrEqual(60);
    const uptime = points.reduce((sum, { uptimeSeconds }) => sum + uptimeSeconds, 0);
    expect(totals.uptimeSeconds).toBeCloseTo(uptime, 6);
    expect(await new Tags(server.url, server.apiKey).listKeys()).toEqual(
      await client.tags.listKeys(),
    );
  });

  async function anySandbox() {
    const [item] = (await client.usage.bySandbox({ limit: 1 })).items;
    return item ?? expect.unreachable("a fleet without sandboxes");
  }
});
