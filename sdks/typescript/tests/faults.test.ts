import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { program } from "./support/server.js";

const RUN = fileURLToPath(new URL("faults/run.mjs", import.meta.url));
const ROUNDS = process.env["FAULT_ROUNDS"] ?? "1";
/** The memory that may be left in caches and compiled code. */
const ROOM = 8 * 1024 * 1024;

test("calls over a faulty network end as expected and leave nothing behind", async () => {
  const args = ["--expose-gc", RUN, program("opencomputer-usage-server"), ROUNDS, String(ROOM)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { problems, before, after, grown } = JSON.parse(stdout);
  expect(problems).toEqual([]);
  expect(after).toEqual(before);
  expect(grown).toBeLessThan(ROOM);
}, 600_000);
