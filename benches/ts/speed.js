// The speed of `validateTags` beside its peers: in one process, in turn, as ratios within each round.

import { measure } from "mitata";
import { add } from "./figures.js";
import { assertAgreement, handWritten, invalidTags, reporters, validTags } from "./peers.js";

const ROUNDS = 9;
const ROUND_NS = 60e6;

/** @param {(tags: unknown) => unknown[]} validateTags */
export async function speed(validateTags) {
  await compare(validateTags, "10 valid tags", validTags(10), { ajv: 1.2, valibot: 2, zod: 5 });
  await compare(validateTags, "50 valid tags", validTags(50), { ajv: 2, valibot: 2, zod: 5 });
  await compare(validateTags, "10 tags, 1 violation", invalidTags(1), {});
  await compare(validateTags, "20 tags, 20 violations", invalidTags(20), {});
  // Last, because the unusual tags would make each check slower on plain ones.
  assertAgreement(validateTags);
}

/**
 * @param {(tags: unknown) => unknown[]} ours @param {string} title @param {unknown} tags
 * @param {Readonly<Record<string, number>>} bars the least factor over each peer
 */
async function compare(ours, title, tags, bars) {
  const valid = ours(tags).length === 0;
  /** @type {Record<string, (tags: unknown) => unknown>} */
  const checks = { ours, ...reporters, ...(valid ? { "by hand": handWritten } : {}) };
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(Object.keys(checks).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, check] of Object.entries(checks)) {
      // The fastest batch; of 4,096 calls, so that it includes its share of garbage collection.
      const { min } = await measure(() => check(tags), { min_cpu_time: ROUND_NS });
      if (round > 0) times[name]?.push(min); // The first round warms up.
    }
  }
  const { ours: own = [], "by hand": hand, ...peers } = times;
  add(`validateTags, ${title}`, own, "ns");
  for (const [name, theirs] of Object.entries(peers)) {
    const ratios = theirs.map((time, round) => time / (own[round] ?? Number.NaN));
    const least = bars[name];
    add(`validateTags, ${title}: ${name}`, theirs, "ns");
    add(`validateTags, ${title}: times faster than ${name}`, ratios, "×", least ? { least } : {});
  }
  if (!hand) return;
  const ratios = hand.map((time, round) => (own[round] ?? Number.NaN) / time);
  const most = valid && Object.keys(/** @type {object} */ (tags)).length === 10 ? { most: 2 } : {};
  add(`validateTags, ${title}: a check by hand`, hand, "ns");
  add(`validateTags, ${title}: times the time of a check by hand`, ratios, "×", most);
}
