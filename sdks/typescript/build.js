// Builds dist/: a bundle for each way of loading the core's module, and declarations for each module system.

import { execSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const source = (name) => fileURLToPath(new URL(`src/${name}`, import.meta.url));

/** The files that load and run the core's module, which differs between the entries. */
const RUNNERS = ["./core.js", "./module.js", "./wasm/core.js"];

/** Gives `validate` its own module with only the pure functions, at half the size. The entries share the rest. */
const smallCore = {
  name: "small-core",
  resolveId(id, importer) {
    if (!importer?.endsWith("?small") || !RUNNERS.includes(id)) return undefined;
    return `${source(id.replace("/wasm/core.js", "/wasm/validate.js").replace(".js", ".ts"))}?small`;
  },
  load(id) {
    if (!id.endsWith("?small")) return undefined;
    return { code: readFileSync(id.replace("?small", ""), "utf8"), moduleType: "ts" };
  },
};

/** Imports the modules from `.wasm` files instead of text, for hosts that cannot compile at run time. */
const fromFile = (query) => ({
  name: "module-from-file",
  resolveId(id, importer) {
    const small = importer?.endsWith("?small") ? "?small" : "";
    if (id === "./module.js") return source("module.file.ts") + small;
    if (!id.endsWith("/core.wasm")) return undefined;
    return { id: `../${small ? "validate" : "core"}.wasm${query}`, external: true };
  },
});

rmSync("dist", { recursive: true, force: true });
for (const [dir, format, plugins] of [
  ["esm", "esm", [smallCore]],
  ["cjs", "cjs", [smallCore]],
  ["workerd", "esm", [fromFile(""), smallCore]],
  ["edge-light", "esm", [fromFile("?module"), smallCore]],
]) {
  await build({
    input: { index: source("index.ts"), validate: `${source("validate.ts")}?small` },
    platform: "neutral",
    plugins,
    resolve: { mainFields: ["module", "main"] },
    output: {
      dir: `dist/${dir}`,
      format,
      sourcemap: true,
      entryFileNames: "[name].js",
      chunkFileNames: "[name].js",
      // Code that both entries share, above all the error classes, so that `instanceof` works across them.
      codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] },
    },
  });
}
for (const name of ["core", "validate"]) copyFileSync(`src/wasm/${name}.wasm`, `dist/${name}.wasm`);
for (const format of ["esm", "cjs"]) {
  const outDir = `dist/${format}`;
  // In a shell, because on Windows `tsc` is a batch file.
  execSync(`tsc --project tsconfig.build.json --outDir ${outDir}`, { stdio: "inherit" });
  // No other declaration refers to these, and their sources are not published.
  rmSync(`${outDir}/wasm`, { recursive: true });
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
