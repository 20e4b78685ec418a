import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startDemo } from "./support/server.js";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Returns the TypeScript examples of a file of the repository. */
function examples(file: string): string[] {
  const text = readFileSync(path(`../../../${file}`), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example = ""]) => example);
}

/** Runs a program next to the built package; returns its output. */
async function printed(program: string, env: Record<string, string> = {}): Promise<string> {
  const args = ["--input-type=module", "--eval", program];
  return (await promisify(execFile)(process.execPath, args, { cwd: path(".."), env })).stdout;
}

async function live<T>(run: (env: Record<string, string>) => Promise<T>): Promise<T> {
  const server = await startDemo();
  try {
    return await run({ OPENCOMPUTER_API_URL: server.url, OPENCOMPUTER_API_KEY: server.apiKey });
  } finally {
    await server.stop();
  }
}

test("the README's example runs as it stands", async () => {
  const [example = ""] = examples("README.md");
  const stdout = await live((env) => printed(example, env));
  expect(stdout).toMatch(/^\d[\d.]* GB-seconds, \d+ sandboxes without a team\n/);
  expect(stdout).toContain("key_reserved_prefix");
  expect(stdout).toContain("tag key contains ` ` (U+0020)");
}, 30_000);

test("the examples of the package's README run as they stand", async () => {
  const [client = "", pure = "", ...more] = examples("sdks/typescript/README.md");
  expect(more).toEqual([]);
  expect(await live((env) => printed(client, env))).toMatch(/sandboxes used memory\n$/);
  expect(await printed(pure)).toMatch(/^cost center tag key contains ` `.*\n50 tags at most\n$/);
}, 30_000);

test("the examples of moving from the platform's SDK run before and after", async () => {
  const [before = "", after = "", minutes = "", ...more] = examples("docs/sdk/moving.md");
  expect(more).toEqual([]);
  const lines = await live((env) =>
    Promise.all([before, after, minutes].map((example) => printed(example, env))),
  );
  expect(lines[0]).toMatch(/^\d+ teams, \d+ keys\n$/);
  expect(lines[1]).toBe(lines[0]);
  expect(lines[2]).toMatch(/^[\d.]+ seconds up, true\n$/);
}, 30_000);
