import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startDemo } from "./support/server.js";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

test("the README's example runs as it stands", async () => {
  const readme = readFileSync(path("../../../README.md"), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const server = await startDemo();
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", example],
      {
        cwd: path(".."),
        env: { OPENCOMPUTER_API_URL: server.url, OPENCOMPUTER_API_KEY: server.apiKey },
      },
    );
    expect(stdout).toMatch(/^\d[\d.]* GB-seconds, \d+ sandboxes without a team\n/);
    expect(stdout).toContain("key_reserved_prefix");
    expect(stdout).toContain("tag key contains ` ` (U+0020)");
  } finally {
    await server.stop();
  }
}, 30_000);
