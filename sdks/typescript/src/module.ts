import { inflateSync } from "fflate";
import { deflated, size } from "./wasm/inline.js";

/** The core's module, from text that every bundler and every runtime can carry. */
export function wasmModule(): BufferSource {
  return inflateSync(fromBase64(deflated), { out: new Uint8Array(size) });
}

function fromBase64(text: string): Uint8Array {
  const decoder = Uint8Array as { fromBase64?: (text: string) => Uint8Array };
  return decoder.fromBase64?.(text) ?? Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
