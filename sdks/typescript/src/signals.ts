/** The callbacks of a signal and the one listener that runs them. */
interface Watch {
  readonly runs: Set<() => void>;
  readonly listener: () => void;
}

const watches = /* @__PURE__ */ new WeakMap<AbortSignal, Watch>();

/** Calls `run` when a signal aborts. Returns a function that removes it. Calls share one listener per signal. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const { runs, listener } = watches.get(signal) ?? watch(signal);
  runs.add(run);
  return () => {
    runs.delete(run);
    if (runs.size > 0) return;
    signal.removeEventListener("abort", listener);
    watches.delete(signal);
  };
}

function watch(signal: AbortSignal): Watch {
  const runs = new Set<() => void>();
  const listener = () => {
    for (const run of [...runs]) run();
  };
  const made = { runs, listener };
  watches.set(signal, made);
  signal.addEventListener("abort", listener, { once: true });
  return made;
}

/** Throws the reason of an aborted signal. Older signals have neither a reason nor a method for this. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reason(signal);
}

function reason(signal: AbortSignal): unknown {
  if (signal.reason !== undefined) return signal.reason;
  return Object.assign(new Error("the call was aborted"), { name: "AbortError" });
}

/** Settles as the work does, or rejects as soon as the signal aborts. */
export async function abortable<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (!signal) return work();
  throwIfAborted(signal);
  let forget = () => {};
  const aborted = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(reason(signal)));
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    forget();
  }
}
