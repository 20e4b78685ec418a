// Builds dist/, which the server embeds: each file as it is, and compressed.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";

const { output } = await build({ logLevel: "warn", build: { write: false } });
const files = new Map();
for (const file of output) {
  const bytes = Buffer.from(file.type === "chunk" ? file.code : file.source);
  files.set(`dist/${file.fileName}`, bytes);
  files.set(`dist/${file.fileName}.br`, brotliCompressSync(bytes));
  files.set(`dist/${file.fileName}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
}

mkdirSync("dist/assets", { recursive: true });
for (const name of readdirSync("dist/assets")) {
  if (!files.has(`dist/assets/${name}`)) rmSync(`dist/assets/${name}`);
}
// Unchanged files keep their times, so that cargo does not build the server again.
for (const [path, bytes] of files) {
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileSync(path, bytes);
}
