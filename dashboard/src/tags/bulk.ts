// The plan of a change of many sandboxes' tags.

import { type TagViolation, validateTags } from "@opencomputer/usage";
import { sameTags, type TagEntries } from "./merge.js";
import { asObject } from "./rows.js";

/** A change of tags that is the same for every sandbox. */
export interface Change {
  readonly set: TagEntries;
  readonly remove: ReadonlySet<string>;
}

/** The effect of a change on one tag; undefined stands for an absent tag. */
export interface Effect {
  readonly kind: "added" | "changed" | "removed" | "unchanged";
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The effect of a change on one sandbox. */
export interface Plan {
  /** The user tags after the change. */
  readonly tags: TagEntries;
  /** The effects on the keys of the change, in its order. */
  readonly effects: readonly Effect[];
  /** Why the API would refuse the tags; empty if it would not. */
  readonly violations: readonly TagViolation[];
  readonly isUnchanged: boolean;
}

/** Plans a change of a sandbox with these user tags. */
export function plan(before: TagEntries, { set, remove }: Change): Plan {
  const tags = new Map([...before, ...set]);
  for (const key of remove) tags.delete(key);
  const effects = [...set.keys(), ...remove].map((key) =>
    effect(key, before.get(key), tags.get(key)),
  );
  const isUnchanged = sameTags(before, tags);
  return {
    tags,
    effects,
    violations: isUnchanged ? [] : validateTags(asObject(tags)),
    isUnchanged,
  };
}

function effect(key: string, before: string | undefined, after: string | undefined): Effect {
  if (before === after) return { kind: "unchanged", key, before, after };
  if (before === undefined) return { kind: "added", key, before, after };
  return { kind: after === undefined ? "removed" : "changed", key, before, after };
}

/** The state of one sandbox in a bulk edit. */
export type Progress =
  /** Its tags have not been read yet. */
  | { readonly step: "unread" }
  /** Its tags were read. `ifMatch` is the condition of the write. */
  | { readonly step: "planned"; readonly plan: Plan; readonly ifMatch: string }
  | { readonly step: "writing" | "done" | "conflict"; readonly plan: Plan }
  /** It already has the tags. */
  | { readonly step: "unchanged"; readonly plan: Plan }
  | { readonly step: "refused"; readonly plan: Plan; readonly violations: readonly TagViolation[] }
  | { readonly step: "failed"; readonly plan: Plan | undefined; readonly error: Error };

/** One sandbox in a bulk edit. */
export interface Item {
  readonly id: string;
  readonly alias: string | undefined;
  readonly progress: Progress;
}

/** Returns the state of a sandbox whose tags were read. */
export function planned(before: TagEntries, ifMatch: string, change: Change): Progress {
  const made = plan(before, change);
  if (made.isUnchanged) return { step: "unchanged", plan: made };
  if (made.violations.length > 0)
    return { step: "refused", plan: made, violations: made.violations };
  return { step: "planned", plan: made, ifMatch };
}

/** Returns whether a retry reads the sandbox again: after a conflict, a failure or a stopped dry run. */
export const canRetry = ({ progress: { step } }: Item): boolean =>
  step === "conflict" || step === "failed" || step === "unread";

/** Returns whether the tags of a sandbox were written, or could not be. */
export const wasTried = ({ progress }: Item): boolean =>
  progress.step === "done" ||
  progress.step === "conflict" ||
  (progress.step === "failed" && progress.plan !== undefined);

/** Counts the sandboxes by state. Those whose tags are being written are still planned. */
export function tally(items: readonly Item[]): ReadonlyMap<Progress["step"], number> {
  const counts = new Map<Progress["step"], number>();
  for (const { progress } of items) {
    const step = progress.step === "writing" ? "planned" : progress.step;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return counts;
}
