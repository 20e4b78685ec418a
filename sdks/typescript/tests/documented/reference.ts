import { Usage, Tags } from "@opencomputer/usage";

const usage = new Usage("https://app.opencomputer.dev", process.env.OPENCOMPUTER_API_KEY!);
const tags = new Tags("https://app.opencomputer.dev", process.env.OPENCOMPUTER_API_KEY!);

const r = await usage.forSandbox("sb-abc123", { from: "2026-05-27T00:00:00Z", to: "2026-05-27T01:00:00Z" });
const utilization = r.totals.memoryAllocatedGbSeconds === 0 ? 0 : r.totals.memoryUsedGbSeconds / r.totals.memoryAllocatedGbSeconds;
console.log(`${(utilization * 100).toFixed(0)}% memory utilization`);
for (const point of r.points) { /* point.ts, point.allocatedMemoryMb, point.usedMemoryMbAvg */ }

const page = await usage.bySandbox({ from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z", filter: { "tag:team": "payments" }, limit: 20 });
for (const item of page.items) { console.log(item.sandboxId, item.memoryGbSeconds, item.tags); }
if (page.nextCursor) {
  const next = await usage.bySandbox({ from: "2026-05-01T00:00:00Z", to: "2026-06-01T00:00:00Z", filter: { "tag:team": "payments" }, cursor: page.nextCursor });
}

const byTeam = await usage.byTag("team", { filter: { "tag:env": "prod" } });
for (const row of byTeam.items) { console.log(row.tagValue, row.memoryGbSeconds, row.sandboxCount); }
console.log("untagged", byTeam.untagged.memoryGbSeconds);
const bySubsystem = await usage.byTag("team:subsystem");

await tags.set("sb-abc123", { team: "payments", env: "prod", "team:subsystem": "checkout" });
const current = await tags.get("sb-abc123");
console.log(current.tags);
const keys = await tags.listKeys();
for (const key of keys) { console.log(key.key, key.sandboxCount, key.valueCount); }
