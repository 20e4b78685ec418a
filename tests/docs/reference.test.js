// The reference of the server agrees with the server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./pages.js";
import { BUILT, output, startDemo } from "./server.js";

const server = join(BUILT, "opencomputer-usage-server");
const read = (/** @type {string} */ name) =>
  readFileSync(join(root, "docs/reference", name), "utf8");

/** An option of a command: its default and its variable. @typedef {{ fallback?: string, variable?: string }} Option */

/** Asks a command for its options and subcommands. @param {string[]} command */
async function help(command) {
  const text = await output(server, [...command, "--help"], { env: {} });
  /** @type {Map<string, Option>} */
  const options = new Map();
  for (const [, option = "", rest = ""] of text.matchAll(
    /^ +(?:-\w, )?(--[a-z-]+)((?:.|\n(?! +(?:-\w, )?--))*)/gm,
  )) {
    options.set(option, {
      fallback: /\[default: (.+?)\]/.exec(rest)?.[1],
      variable: /\[env: (\w+)/.exec(rest)?.[1],
    });
  }
  const commands = /^Commands:\n(.*?)\n\n/ms.exec(text)?.[1] ?? "";
  const names = [...commands.matchAll(/^ {2}([a-z-]+)/gm)]
    .map(([, name = ""]) => name)
    .filter((name) => name !== "help");
  return { options, names };
}

/** Returns every command with its options, without those that every command has. */
async function commands() {
  const { options: global, names } = await help([]);
  /** @type {Map<string, Map<string, Option>>} */
  const found = new Map();
  const pending = names.map((name) => [name]);
  for (const command of pending) {
    const { options, names } = await help(command);
    if (names.length > 0) pending.push(...names.map((name) => [...command, name]));
    else
      found.set(command.join(" "), new Map([...options].filter(([option]) => !global.has(option))));
  }
  return { global, found };
}

/** Returns the rows of the tables of a page by heading, and the options in them. @param {string} page */
function sections(page) {
  const parts = page.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const rows = part.split("\n").filter((line) => line.startsWith("| `--"));
      const options = rows.flatMap((row) =>
        [...(row.split(" | ")[0] ?? "").matchAll(/--[a-z-]+/g)].map(([option]) => ({
          option,
          row,
        })),
      );
      return /** @type {const} */ ([part.split("\n")[0]?.replaceAll("`", "") ?? "", options]);
    }),
  );
}

test("the page of the command line has every command and option, with its default", async () => {
  const { global, found } = await commands();
  assert.ok(
    found.has("keys create") && found.get("serve")?.has("--listen"),
    "the help was not understood",
  );
  const documented = sections(read("cli.md"));
  for (const [command, options] of [["Options of every command", global], ...found]) {
    const section = documented.get(/** @type {string} */ (command));
    assert.ok(section, `cli.md has no section on ${command}`);
    const wanted = /** @type {Map<string, Option>} */ (options);
    assert.deepEqual(
      section.map(({ option }) => option).sort(),
      [...wanted.keys()].sort(),
      `the options of ${command}`,
    );
    for (const { option, row } of section) {
      const fallback = wanted.get(option)?.fallback ?? "";
      assert.ok(row.includes(fallback), `the default of ${command} ${option} is ${fallback}`);
    }
    documented.delete(/** @type {string} */ (command));
  }
  assert.deepEqual([...documented.keys()], [], "sections on unknown commands");
});

test("the page of the configuration has every variable", async () => {
  const { global, found } = await commands();
  const options = [global, ...found.values()].flatMap((options) => [...options]);
  const variables = new Map(
    options.flatMap(([option, { variable }]) => (variable ? [[variable, option]] : [])),
  );
  assert.ok(variables.size > 5, "the help was not understood");
  const rows = read("configuration.md")
    .split("\n")
    .filter((line) => line.startsWith("| `--"));
  assert.equal(rows.length, variables.size);
  for (const [variable, option] of variables) {
    assert.ok(
      rows.some((row) => row.includes(`\`${variable}\``) && row.includes(`\`${option} `)),
      `${variable} of ${option}`,
    );
  }
});

test("the page of the metrics has every metric", async () => {
  const demo = await startDemo();
  try {
    await fetch(`${demo.env.OPENCOMPUTER_API_URL}/api/tags`);
    const text = await (await fetch(`${demo.env.OPENCOMPUTER_API_URL}/metrics`)).text();
    const types = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)];
    const served = types.map(([, name = "", type]) =>
      type === "counter" ? `${name}_total` : type === "info" ? `${name}_info` : name,
    );
    const documented = [...read("metrics.md").matchAll(/^\| `(opencomputer_\w+)`/gm)].map(
      ([, name]) => name,
    );
    assert.deepEqual([...new Set(served)].sort(), documented.sort());
  } finally {
    demo.stop();
  }
});
