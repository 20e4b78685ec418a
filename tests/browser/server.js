// The server on a database of its own, with the fleet in it.

import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { fleet, otherFleet } from "./fleet.js";

const run = promisify(execFile);
const target =
  process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const program = join(target, "debug/opencomputer-usage-server");

/** The engines that every test runs on. */
export const ENGINES = /** @type {const} */ (["SQLite", "PostgreSQL"]);

/** Creates an empty database and returns its URL and a function that removes it. */
const databases = {
  SQLite: async () => {
    const directory = mkdtempSync(join(tmpdir(), "browser-"));
    const remove = async () => rmSync(directory, { recursive: true, force: true });
    return { database: `sqlite://${join(directory, "usage.db")}`, remove };
  },
  PostgreSQL: async () => {
    const given = process.env.TEST_DATABASE_URL;
    if (!given) throw new Error("TEST_DATABASE_URL is not set: run `make test-browser`");
    const name = `browser_${randomUUID().replaceAll("-", "")}`;
    const execute = async (/** @type {string} */ statement) => {
      const client = new pg.Client(given);
      await client.connect();
      await client.query(statement).finally(() => client.end());
    };
    await execute(`CREATE DATABASE ${name}`);
    const database = new URL(given);
    database.pathname = name;
    return { database: database.href, remove: () => execute(`DROP DATABASE ${name} WITH (FORCE)`) };
  },
};

/**
 * Starts a server on a new database with the fleet, and a second org.
 *
 * @param {keyof typeof databases} engine
 */
export async function start(engine) {
  const { database, remove } = await databases[engine]();
  const scratch = mkdtempSync(join(tmpdir(), "browser-"));
  const command = async (/** @type {string[]} */ ...args) =>
    (await run(program, ["--database", database, ...args])).stdout.trim();
  const keyOf = async (/** @type {object[]} */ lines) => {
    const [org, file] = [randomUUID(), join(scratch, "fleet.jsonl")];
    writeFileSync(file, lines.map((line) => JSON.stringify(line)).join("\n"));
    await command("import", file, "--org", org);
    return createKey(org);
  };
  const createKey = async (/** @type {string} */ org, /** @type {string[]} */ ...more) =>
    (await command("keys", "create", "--org", org, "--name", "test", ...more)).split(" ").at(-1) ??
    "";
  const key = await keyOf(fleet());
  const otherKey = await keyOf(otherFleet());

  let { child, url } = await serve(database, "127.0.0.1:0");
  const server = {
    url,
    key,
    otherKey,
    /** Calls the API. @param {string} target @param {RequestInit & { key?: string }} [options] */
    async api(target, { key: given = key, ...options } = {}) {
      const headers = {
        "x-api-key": given,
        "content-type": "application/json",
        ...options.headers,
      };
      const response = await fetch(url + target, { ...options, headers });
      const body = await response.json();
      if (!response.ok) throw new Error(`${target}: ${JSON.stringify(body)}`);
      return body;
    },
    /** Replaces the tags of a sandbox. @param {string} sandbox @param {Record<string, string>} tags */
    setTags: (sandbox, tags) =>
      server.api(`/api/sandboxes/${sandbox}/tags`, { method: "PUT", body: JSON.stringify(tags) }),
    async stop() {
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    },
    /** Starts the server again at its address. */
    async restart() {
      ({ child } = await serve(database, new URL(url).host));
    },
    async remove() {
      await server.stop();
      await remove();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
  return server;
}

/** @typedef {Awaited<ReturnType<typeof start>>} Server */

/** Starts the server of the demo. */
export async function startDemo() {
  const { child, announced } = await spawnServer(["demo", "--listen", "127.0.0.1:0"], "dashboard");
  const [url = "", key = ""] = announced.split("/#key=");
  return { url, key, stop: () => child.kill() };
}

/** @param {string} database @param {string} address */
async function serve(database, address) {
  const args = ["--database", database, "serve", "--listen", address];
  const { child, announced } = await spawnServer(args, "listening on");
  return { child, url: announced };
}

/** Starts a server and waits for a line. @param {string[]} args @param {string} name how the line begins */
async function spawnServer(args, name) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith(`${name} `)) return { child, announced: line.slice(name.length + 1) };
  }
  throw new Error(`the server does not start: ${log}`);
}
