import { inflateSync } from "fflate";
import { deflated, size } from "./wasm/inline.js";

/** The core's module, from text that every bundler and every runtime can carry. */
export function wasmModule(): WebAssembly.Module {
  return new WebAssembly.Module(inflateSync(bytes(deflated), { out: new Uint8Array(size) }));
}

function bytes(base64: string): Uint8Array {
  const decoder = Uint8Array as { fromBase64?: (text: string) => Uint8Array };
  return decoder.fromBase64?.(base64) ?? Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}
