// Every code block of the documentation is run, type-checked or parsed. README.md says how to mark one.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parser as promql } from "@prometheus-io/lezer-promql";
import { loadModule, parseSync as parseSql } from "libpg-query";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { difference } from "./output.js";
import { blocks, isShell, nameOf, pages, placeOf, root } from "./pages.js";
import { END, isChecked, programs, source } from "./programs.js";
import { output, startDemo } from "./server.js";
import { commands, script, shownBy } from "./shell.js";

/** @import { Block } from "./pages.js" */

const here = dirname(fileURLToPath(import.meta.url));
const work = join(here, ".programs");
const all = pages().map((file) => ({ file, blocks: blocks(file) }));
const every = all.flatMap(({ blocks }) => blocks);
/** Returns every program of a language. @param {string} name */
const written = (name) =>
  all.flatMap((page) => programs(page.blocks.filter(({ language }) => language === name)));
const typescript = [...written("ts"), ...written("tsx")];
const python = written("python");

/** How many blocks of each kind were processed in each way. @type {Map<string, number>} */
const counts = new Map();
/** @param {string} how @param {Block[]} blocks */
function count(how, blocks) {
  for (const { language } of blocks)
    counts.set(`${language} ${how}`, (counts.get(`${language} ${how}`) ?? 0) + 1);
}

/** The parsers of data. Each throws if a text is invalid. @type {Record<string, (text: string) => unknown>} */
const PARSERS = {
  json: JSON.parse,
  jsonl: (text) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  promql: (text) => {
    const tree = promql.parse(text);
    tree.iterate({
      enter: ({ type, from }) => assert.ok(!type.isError, `invalid at character ${from}`),
    });
  },
  sql: parseSql,
  toml: parseToml,
  yaml: (text) => parseYaml(text),
};

before(async () => {
  await loadModule();
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, "node_modules/@opencomputer"), { recursive: true });
  symlinkSync(join(root, "sdks/typescript"), join(work, "node_modules/@opencomputer/usage"));
  writeFileSync(join(work, "package.json"), '{ "type": "module" }');
  for (const program of [...typescript, ...python]) writeFileSync(fileOf(program), source(program));
});

after(() => {
  const lines = [...counts].sort().map(([kind, count]) => `  ${String(count).padStart(4)} ${kind}`);
  console.log(`${every.length} code blocks on ${all.length} pages\n${lines.join("\n")}`);
});

/** @param {Block[]} program */
function fileOf(program) {
  const [first] = program;
  assert.ok(first);
  return join(
    work,
    `${nameOf(first).replaceAll(".", "_")}.${first.language.replace("python", "py")}`,
  );
}

test("every block has a known language", () => {
  const known = [
    "ts",
    "tsx",
    "python",
    "console",
    "sh",
    "rust",
    "http",
    "text",
    ...Object.keys(PARSERS),
  ];
  const unknown = every.filter(({ language }) => !known.includes(language));
  assert.deepEqual(unknown.map(placeOf), []);
  count(
    "not checked",
    every.filter(({ language }) => language === "text" || language === "http"),
  );
});

test("data is valid", () => {
  for (const block of every) {
    const parse = PARSERS[block.language];
    if (!parse) continue;
    try {
      parse(block.text);
    } catch (error) {
      throw new Error(`${placeOf(block)}: ${error}`);
    }
    count("parsed", [block]);
  }
});

test("files that pages include exist", () => {
  let included = 0;
  for (const { file } of all) {
    for (const [, path = "", region] of readFileSync(root + file, "utf8").matchAll(
      /^<<< *(\S+?)(?:#(\w+))?(?:\{.*)?$/gm,
    )) {
      const source = path.startsWith("@/")
        ? join(root, "docs", path.slice(2))
        : join(root, dirname(file), path);
      assert.ok(existsSync(source), `${file}: ${path} does not exist`);
      if (region)
        assert.match(
          readFileSync(source, "utf8"),
          new RegExp(`#region ${region}\\b`),
          `${file}: ${path}`,
        );
      included++;
    }
  }
  counts.set("files included from docs/examples", included);
});

test("Rust is tested with the crate", () => {
  const library = readFileSync(join(root, "sdks/rust/src/lib.rs"), "utf8");
  for (const block of every.filter(({ language }) => language === "rust")) {
    const path = block.file.replace("sdks/rust/", "../").replace(/^docs\//, "../../../docs/");
    assert.ok(
      library.includes(`include_str!("${path}")`),
      `sdks/rust/src/lib.rs does not include ${block.file}`,
    );
    count("compiled by the documentation tests of the Rust crate", [block]);
  }
});

test("TypeScript has no type errors, and compiles", async () => {
  const options = {
    strict: true,
    noUncheckedIndexedAccess: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    module: "nodenext",
    types: ["node"],
    jsx: "react-jsx",
    outDir: "compiled",
    rootDir: ".",
  };
  writeFileSync(
    join(work, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, include: ["*.ts", "*.tsx"] }),
  );
  await output(join(root, "sdks/typescript/node_modules/.bin/tsc"), ["--project", "."], {
    cwd: work,
  });
  count("type-checked", typescript.flat());
});

test("Python that is not run has no type errors", async () => {
  const checked = python.filter(isChecked);
  if (checked.length === 0) return;
  const lenient = ["--ignore-missing-imports", "--allow-redefinition", "--no-error-summary"];
  const cache = ["--cache-dir", join(root, "sdks/python/.mypy_cache")];
  await output(
    join(root, ".venv/bin/mypy"),
    [...lenient, ...cache, "--scripts-are-modules", ...checked.map(fileOf)],
    { cwd: work },
  );
  count("type-checked", checked.flat());
});

test("shell that is not run is valid", async () => {
  for (const program of all.flatMap((page) =>
    programs(page.blocks.filter(({ language }) => isShell(language))),
  )) {
    if (!isChecked(program)) continue;
    const text = program
      .flatMap(commands)
      .map(({ command }) => command)
      .join("\n");
    await output("bash", ["-n", "-c", text]);
    count("parsed", program);
  }
});

/** Returns the programs of a page that run, in the order of their first blocks. @param {Block[]} blocks */
function runnable(blocks) {
  const languages = [["console", "sh"], ["ts"], ["python"]];
  const found = languages.flatMap((names) =>
    programs(blocks.filter(({ language }) => names.includes(language))),
  );
  return found
    .filter((program) => !isChecked(program))
    .sort(([a], [b]) => (a?.line ?? 0) - (b?.line ?? 0));
}

/** @param {Block[]} program @param {{ cwd: string, env: NodeJS.ProcessEnv }} options */
async function runProgram(program, options) {
  const [first] = program;
  assert.ok(first);
  try {
    await (isShell(first.language) ? runShell : runSource)(program, options);
    count("run", program);
    count(
      "compared with what the block before it prints",
      program.flatMap(({ output }) => output ?? []),
    );
  } catch (error) {
    throw new Error(`${placeOf(first)}: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {Block[]} program @param {{ cwd: string, env: NodeJS.ProcessEnv }} options */
async function runShell(program, options) {
  const { text, outputs } = script(program);
  compare(outputs, await output("bash", ["-c", text], options));
}

/** @param {Block[]} program @param {{ cwd: string, env: NodeJS.ProcessEnv }} options */
async function runSource(program, options) {
  const file = fileOf(program);
  const printed = file.endsWith(".py")
    ? await output("python", [file], options)
    : await output(
        process.execPath,
        [file.replace(work, `${work}/compiled`).replace(/\.ts$/, ".js")],
        options,
      );
  compare(
    program.map(({ output }) => shownBy(output)),
    printed,
  );
}

/**
 * Compares the output that is shown for each part of a program with what it prints.
 *
 * @param {{ shown: string, exact: boolean }[]} outputs
 * @param {string} printed
 */
function compare(outputs, printed) {
  const parts = printed.split(new RegExp(`${END}\\n?`));
  for (const [index, output] of outputs.entries()) {
    const found = output.shown && difference(output, parts[index] ?? "");
    if (found) throw new Error(`other output than shown: ${found}`);
  }
}

describe("the blocks of a page run", { concurrency: 2 }, () => {
  for (const page of all) {
    const running = runnable(page.blocks);
    if (running.length === 0) continue;
    test(page.file, async () => {
      const demo = await startDemo();
      const scratch = mkdtempSync(join(tmpdir(), "docs-"));
      try {
        for (const program of running) await runProgram(program, { cwd: scratch, env: demo.env });
      } finally {
        demo.stop();
        rmSync(scratch, { recursive: true });
      }
    });
  }
});
