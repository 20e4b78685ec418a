// @ts-check
// The demo's report: who used what in the ninety days before today, in whole GB-seconds.
// Reads OPENCOMPUTER_API_URL and OPENCOMPUTER_API_KEY. The Python SDK has the same report; both print the same.

import { TagValidationError, UsageClient } from "@opencomputer/usage";

const DAY_MS = 86_400_000;
const to = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS);
const from = new Date(to.getTime() - 90 * DAY_MS);

/** @param {number} amount */
const whole = (amount) => Math.floor(amount + 0.5).toLocaleString("en-US");

/** @param {number} part @param {number} of */
const share = (part, of) => {
  const permille = of ? Math.floor((1000 * part) / of + 0.5) : 0;
  return `${Math.floor(permille / 10)}.${permille % 10}%`;
};

/** @param {number} amount @param {number} largest */
const bar = (amount, largest) =>
  amount ? "▁▂▃▄▅▆▇█".charAt(Math.min(7, Math.floor((8 * amount) / largest))) : " ";

/** @param {string[][]} rows @param {number} textColumns */
const table = (rows, textColumns) => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column < textColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(`  ${cells.join("  ").trimEnd()}`);
  }
};

const client = new UsageClient();
/** @param {Date} date */
const day = (date) => date.toISOString().slice(0, 10);
console.log(`Usage from ${day(from)} to ${day(to)}, in GB-seconds\n`);

const teams = await client.usage.byTag("team", { from, to, interval: "1w" });
const { total, untagged } = teams;
const groups = [];
for await (const item of teams) groups.push({ name: item.tagValue, ...item });
groups.push({ name: "(untagged)", ...untagged });
const sandboxCount = groups.reduce((sum, group) => sum + group.sandboxCount, 0);
const rows = [["team", "sandboxes", "memory", "share", "disk overage", "share"]];
for (const group of [...groups, { name: "total", ...total, sandboxCount }]) {
  rows.push([
    group.name,
    String(group.sandboxCount),
    whole(group.memoryGbSeconds),
    share(group.memoryGbSeconds, total.memoryGbSeconds),
    whole(group.diskOverageGbSeconds),
    share(group.diskOverageGbSeconds, total.diskOverageGbSeconds),
  ]);
}
table(rows, 1);

const sandboxes = [];
for await (const item of client.usage.bySandbox({ from, to, limit: 100 })) sandboxes.push(item);
const byTeam = groups.reduce((sum, group) => sum + group.memoryGbSeconds, 0);
const bySandbox = sandboxes.reduce((sum, item) => sum + item.memoryGbSeconds, 0);
const holds = [byTeam, bySandbox].every(
  (part) => Math.abs(part - total.memoryGbSeconds) <= 1e-9 * total.memoryGbSeconds,
);
console.log(
  `\n  memory: teams + untagged ${whole(byTeam)} = ${sandboxes.length} sandboxes ${whole(bySandbox)}` +
    ` = total ${whole(total.memoryGbSeconds)}: ${holds ? "the sums reconcile" : "THE SUMS DIFFER"}`,
);

console.log("\nMemory by week\n");
const weekly = [...groups, { name: "total", ...total }].map(({ name, series }) => ({
  name,
  amounts: series.memoryGbSeconds,
}));
const weeks = teams.buckets.map((bucket, index) => [
  bucket.from.slice(0, 10) + (bucket.partial ? "*" : ""),
  ...weekly.map(({ amounts }) => {
    const amount = amounts[index] ?? 0;
    return `${whole(amount)} ${bar(amount, Math.max(...amounts))}`;
  }),
]);
table([["week", ...weekly.map(({ name }) => `${name}  `)], ...weeks], 1);
console.log("\n  * cut by the window; bars compare the weeks of a column");

console.log("\nTop five sandboxes\n");
const header = ["sandbox", "alias", "team", "status", "memory", "disk overage"];
const top5 = sandboxes
  .slice(0, 5)
  .map((item) => [
    item.sandboxId,
    item.alias ?? "-",
    item.tags["team"] ?? "-",
    item.status ?? "-",
    whole(item.memoryGbSeconds),
    whole(item.diskOverageGbSeconds),
  ]);
table([header, ...top5], 4);

const top = sandboxes.find((item) => Object.keys(item.tags).length > 0)?.sandboxId ?? "";
const one = await client.usage.forSandbox(top, { from, to });
console.log(`\nDrilldown of ${top}\n`);
const tags = Object.keys(one.tags).sort();
table(
  [
    ["memory", `${whole(one.memoryGbSeconds)} GB-seconds`],
    ["disk overage", `${whole(one.diskOverageGbSeconds)} GB-seconds`],
    ["first started", one.firstStartedAt ?? "-"],
    ["last ended", one.lastEndedAt ?? "still open"],
    ["tags", tags.map((key) => `${key}=${one.tags[key]}`).join(", ")],
  ],
  2,
);

console.log("\nInvalid tags, rejected before they are sent\n");
try {
  await client.tags.set(top, {
    "oc:team": "payments",
    "cost center": "42",
    owner: "x".repeat(257),
  });
} catch (error) {
  if (!(error instanceof TagValidationError)) throw error;
  table(
    error.violations.map((violation) => [violation.key ?? "-", violation.code, violation.message]),
    3,
  );
}

const before = await client.tags.get(top);
const after = await client.tags.update(top, (current) => ({ ...current, reviewed: "yes" }));
const added = Object.entries(after.tags).filter(([key]) => !(key in before.tags));
const restored = Object.entries(after.tags).filter(
  ([key]) => key in before.tags && !key.startsWith("oc:"),
);
await client.tags.set(top, Object.fromEntries(restored), { ifMatch: after.etag ?? undefined });
const shown = added.map(([key, value]) => `${key}=${value}`).join(", ");
console.log(`\nA tag update of ${top}: added ${shown}, then took it back`);
if (!holds) process.exitCode = 1;
