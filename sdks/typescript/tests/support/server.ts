import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A server with a made-up fleet in memory. */
export interface DemoServer {
  url: string;
  apiKey: string;
  stop: () => Promise<void>;
}

/** Starts the server that cargo built; fails with what it wrote where it does not start. */
export async function startDemo(): Promise<DemoServer> {
  const target =
    process.env["CARGO_TARGET_DIR"] ??
    fileURLToPath(new URL("../../../../target", import.meta.url));
  const program = `${target}/debug/opencomputer-usage-server`;
  const server = spawn(program, ["demo", "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaints = "";
  server.stderr.on("data", (data) => {
    complaints += data;
  });
  const failed = once(server, "exit").then(() => {
    throw new Error(`${program} stopped: ${complaints}`);
  });
  const [url, apiKey] = await Promise.race([announced(server.stdout), failed]);
  failed.catch(() => {});
  return { url, apiKey, stop: () => stop(server) };
}

async function announced(output: NodeJS.ReadableStream): Promise<[url: string, apiKey: string]> {
  let url: string | undefined;
  for await (const line of createInterface(output)) {
    url ??= /^listening on (\S+)$/.exec(line)?.[1];
    const apiKey = /^key (\S+)$/.exec(line)?.[1];
    if (url && apiKey) return [url, apiKey];
  }
  throw new Error("the server announced no address and key");
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill();
  await once(server, "exit");
}
