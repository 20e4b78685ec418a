import module from "./wasm/core.wasm";

/** The core's module, compiled by the host: a Worker may compile none at run time. */
export function wasmModule(): WebAssembly.Module {
  return module;
}
