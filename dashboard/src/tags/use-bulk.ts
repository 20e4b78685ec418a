import {
  ConflictError,
  condition,
  TagValidationError,
  type UsageClient,
  userTags,
} from "@opencomputer/usage";
import { useEffect, useRef, useState } from "preact/hooks";
import { useSession } from "../session.js";
import { type Change, canRetry, type Item, type Progress, planned } from "./bulk.js";
import { entriesOf } from "./merge.js";
import { runPool } from "./pool.js";
import { asObject } from "./rows.js";

/** The most requests at a time. The server limits the rate of each key. */
const MOST_REQUESTS = 4;

/** A sandbox to edit. */
export interface Target {
  readonly id: string;
  readonly alias: string | undefined;
}

/** The requests of a bulk edit. */
export interface Bulk {
  /** The sandboxes; undefined before the dry run. */
  readonly items: readonly Item[] | undefined;
  readonly running: "reading" | "writing" | undefined;
  /** Reads the tags of all sandboxes and plans the change. */
  readonly dryRun: (change: Change) => Promise<void>;
  /** Reads and plans the sandboxes with a conflict or a failure again. */
  readonly retry: () => Promise<void>;
  /** Writes the tags of the planned sandboxes. */
  readonly apply: () => Promise<void>;
  /** Starts no more requests. Those that run are finished. */
  readonly stop: () => void;
  /** Forgets the dry run. */
  readonly reset: () => void;
}

/** Runs a bulk edit. `onWritten` is called at the end of a run that wrote tags. */
export function useBulk(targets: readonly Target[], onWritten: () => void): Bulk {
  const { client } = useSession();
  const [items, setItems] = useState<readonly Item[]>();
  const [running, setRunning] = useState<Bulk["running"]>();
  const change = useRef<Change>({ set: new Map(), remove: new Set() });
  const abort = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  const put = (id: string, progress: Progress) =>
    setItems((items) => items?.map((item) => (item.id === id ? { ...item, progress } : item)));
  const run = async (
    kind: "reading" | "writing",
    items: readonly Item[],
    each: (item: Item) => Promise<void>,
  ) => {
    abort.current = new AbortController();
    setRunning(kind);
    await runPool(items, MOST_REQUESTS, abort.current.signal, each);
    setRunning(undefined);
  };
  const read = (items: readonly Item[]) =>
    run("reading", items, async ({ id }) => put(id, await readOne(client, id, change.current)));

  return {
    items,
    running,
    dryRun: (changed) => {
      change.current = changed;
      const items = targets.map((target): Item => ({ ...target, progress: { step: "unread" } }));
      setItems(items);
      return read(items);
    },
    retry: () => {
      const again = (items ?? []).filter(canRetry);
      for (const { id } of again) put(id, { step: "unread" });
      return read(again);
    },
    apply: async () => {
      let hasWritten = false;
      await run("writing", items ?? [], async ({ id, progress }) => {
        if (progress.step !== "planned") return;
        put(id, { step: "writing", plan: progress.plan });
        const result = await writeOne(client, id, progress);
        hasWritten ||= result.step === "done";
        put(id, result);
      });
      if (hasWritten) onWritten();
    },
    stop: () => abort.current?.abort(),
    reset: () => setItems(undefined),
  };
}

async function readOne(client: UsageClient, id: string, change: Change): Promise<Progress> {
  try {
    const state = await client.tags.get(id);
    return planned(entriesOf(userTags(state.tags)), condition(state), change);
  } catch (error) {
    return { step: "failed", plan: undefined, error: error as Error };
  }
}

async function writeOne(
  client: UsageClient,
  id: string,
  { plan, ifMatch }: Progress & { step: "planned" },
): Promise<Progress> {
  try {
    await client.tags.set(id, asObject(plan.tags), { ifMatch });
    return { step: "done", plan };
  } catch (error) {
    if (error instanceof ConflictError) return { step: "conflict", plan };
    if (error instanceof TagValidationError)
      return { step: "refused", plan, violations: error.violations };
    return { step: "failed", plan, error: error as Error };
  }
}
