// Builds dist/: one bundle a way of loading the core's module, and one tree of declarations a module system.

import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const source = (name) => fileURLToPath(new URL(`src/${name}`, import.meta.url));

/** Takes the module from a `.wasm` file instead of from text: for hosts that compile none at run time. */
const fromFile = (specifier) => ({
  name: "module-from-file",
  resolveId: (id) => {
    if (id === "./module.js") return source("module.file.ts");
    return id.endsWith("/core.wasm") ? { id: specifier, external: true } : undefined;
  },
});

rmSync("dist", { recursive: true, force: true });
for (const [dir, format, plugins] of [
  ["esm", "esm", []],
  ["cjs", "cjs", []],
  ["workerd", "esm", [fromFile("../core.wasm")]],
  ["edge-light", "esm", [fromFile("../core.wasm?module")]],
]) {
  await build({
    input: { index: source("index.ts"), validate: source("validate.ts") },
    platform: "neutral",
    plugins,
    resolve: { mainFields: ["module", "main"] },
    output: {
      dir: `dist/${dir}`,
      format,
      sourcemap: true,
      chunkFileNames: "[name].js",
      // What both entries share, the module's bytes above all.
      codeSplitting: { groups: [{ name: "core", minShareCount: 2 }] },
    },
  });
}
copyFileSync("src/wasm/core.wasm", "dist/core.wasm");
for (const format of ["esm", "cjs"]) {
  const outDir = `dist/${format}`;
  execFileSync("tsc", ["--project", "tsconfig.build.json", "--outDir", outDir], {
    stdio: "inherit",
  });
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
