// The npm package beside ajv, valibot, zod and a check by hand: `make bench-ts`.

import { pathToFileURL } from "node:url";
import { closeBrowser } from "../../tests/packages/browser.js";
import { cleanUp, project } from "../../tests/packages/support.js";
import { report } from "./figures.js";
import { pages } from "./pages.js";
import { speed } from "./speed.js";
import { PAGE, start } from "./start.js";

try {
  const directory = await project(PAGE);
  const entry = `${directory}/node_modules/@opencomputer/usage/dist/esm/index.js`;
  const { UsageClient, validateTags } = await import(pathToFileURL(entry).href);
  await start(directory);
  await speed(validateTags);
  await pages(UsageClient);
} finally {
  await closeBrowser();
  cleanUp();
}
report(new URL("../../target/bench/ts.json", import.meta.url).pathname);
