// Builds dist/{esm,cjs}: one bundle and one tree of declarations for each module system.

import { execFileSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { build } from "rolldown";

rmSync("dist", { recursive: true, force: true });
for (const format of ["esm", "cjs"]) {
  const dir = `dist/${format}`;
  await build({
    input: "src/index.ts",
    platform: "neutral",
    output: { file: `${dir}/index.js`, format },
  });
  execFileSync("tsc", ["--project", "tsconfig.build.json", "--outDir", dir], { stdio: "inherit" });
  // tsc emits no declarations for a file that is JavaScript with declarations of its own.
  cpSync("src/wasm/core.d.ts", `${dir}/wasm/core.d.ts`);
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
