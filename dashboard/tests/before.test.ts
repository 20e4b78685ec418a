import type { UsageQuery } from "@opencomputer/usage";
import { expect, test } from "vitest";
import type { Session } from "../src/session.js";
import { loadBefore } from "../src/usage/before.js";
import { type AnyPage, toReport } from "../src/usage/groups.js";
import { readQuery } from "../src/usage/query.js";

const amounts = (memoryGbSeconds: number) => ({ memoryGbSeconds, diskOverageGbSeconds: 0 });
const item = (tagValue: string, memory: number) => ({
  tagKey: "team",
  tagValue,
  sandboxCount: 1,
  ...amounts(memory),
});
const page = (items: AnyPage["items"], nextCursor: string | null): AnyPage => ({
  from: "2026-03-02T00:00:00Z",
  to: "2026-03-03T00:00:00Z",
  asOf: "2026-05-01T00:00:00Z",
  total: amounts(9),
  untagged: null,
  items,
  nextCursor,
});

/** Loads the window before of the teams a, b and c, from a server with these pages. */
async function load(...pages: AnyPage[]) {
  const queries: UsageQuery[] = [];
  const by = async (_: unknown, query: UsageQuery) => {
    queries.push(query);
    return pages[queries.length - 1];
  };
  const session = { client: { usage: { by } } } as unknown as Session;
  const report = toReport(["tag:team"], page([item("a", 3), item("b", 2), item("c", 1)], null));
  const query = readQuery(new URLSearchParams("filter[tag:team]=a,b,c,d&exclude[region]=x"));
  const { rows } = await loadBefore(session, query, report, new AbortController().signal);
  const found = report.rows.map(({ key }) => rows.get(key)?.memoryGbSeconds);
  return { queries, found };
}

test("asks once if a page has every group, and takes a missing group as without usage", async () => {
  const { queries, found } = await load(page([item("b", 7), item("a", 1)], null));
  expect(queries).toMatchObject([
    { from: "2026-03-01", to: "2026-03-02", filter: { "tag:team": "a,b,c,d" } },
  ]);
  expect(found).toEqual([1, 7, 0]);
});

test("asks for the shown groups that are not on the first page", async () => {
  const { queries, found } = await load(page([item("a", 1)], "more"), page([item("c", 4)], null));
  expect(queries[1]).toMatchObject({
    from: "2026-03-01",
    to: "2026-03-02",
    filter: { "tag:team": "b,c" },
    exclude: { region: "x" },
  });
  expect(queries).toHaveLength(2);
  expect(found).toEqual([1, 0, 4]);
});
