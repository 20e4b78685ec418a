import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A server under test. */
export interface LiveServer {
  url: string;
  apiKey: string;
  stop: () => Promise<void>;
}

/** The variants of the platform's server that are imitated. */
export const VARIANTS = ["original", "today", "edge", "combined"] as const;

/** One of {@link VARIANTS}. */
export type Variant = (typeof VARIANTS)[number];

const LISTEN = ["--listen", "127.0.0.1:0"];

/** Starts our server with a demo fleet in memory. */
export function startDemo(): Promise<LiveServer> {
  return start("opencomputer-usage-server", ["demo", ...LISTEN]);
}

/** Starts a server that imitates the platform. */
export function startPlatform(variant: Variant): Promise<LiveServer> {
  return start("opencomputer-usage-platform", ["--variant", variant, ...LISTEN]);
}

/** Starts our server with the data of these import lines. */
export async function startWith(lines: readonly object[]): Promise<LiveServer> {
  const directory = mkdtempSync(join(tmpdir(), "opencomputer-usage-"));
  const path = program("opencomputer-usage-server");
  const org = ["--org", "11111111-1111-4111-8111-111111111111"];
  const env = { ...process.env, DATABASE_URL: `sqlite://${join(directory, "usage.db")}` };
  const file = join(directory, "fleet.jsonl");
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join("\n"));
  execFileSync(path, ["import", file, ...org], { env, stdio: "pipe" });
  const created = execFileSync(path, ["keys", "create", ...org, "--name", "test"], { env });
  const apiKey = created.toString().trim().split(/\s+/).at(-1);
  const server = await start("opencomputer-usage-server", ["serve", ...LISTEN], env, apiKey);
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  };
  return { ...server, stop };
}

/** Returns the path of a program that cargo built. */
export function program(name: string): string {
  const target =
    process.env["CARGO_TARGET_DIR"] ??
    fileURLToPath(new URL("../../../../target", import.meta.url));
  return `${target}/debug/${name}`;
}

/** Starts a server that cargo built. If it does not start, the error contains its output. */
async function start(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  key?: string,
): Promise<LiveServer> {
  const server = spawn(program(name), args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let complaints = "";
  server.stderr.on("data", (data) => {
    complaints += data;
  });
  const failed = once(server, "exit").then(() => {
    throw new Error(`${name} stopped: ${complaints}`);
  });
  const [url, apiKey] = await Promise.race([announced(server.stdout, key), failed]);
  failed.catch(() => {});
  return { url, apiKey, stop: () => stop(server) };
}

async function announced(
  output: NodeJS.ReadableStream,
  key: string | undefined,
): Promise<[url: string, apiKey: string]> {
  let url: string | undefined;
  for await (const line of createInterface(output)) {
    url ??= /^listening on (\S+)$/.exec(line)?.[1];
    const apiKey = key ?? /^key (\S+)$/.exec(line)?.[1];
    if (url && apiKey) return [url, apiKey];
  }
  throw new Error("the server announced no address and key");
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill();
  await once(server, "exit");
}
