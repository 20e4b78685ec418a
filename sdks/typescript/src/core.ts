import { refusal } from "./errors.js";
import { wasmModule } from "./module.js";
import { type InitOutput, initSync } from "./wasm/core.js";

let exports: InitOutput | undefined;

/** The core, instantiated on first use: an import alone costs nothing. */
export function core(): InitOutput {
  exports ??= initSync({ module: wasmModule() });
  return exports;
}

/** Runs something that calls the core; whatever it throws becomes an error of ours. */
export function guarded<T>(run: () => T): T {
  core();
  try {
    return run();
  } catch (thrown) {
    throw refusal(thrown);
  }
}

/** Asks the core a question that it answers in JSON. */
export function ask<T>(question: () => string): T {
  return JSON.parse(guarded(question)) as T;
}
