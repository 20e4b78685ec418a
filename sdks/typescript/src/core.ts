import { type Failure, InvalidRequestError, OpenComputerError, refusal, told } from "./errors.js";
import { pack } from "./message.js";
import { wasmModule } from "./module.js";

/** What the module exports. It imports nothing. */
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
  readonly call: (words: number, nowMs: number, random: number) => number;
  /** Not in the module of the pure functions alone. */
  readonly forget: (exchange: number) => void;
}

/** An instance of the core, and views of where it looks for tags, which die when its memory grows. */
export interface Core {
  readonly exports: Exports;
  readonly decoder: TextDecoder;
  readonly encoder: TextEncoder;
  lengths: Uint16Array;
  text: Uint8Array;
  /** Whether it trapped, and what its memory holds is lost. */
  lost: boolean;
}

/** Bytes of memory that a core may keep. One that needed more is given up with the calls that it carries. */
const MAX_MEMORY = 32 << 20;

let module: WebAssembly.Module | undefined;
let running: Core | undefined;

/** The core, compiled and instantiated on first use: an import alone costs nothing. */
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
    throw new OpenComputerError(`WebAssembly cannot be started here (${why}): ${told(cause)}`, {
      cause,
    });
  }
}

/**
 * Runs something in a core. Should that trap or overflow the stack, whatever the core's memory holds then is given up,
 * and the next call finds a new core.
 */
export function inside<T>(core: Core, run: () => T): T {
  try {
    if (core.lost) throw undefined;
    return run();
  } catch (cause) {
    core.lost = true;
    retire(core);
    throw new OpenComputerError("memory or stack ran out in the core", { cause });
  }
}

/** Leaves a core to the calls that it carries, and then to the garbage collector. */
function retire(core: Core): void {
  if (running === core) running = undefined;
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

/** Asks the core for one of its pure functions, which look at the members of their argument, or not even at those. */
export function ask<T>(name: string, value: unknown, depth: 0 | 1 = 1): T {
  return askPacked(pack(name) + reading(() => pack(value, depth)));
}

/** As {@link ask}, with a message that is packed. */
export function askPacked<T>(message: string): T {
  return send(core(), message, ({ run }) => run(message.length), refused);
}

/** The error of a pure function. Those of calls are of many classes, which must not be in every bundle. */
function refused(failure: Failure): OpenComputerError {
  return new InvalidRequestError(failure.message, failure);
}

/** Hands a core a message, with a body where it is about any, whose parts it uses up, and reads the answer. */
export function send<T>(
  core: Core,
  message: string,
  run: (exports: Exports) => number,
  errorOf: (failure: Failure) => OpenComputerError,
  body: Uint8Array[] = [],
): T {
  const { exports, decoder } = core;
  const { memory } = exports;
  const [length, text] = inside(core, () => {
    const start = exports.message(message.length);
    // Before the first view, as either may make the memory grow.
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

/** Bytes of a body that came in parts. */
export function sizeOf(body: readonly Uint8Array[]): number {
  return body.reduce((size, part) => size + part.length, 0);
}
