import { OpenComputerError, refusal, told } from "./errors.js";
import { wasmModule } from "./module.js";
import { __wbg_reset_state, type InitOutput, initSync } from "./wasm/core.js";

let exports: InitOutput | undefined;
/** How many calls into the core are under way: a getter that the core reads may call it again. */
let depth = 0;
/** Whether the core was left in the middle of something, so that nothing in its memory can be relied on. */
let broken = false;

/** Which instance of the core this is; what belongs to an earlier one is gone. */
export let instance = 0;

/** The core, instantiated on first use: an import alone costs nothing. */
export function core(): InitOutput {
  try {
    exports ??= initSync({ module: wasmModule() });
    if (broken && depth === 0) restart();
  } catch (cause) {
    broken = true;
    const why = "a Content-Security-Policy must allow it with 'wasm-unsafe-eval'";
    throw new OpenComputerError(`WebAssembly cannot be started here (${why}): ${told(cause)}`, {
      cause,
    });
  }
  if (broken) throw lost();
  return exports;
}

/** Runs something that calls the core; whatever it throws becomes an error of ours. */
export function guarded<T>(run: () => T): T {
  core();
  depth++;
  try {
    const result = run();
    if (broken) throw lost();
    return result;
  } catch (thrown) {
    const was = broken;
    // For now: there may be no stack left to find out.
    broken = true;
    const fatal = isFatal(thrown);
    broken = was || fatal;
    throw fatal ? lost(thrown) : refusal(thrown);
  } finally {
    if (--depth === 0 && broken) {
      try {
        restart();
      } catch {
        // There may be no stack for it here; the next call tries again.
      }
    }
  }
}

function restart(): void {
  __wbg_reset_state();
  instance++;
  broken = false;
}

/** Whether what was made in an instance of the core is still there. */
export function isIntact(home: number): boolean {
  return home === instance && !broken;
}

/** Asks the core a question that it answers in JSON. */
export function ask<T>(question: () => string): T {
  return JSON.parse(guarded(question)) as T;
}

/**
 * Whether this may have left the core's frames without unwinding them: it ran out of memory, or a stack overflowed
 * somewhere below. A range error of the user's own looks the same, and costs a new instance, too.
 */
function isFatal(thrown: unknown): boolean {
  return (
    thrown instanceof WebAssembly.RuntimeError ||
    thrown instanceof RangeError ||
    (thrown instanceof Error && thrown.name === "InternalError")
  );
}

/** What a call fails with that the core can no longer answer. */
export function lost(cause?: unknown): OpenComputerError {
  return new OpenComputerError("memory or stack ran out while an argument was read", { cause });
}
