import { Usage } from "@opencomputer/usage";
const usage = new Usage("https://app.opencomputer.dev", process.env.OPENCOMPUTER_API_KEY!);
const r = await usage.forSandbox("sb-abc");
const pct = 100 * r.totals.memoryUsedGbSeconds / r.totals.memoryAllocatedGbSeconds;
console.log(`${pct.toFixed(0)}% utilization`);
for (const p of r.points) { /* p.ts, p.usedMemoryMbAvg, p.allocatedMemoryMb */ }
