// Builds dist/: one bundle a way of loading the core's module, and one tree of declarations a module system.

import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const source = (name) => fileURLToPath(new URL(`src/${name}`, import.meta.url));

/** What runs the core's module, of which there are two: one for each entry. */
const RUNNERS = ["./core.js", "./module.js", "./wasm/core.js"];

/** Gives `validate` a core of its own, the pure functions alone, which is half the size. The rest both entries share. */
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

/** Takes the modules from `.wasm` files instead of from text: for hosts that compile none at run time. */
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
      // What both entries share: their errors, above all, so that each knows the other's.
      codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] },
    },
  });
}
for (const name of ["core", "validate"]) copyFileSync(`src/wasm/${name}.wasm`, `dist/${name}.wasm`);
for (const format of ["esm", "cjs"]) {
  const outDir = `dist/${format}`;
  execFileSync("tsc", ["--project", "tsconfig.build.json", "--outDir", outDir], {
    stdio: "inherit",
  });
  // No other declaration needs these, and their sources are not in the package.
  rmSync(`${outDir}/wasm`, { recursive: true });
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
