import { type Failure, InvalidRequestError, OpenComputerError, refusal, told } from "./errors.js";
import { pack } from "./message.js";
import { wasmModule } from "./module.js";

/** What the module exports. It imports nothing. */
export interface Core {
  readonly memory: WebAssembly.Memory;
  readonly lengths: (most: number) => number;
  readonly text: (most: number) => number;
  readonly accepts: (tags: number) => number;
  readonly message: (words: number) => number;
  readonly run: (words: number) => number;
  readonly answer: () => number;
  /** Not in the module of the pure functions alone. */
  readonly call: (packed: number, bytes: number, nowMs: number, random: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly forget: (exchange: number) => void;
}

let module: WebAssembly.Module | undefined;
let running: Core | undefined;
const decoder = /* @__PURE__ */ new TextDecoder();

/** The core, compiled and instantiated on first use: an import alone costs nothing. */
export function core(): Core {
  try {
    module ??= wasmModule();
    running ??= new WebAssembly.Instance(module).exports as unknown as Core;
    return running;
  } catch (cause) {
    const why = "a Content-Security-Policy must allow it with 'wasm-unsafe-eval'";
    throw new OpenComputerError(`WebAssembly cannot be started here (${why}): ${told(cause)}`, {
      cause,
    });
  }
}

/**
 * Runs something in the core alone. Should that trap or overflow the stack, whatever the core's memory holds then is
 * given up, and the next call finds a new core.
 */
export function inside<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    running = undefined;
    throw lost(cause);
  }
}

/** What a call fails with whose core is gone. */
export function lost(cause?: unknown): OpenComputerError {
  return new OpenComputerError("memory or stack ran out in the core", { cause });
}

/** Reads something of the user's; what that throws becomes an error of ours. */
export function reading<T>(run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    throw refusal(thrown);
  }
}

/** Packs values into a message. */
export function packed(...values: readonly unknown[]): string {
  return reading(() => values.reduce((message: string, value) => message + pack(value), ""));
}

/** Asks the core for one of its pure functions. */
export function ask<T>(name: string, ...values: readonly unknown[]): T {
  return askPacked(packed(name, ...values));
}

/** As {@link ask}, with a message that is packed. */
export function askPacked<T>(message: string): T {
  return send(message, (core) => core.run(message.length), refused);
}

/** The error of a pure function. Those of calls are of many classes, which must not be in every bundle. */
function refused(failure: Failure): OpenComputerError {
  return new InvalidRequestError(failure.message, failure);
}

/** Hands the core a message, with a body where it is about any, and reads its answer. */
export function send<T>(
  message: string,
  run: (core: Core) => number,
  errorOf: (failure: Failure) => OpenComputerError,
  body?: Uint8Array,
): T {
  const running = core();
  const [length, text] = inside(() => {
    const start = running.message(message.length + (((body?.length ?? 0) + 1) >> 1));
    const words = new Uint16Array(running.memory.buffer, start, message.length);
    for (let i = 0; i < message.length; i++) words[i] = message.charCodeAt(i);
    if (body) new Uint8Array(running.memory.buffer, start + words.byteLength).set(body);
    const length = run(running);
    const text = new Uint8Array(running.memory.buffer, running.answer(), Math.abs(length));
    return [length, decoder.decode(text)] as const;
  });
  const value: unknown = JSON.parse(text);
  if (length < 0) throw errorOf(value as Failure);
  return value as T;
}
