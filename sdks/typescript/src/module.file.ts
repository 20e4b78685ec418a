import module from "./wasm/core_bg.wasm";

/** The core's module, compiled by the host: a Worker may compile none at run time. */
export function wasmModule(): WebAssembly.Module {
  // Next.js compiles it outside of the sandbox that its edge runtime is, so it is no instance of the class in here.
  if (!(module instanceof WebAssembly.Module)) {
    Object.setPrototypeOf(module, WebAssembly.Module.prototype);
  }
  return module;
}
