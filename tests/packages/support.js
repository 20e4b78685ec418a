// Projects with the packed tarball, the live server, and child processes.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
mkdirSync(join(here, ".projects"), { recursive: true });
/** The folder of the projects, below this one so that bundlers find their own files. Each has the package installed. */
const projects = mkdtempSync(join(here, ".projects/run-"));

/** @type {import("node:child_process").ChildProcess | undefined} */
let serving;

/** Stops the server and removes the projects, at the end of a test file. */
export function cleanUp() {
  serving?.kill();
  rmSync(projects, { recursive: true, force: true, maxRetries: 5 });
}

/** @param {string} name @returns {string} the path of an installed program */
export const program = (name) => join(here, "node_modules/.bin", name);

const finished = promisify(execFile);

/**
 * Runs a program to its end. If it fails, the error contains its output.
 *
 * @param {string} file @param {readonly string[]} args @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<string>} its standard output
 */
export async function run(file, args, { cwd, env = {} }) {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 64 << 20, timeout: 300_000 };
  try {
    return (await finished(file, args, options)).stdout;
  } catch (error) {
    const { message, stdout = "", stderr = "" } = /** @type {any} */ (error);
    throw new Error([message, stdout, stderr].join("\n"));
  }
}

/** @type {Promise<string> | undefined} */
let tarball;

/** Packs the package as it is published, once. */
async function packed() {
  const cwd = join(root, "sdks/typescript");
  const name = await run("npm", ["pack", "--silent", "--pack-destination", projects], { cwd });
  return join(projects, name.trim());
}

/** The tarball that `npm publish` would upload. */
export function packedTarball() {
  tarball ??= packed();
  return tarball;
}

/**
 * Makes a project with the packed package, the probe, and these files by name.
 *
 * @param {Readonly<Record<string, string>>} files
 * @returns {Promise<string>} its directory
 */
export async function project(files) {
  const archive = await packedTarball();
  const directory = mkdtempSync(join(projects, "project-"));
  writeFileSync(join(directory, "package.json"), '{ "private": true }');
  const install = ["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock", archive];
  await run("npm", install, { cwd: directory });
  cpSync(join(here, "probe.js"), join(directory, "probe.mjs"));
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return directory;
}

/** @type {Promise<{ baseUrl: string, apiKey: string }> | undefined} */
let server;

/** The live server with its demo fleet. It allows calls of any origin. */
export function liveServer() {
  server ??= started();
  return server;
}

async function started() {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const file = join(target, "debug/opencomputer-usage-server");
  const args = ["demo", "--listen", "127.0.0.1:0", "--cors-origin", "*"];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  serving = child;
  const gone = once(child, "exit").then(() => Promise.reject(new Error(`${file} stopped`)));
  gone.catch(() => {});
  return Promise.race([announced(child.stdout), gone]);
}

/** @param {import("node:stream").Readable} output */
async function announced(output) {
  let baseUrl;
  for await (const line of createInterface(output)) {
    baseUrl ??= /^listening on (\S+)$/.exec(line)?.[1];
    const apiKey = /^key (\S+)$/.exec(line)?.[1];
    if (baseUrl && apiKey) return { baseUrl, apiKey };
  }
  throw new Error("the server announced no address and key");
}
