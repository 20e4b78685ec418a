declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "tiny-inflate" {
  /** Inflates raw deflate into an array of just the right size, which it returns. */
  export default function inflate(
    deflated: Uint8Array,
    out: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer>;
}
