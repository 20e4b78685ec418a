import { expect, test } from "vitest";
import { tableOf } from "../src/usage/export.js";
import { type AnyPage, toReport } from "../src/usage/groups.js";
import { readQuery } from "../src/usage/query.js";
import { countPage, type Loaded } from "../src/usage/report.js";
import { changeName } from "../src/usage/words.js";

const amounts = (memoryGbSeconds: number) => ({ memoryGbSeconds, diskOverageGbSeconds: 0 });

function partsOf(groupBy: string[], items: AnyPage["items"], untagged: AnyPage["untagged"] = null) {
  const page = {
    from: "2026-03-01T00:00:00Z",
    to: "2026-04-01T00:00:00Z",
    asOf: "2026-05-01T00:00:00Z",
    total: amounts(8),
    untagged,
    items,
    nextCursor: null,
  };
  const report = toReport(groupBy, page);
  const data: Loaded = { query: readQuery(new URLSearchParams()), report, first: report };
  const before = {
    report,
    window: { from: "2026-02-01", to: "2026-03-01" },
    total: amounts(5),
    rows: new Map([[report.rows[0]?.key ?? "", amounts(4)]]),
    untagged: amounts(1),
  };
  return { data, before, hasFailedBefore: false, count: countPage(data) };
}

/** Returns the lines as objects by the names of their columns. */
function linesOf(parts: Parameters<typeof tableOf>[0]) {
  const [names = [], ...lines] = tableOf(parts);
  for (const line of lines) expect(line).toHaveLength(names.length);
  return lines.map((line) => Object.fromEntries(names.map((name, i) => [name, line[i]])));
}

test("a file has the groups, what is untagged, and the total, with their amounts before", () => {
  const item = { tagKey: "team", tagValue: "a", sandboxCount: 3, ...amounts(6) };
  const parts = partsOf(["tag:team"], [item], { sandboxCount: 1, ...amounts(2) });
  const before = "Memory in the window before (GB-seconds)";
  const share = "Share of total memory (fraction)";
  expect(linesOf(parts)).toMatchObject([
    { Row: "group", "tag:team": "a", "Memory (GB-seconds)": 6, [share]: 0.75, [before]: 4 },
    { Row: "untagged", "tag:team": null, "Memory (GB-seconds)": 2, [share]: 0.25, [before]: 1 },
    { Row: "total", "tag:team": null, "Memory (GB-seconds)": 8, [share]: 1, [before]: 5 },
  ]);
});

test("a file of sandboxes has their names and tags", () => {
  const item = {
    sandboxId: "sb-1",
    alias: "=1+1",
    status: "running",
    tags: { team: "a" },
    tagsLastUpdatedAt: null,
    ...amounts(8),
  };
  expect(linesOf(partsOf(["sandbox"], [item]))).toMatchObject([
    {
      Row: "group",
      Sandbox: "sb-1",
      Alias: "=1+1",
      Status: "running",
      "Tags (JSON)": '{"team":"a"}',
    },
    { Row: "total", Sandbox: null, "Sandboxes (count)": null },
  ]);
});

test("a large growth is a factor", () => {
  expect(changeName(9.5)).toContain("%");
  expect(changeName(59)).toBe("×60");
  expect(changeName("new")).toBe("new");
});
