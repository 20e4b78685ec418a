import { join } from "./join.js";
import { unpack } from "./unpack.js";
import { ends, functions, packed } from "./wasm/core.js";

/** Returns the core's module from base64, which every bundler and runtime supports. */
export function wasmModule(): WebAssembly.Module {
  const parts = unpack(bytes(packed), ends.at(-1) as number);
  return new WebAssembly.Module(join(parts, ends, functions));
}

function bytes(base64: string): Uint8Array {
  const decoder = Uint8Array as { fromBase64?: (text: string) => Uint8Array };
  if (decoder.fromBase64) return decoder.fromBase64(base64);
  const text = atob(base64);
  const decoded = new Uint8Array(text.length);
  // In a program that has just started, a loop is three times as fast as a callback.
  for (let i = 0; i < decoded.length; i++) decoded[i] = text.charCodeAt(i);
  return decoded;
}
