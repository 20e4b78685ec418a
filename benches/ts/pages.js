// The time from the bytes of a response to a page, beside `JSON.parse` and zod.

import assert from "node:assert/strict";
import { measure } from "mitata";
import { z } from "zod";
import { add } from "./figures.js";

const ROUNDS = 9;
const ROUND_NS = 300e6;
const SANDBOXES = 500;
const BUCKETS = 90;
const DAY_MS = 86_400_000;
const FROM = Date.UTC(2026, 0, 1);
const MB_MICROSECONDS = 1_024_000_000;

const amounts = { memoryGbSeconds: z.number(), diskOverageGbSeconds: z.number() };
const series = z.object({
  memoryGbSeconds: z.array(z.number()),
  diskOverageGbSeconds: z.array(z.number()),
});
const Page = z.object({
  from: z.string(),
  to: z.string(),
  asOf: z.string(),
  interval: z.string(),
  timezone: z.string(),
  buckets: z.array(z.object({ from: z.string(), to: z.string() })),
  groupBy: z.string(),
  total: z.object({ ...amounts, series }),
  items: z.array(
    z.object({
      sandboxId: z.string(),
      alias: z.string().optional(),
      status: z.string().optional(),
      tags: z.record(z.string(), z.string()),
      tagsLastUpdatedAt: z.string().nullable(),
      ...amounts,
      series,
    }),
  ),
  nextCursor: z.string().nullable(),
});

/** Returns a day after the first one, as the server writes it. @param {number} day */
const date = (day) => new Date(FROM + day * DAY_MS).toISOString().replace(".000Z", "Z");

/** Returns the body of a page of sandboxes with series, with amounts as exact and as long as the server's. */
function body() {
  let seed = 1;
  // A multiplicative congruential generator, so that every run measures the same page.
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const amount = () => Math.floor(random() * 4096 * DAY_MS * 1000) / MB_MICROSECONDS;
  const overage = () => (random() < 0.5 ? 0 : amount());
  /** @param {() => number} one */
  const each = (one) => Array.from({ length: BUCKETS }, one);
  const usage = () => {
    const series = { memoryGbSeconds: each(amount), diskOverageGbSeconds: each(overage) };
    /** @param {number[]} list */
    const sum = (list) => list.reduce((sum, one) => sum + one, 0);
    return {
      memoryGbSeconds: sum(series.memoryGbSeconds),
      diskOverageGbSeconds: sum(series.diskOverageGbSeconds),
      series,
    };
  };
  const page = {
    from: date(0),
    to: date(BUCKETS),
    asOf: "2026-04-19T14:02:00.123456Z",
    interval: "1d",
    timezone: "UTC",
    buckets: Array.from({ length: BUCKETS }, (_, day) => ({ from: date(day), to: date(day + 1) })),
    groupBy: "sandbox",
    total: usage(),
    items: Array.from({ length: SANDBOXES }, (_, i) => ({
      sandboxId: `sb-${i}`,
      alias: `agent-${i}`,
      status: "running",
      tags: { customer: `c-${i}`, env: "prod", owner: "x", region: "use2", team: "payments" },
      tagsLastUpdatedAt: "2026-04-19T14:02:00Z",
      ...usage(),
    })),
    nextCursor: null,
  };
  return new TextEncoder().encode(JSON.stringify(page));
}

/** @param {typeof import("@opencomputer/usage").UsageClient} UsageClient */
export async function pages(UsageClient) {
  const bytes = body();
  const decoder = new TextDecoder();
  const client = new UsageClient({
    apiKey: "oc_key",
    baseUrl: "https://api.test",
    fetch: async () => ({
      status: 200,
      headers: new Map(),
      arrayBuffer: async () => /** @type {ArrayBuffer} */ (bytes.buffer),
    }),
  });
  /** @type {{ from: string, to: string, interval: "1d", limit: number }} */
  const query = { from: date(0), to: date(BUCKETS), interval: "1d", limit: SANDBOXES };
  const ours = () => client.usage.bySandbox(query);
  const theirs = async () => Page.parse(JSON.parse(decoder.decode(bytes)));
  assert.deepEqual((await ours()).toJSON(), await theirs());

  /** @type {[number[], number[]]} */
  const times = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, read] of [ours, theirs].entries()) {
      const { min } = await measure(read, { min_cpu_time: ROUND_NS, batch_samples: 8 });
      if (round > 0) times[index]?.push(min / 1e6); // The first round warms up.
    }
  }
  const [own, peer] = times;
  const ratios = peer.map((time, round) => time / (own[round] ?? Number.NaN));
  const size = `${SANDBOXES} sandboxes × ${BUCKETS} buckets, ${(bytes.length / 2 ** 20).toFixed(1)} MB`;
  add(`bytes → page, ${size}`, own, "ms");
  add("bytes → page: JSON.parse and zod", peer, "ms");
  add("bytes → page: times faster than JSON.parse and zod", ratios, "×", { least: 2 });
}
