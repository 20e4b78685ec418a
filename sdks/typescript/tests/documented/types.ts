import type {
  SandboxUsagePoint,
  SandboxUsageResponse,
  SandboxUsageTotals,
  TagKeyInfo,
  UsageBySandboxResponse,
  UsageByTagResponse,
  UsageFilterMap,
  UsageQueryOpts,
  UsageSandboxItem,
  UsageTagItem,
  UsageTotals,
  UsageUntaggedBucket,
} from "@opencomputer/usage";
import { Tags, Usage } from "@opencomputer/usage";

// The ways in which the platform's documentation names the types of arguments and results.
const filter: UsageFilterMap = {};
filter["tag:team"] = "payments";
const opts: UsageQueryOpts = { filter, limit: 20 };
opts.sort = "-memoryGbSeconds";

export async function all(usage: Usage, tags: Tags): Promise<UsageSandboxItem[]> {
  const bySandbox: UsageBySandboxResponse = await usage.bySandbox(opts);
  const byTag: UsageByTagResponse = await usage.byTag("team", opts);
  const drilldown: SandboxUsageResponse = await usage.forSandbox("sb-abc123");
  const keys: TagKeyInfo[] = await tags.listKeys();
  const state: { tags: Record<string, string>; tagsLastUpdatedAt: string | null } = await tags.get("sb-abc123");
  const written: { tags: Record<string, string>; tagsLastUpdatedAt: string | null } = await tags.set("sb-abc123", state.tags);
  const total: UsageTotals = bySandbox.total;
  const untagged: UsageUntaggedBucket = byTag.untagged;
  const values: UsageTagItem[] = byTag.items;
  const totals: SandboxUsageTotals = drilldown.totals;
  const points: SandboxUsagePoint[] = drilldown.points;
  const numbers: number[] = [total.memoryGbSeconds, untagged.sandboxCount, totals.uptimeSeconds, keys.length];
  numbers.push(...values.map((value) => value.sandboxCount), ...points.map((point) => point.usedMemoryMbPeak));
  const group: "sandbox" = bySandbox.groupBy;
  const status: string | undefined = bySandbox.items[0].status;
  console.log(numbers, written.tags, group, status);
  return bySandbox.items;
}
