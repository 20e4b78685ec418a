import {
  describe,
  type Failure,
  InvalidRequestError,
  inputError,
  OpenComputerError,
} from "./errors.js";
import { pack } from "./message.js";
import { wasmModule } from "./module.js";

/** The exports of the module, which imports nothing. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly lengths: (most: number) => number;
  readonly text: (most: number) => number;
  readonly accepts: (tags: number) => number;
  readonly message: (words: number) => number;
  readonly run: (words: number) => number;
  readonly answer: () => number;
  /** Not in the module of the pure functions alone. */
  readonly body: (bytes: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly body_limit: (status: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly is_success: (status: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly call: (words: number, nowMs: number, random: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly numbers: () => number;
  /** Not in the module of the pure functions alone. */
  readonly forget: (exchange: number) => void;
}

/** An instance of the core, with views of its buffers for tags. Growing memory detaches the views. */
export interface Core {
  readonly exports: Exports;
  readonly decoder: TextDecoder;
  readonly encoder: TextEncoder;
  lengths: Uint16Array;
  text: Uint8Array;
  /** Whether it trapped, which makes its memory unusable. */
  lost: boolean;
}

/** The most bytes of memory that a core may keep. A larger one is replaced for later calls. */
const MAX_MEMORY = 32 << 20;

let module: WebAssembly.Module | undefined;
let running: Core | undefined;

/** Returns the core, compiled and instantiated on first use: importing the package costs nothing. */
export function core(): Core {
  if (running) return running;
  for (const name of ["WebAssembly", "TextDecoder", "TextEncoder"]) {
    if (!(name in globalThis)) {
      throw new OpenComputerError(`this package needs \`${name}\`, which is missing here`);
    }
  }
  try {
    module ??= wasmModule();
    const exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    running = {
      exports,
      decoder: new TextDecoder(),
      encoder: new TextEncoder(),
      lengths: new Uint16Array(),
      text: new Uint8Array(),
      lost: false,
    };
    return running;
  } catch (cause) {
    const why = "a Content-Security-Policy must allow it with 'wasm-unsafe-eval'";
    throw new OpenComputerError(`WebAssembly cannot be started here (${why}): ${describe(cause)}`, {
      cause,
    });
  }
}

/** Runs code in a core. If it traps or overflows the stack, the core is lost and the next call gets a new one. */
export function guarded<T>(core: Core, run: () => T): T {
  try {
    if (core.lost) throw undefined;
    return run();
  } catch (cause) {
    core.lost = true;
    retire(core);
    throw new OpenComputerError("memory or stack ran out in the core", { cause });
  }
}

/** Stops using a core for new calls. It is garbage once its calls in progress have ended. */
function retire(core: Core): void {
  if (running === core) running = undefined;
}

/** Reads an argument. Errors that its getters throw are converted to errors of this package. */
export function readInput<T>(run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    throw inputError(thrown);
  }
}

/** Packs values into a message. */
export function packAll(...values: readonly unknown[]): string {
  return readInput(() => values.reduce((message: string, value) => message + pack(value), ""));
}

/** Calls a pure function of the core. Members of the argument below `depth` are left out. */
export function callFunction<T>(name: string, value: unknown, depth: 0 | 1 | 3 = 1): T {
  return callPacked(pack(name) + readInput(() => pack(value, depth)));
}

/** Calls a pure function of the core with a packed message. */
export function callPacked<T>(message: string): T {
  return sendMessage(core(), message, ({ run }) => run(message.length), functionError);
}

/** Converts the error of a pure function. Bundles of `/validate` must not contain the error classes of calls. */
function functionError(failure: Failure): OpenComputerError {
  return new InvalidRequestError(failure.message, failure);
}

/** Sends a core a message and reads the result. The parts of a body are removed from their list as they are copied. */
export function sendMessage<T>(
  core: Core,
  message: string,
  run: (exports: Exports) => number,
  errorOf: (failure: Failure) => OpenComputerError,
  body: Uint8Array[] = [],
): T {
  const { exports, decoder } = core;
  const { memory } = exports;
  const [length, text] = guarded(core, () => {
    const start = exports.message(message.length);
    // Both before the first view, because either may grow the memory.
    let at = body.length > 0 ? exports.body(sizeOf(body)) : 0;
    const words = new Uint16Array(memory.buffer, start, message.length);
    for (let i = 0; i < message.length; i++) words[i] = message.charCodeAt(i);
    for (let part = body.shift(); part; part = body.shift()) {
      new Uint8Array(memory.buffer, at).set(part);
      at += part.length;
    }
    const length = run(exports);
    const text = new Uint8Array(memory.buffer, exports.answer(), Math.abs(length));
    return [length, decoder.decode(text)] as const;
  });
  if (memory.buffer.byteLength > MAX_MEMORY) retire(core);
  const value: unknown = JSON.parse(text);
  if (length < 0) throw errorOf(value as Failure);
  return value as T;
}

/** Returns the bytes of a body in parts. */
export function sizeOf(body: readonly Uint8Array[]): number {
  return body.reduce((size, part) => size + part.length, 0);
}
