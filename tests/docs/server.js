// The server of the demo, and programs that run against it.

import { execFile, spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { root } from "./pages.js";

const run = promisify(execFile);

/** The folder of the programs that cargo built. */
export const BUILT = join(process.env["CARGO_TARGET_DIR"] ?? join(root, "target"), "debug");

/** Starts a server with the demo's fleet. Returns the environment that its clients need, and a function that ends it. */
export async function startDemo() {
  const program = join(BUILT, "opencomputer-usage-server");
  const child = spawn(program, ["demo", "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  let url = "";
  for await (const line of createInterface(child.stdout)) {
    const [name, value = ""] = line.split(/ (?:on )?/);
    if (name === "listening") url = value;
    if (name !== "key") continue;
    const env = { OPENCOMPUTER_API_URL: url, OPENCOMPUTER_API_KEY: value };
    const path = [BUILT, join(root, ".venv/bin"), process.env["PATH"]].join(delimiter);
    return { env: { ...process.env, ...env, PATH: path }, stop: () => child.kill() };
  }
  throw new Error(`the server does not start: ${log}`);
}

/**
 * Runs a program and returns what it prints.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function output(program, args, options = {}) {
  const limits = { timeout: 120_000, maxBuffer: 16 << 20 };
  try {
    return (await run(program, args, { ...limits, ...options })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "", message } = /** @type {any} */ (error);
    throw new Error(`${stdout}${stderr}` || message);
  }
}
