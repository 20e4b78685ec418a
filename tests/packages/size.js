// The size of the package as a browser downloads it: bundled, minified, compressed. A KB is 1024 bytes.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The most that an import of each entry may cost, in KB. */
export const BAR = { "@opencomputer/usage": 56, "@opencomputer/usage/validate": 32 };

/**
 * Bundles all of an entry as esbuild does by default for a browser.
 *
 * @param {string} directory a project that holds the package
 * @param {string} entry
 */
export async function bundledSize(directory, entry) {
  const { outputFiles } = await build({
    // Re-exports everything, so that nothing is tree-shaken.
    stdin: {
      contents: `export * from "${entry}";`,
      resolveDir: directory,
    },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  const [{ contents }] = outputFiles;
  return { bytes: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
}
