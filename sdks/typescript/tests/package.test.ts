import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import * as esm from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { type Case, load } from "./support/vectors.js";

const cwd = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const cjs = require("@opencomputer/usage") as typeof esm;

const node = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd, encoding: "utf8" }).trim();

describe("the package", () => {
  test("imports in Node as an ES module", () => {
    const program =
      'import { validateTags } from "@opencomputer/usage"; console.log(validateTags({ "": "" })[0].code)';
    expect(node("--input-type=module", "--eval", program)).toBe("key_empty");
  });

  test("is required in Node as CommonJS", () => {
    const program =
      'const { validateTags } = require("@opencomputer/usage"); console.log(validateTags({ "": "" })[0].code)';
    expect(node("--input-type=commonjs", "--eval", program)).toBe("key_empty");
  });

  test("exports the same names as both", () => {
    expect(Object.keys(cjs).sort()).toEqual(Object.keys(esm).sort());
  });

  test("has no side effects when it is imported", () => {
    const program =
      'WebAssembly.Module = class { constructor() { throw new Error("too early"); } }; import("@opencomputer/usage").then(() => console.log("fine"))';
    expect(node("--eval", program)).toBe("fine");
  });

  test("exports its version", () => {
    expect(esm.version).toBe((require("../package.json") as { version: string }).version);
  });
});

describe("LIMITS", () => {
  test("are those of the vectors", () => {
    const limits = load<Case & { limit: string }>("limits");
    expect(esm.LIMITS).toEqual(
      Object.fromEntries(limits.map(({ limit, value }) => [limit, value])),
    );
  });

  test("are frozen", () => {
    const program =
      'const { LIMITS } = require("@opencomputer/usage"); "use strict"; LIMITS.maxTags = 1; LIMITS.more = 1; delete LIMITS.maxTags; console.log(LIMITS.maxTags, LIMITS.more, Object.isFrozen(LIMITS))';
    expect(node("--input-type=commonjs", "--eval", program)).toBe("50 undefined true");
  });
});
