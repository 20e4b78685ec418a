import module from "./wasm/core.wasm";

/** Returns the core's module, compiled by the host: Workers cannot compile modules at run time. */
export function wasmModule(): WebAssembly.Module {
  return module;
}
