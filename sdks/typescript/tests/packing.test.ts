// The modules inside the package, which are separated by kind, compressed and written as text.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const cwd = fileURLToPath(new URL("..", import.meta.url));

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

/** Removes the alignments of loads and stores, and whatever looks like them. */
const aligned = (sections: (string | string[])[]) =>
  sections.flat().map((code) => {
    const bytes = code.match(/../g)?.join(" ") ?? "";
    return bytes.replace(/\b(2[89a-f]|3[0-9a-e]) 0[0-3]\b/g, "$1 00");
  });

/** Returns the bytes of the module that an entry compiles. */
function compiled(entry: string): Buffer {
  const program = `
    const { Module } = WebAssembly;
    WebAssembly.Module = function (bytes) {
      process.stdout.write(Buffer.from(bytes).toString("base64"));
      return new Module(bytes);
    };
    (await import("${entry}")).validateTags({});
  `;
  const args = ["--input-type=module", "--eval", program];
  return Buffer.from(execFileSync(process.execPath, args, { cwd, encoding: "utf8" }), "base64");
}

test.for([
  ["@opencomputer/usage", "core"],
  ["@opencomputer/usage/validate", "validate"],
] as const)("%s compiles the published .wasm file", ([entry, name]) => {
  const module = contents(compiled(entry));
  const file = contents(readFileSync(`${cwd}dist/${name}.wasm`));
  expect(aligned(module)).toEqual(aligned(file));
  expect(file.flat().length).toBeGreaterThan(100);
});
