// The modules inside the package, which are separated by kind, compressed and written as text.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { join } from "../src/join.js";
import { unpack } from "../src/unpack.js";
import * as core from "../src/wasm/core.js";
import * as validate from "../src/wasm/validate.js";

const CODE = 10;

/** Reads the sections of a module, and of the code each function. */
function contents(module: Uint8Array): (string | string[])[] {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (size: number) => {
    at += size;
    return Buffer.from(module.subarray(at - size, at)).toString("hex");
  };
  const sections: (string | string[])[] = [Buffer.from(module.subarray(0, 8)).toString("hex")];
  while (at < module.length) {
    const id = module[at++] as number;
    const size = number();
    sections.push(String(id));
    if (id !== CODE) sections.push(take(size));
    else sections.push(Array.from({ length: number() }, () => take(number())));
  }
  return sections;
}

test.for([
  ["core", core],
  ["validate", validate],
] as const)("%s is the module that was packed", ([name, { packed, ends, functions }]) => {
  const file = readFileSync(new URL(`../src/wasm/${name}.wasm`, import.meta.url));
  const parts = unpack(Buffer.from(packed, "base64"), ends.at(-1) ?? 0);
  const module = join(parts, ends, functions);
  expect(contents(module)).toEqual(contents(file));
  expect(contents(module).flat().length).toBeGreaterThan(100);
  expect(WebAssembly.validate(module)).toBe(true);
});
