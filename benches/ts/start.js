// The cost of the package before it does any work: size, import and first call.

import { execFileSync } from "node:child_process";
import { serve, visit } from "../../tests/packages/browser.js";
import { BAR, bundledSize } from "../../tests/packages/size.js";
import { add } from "./figures.js";

const RUNS = 25;
const IMPORT = 'import "@opencomputer/usage";';
const FIRST = `
  import { validateTags } from "@opencomputer/usage";
  const started = performance.now();
  validateTags({ team: "payments" });
  console.log(performance.now() - started);
`;

/** @param {string} directory a project with the package installed */
export async function start(directory) {
  for (const [entry, most] of Object.entries(BAR)) {
    const { bytes, gzipped } = await bundledSize(directory, entry);
    add(`${entry}, bundled, minified`, [bytes / 1024], "KB");
    add(`${entry}, bundled, minified, gzip -9`, [gzipped / 1024], "KB", { most });
  }

  /** @param {string} script */
  const node = (script) => {
    const started = performance.now();
    const args = ["--input-type=module", "--eval", script];
    const output = execFileSync(process.execPath, args, { cwd: directory, encoding: "utf8" });
    return { ms: performance.now() - started, output: Number(output) };
  };
  const more = [];
  const first = [];
  for (let run = 0; run < RUNS; run++) {
    const empty = node("").ms;
    more.push(node(IMPORT).ms - empty);
    first.push(node(FIRST).output);
  }
  add("import in a cold Node.js, over an empty script", more, "ms", { most: 15 });
  add("first call in Node.js", first, "ms");

  const url = await serve(directory);
  const browser = [];
  for (let run = 0; run < 9; run++) browser.push(Number(await visit(url, {})));
  add("first call in Chromium", browser, "ms");
}

/** A page that makes the first call. */
export const PAGE = {
  "index.html": '<!doctype html><script type="module" src="/main.js"></script>',
  "main.js": FIRST.replace(
    "@opencomputer/usage",
    "./node_modules/@opencomputer/usage/dist/esm/index.js",
  ).replace(
    "console.log(performance.now() - started)",
    "window.report = performance.now() - started",
  ),
};
