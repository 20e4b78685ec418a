/**
 * Runs the scenarios of `tests/faults` several times, in a process of their own, whose resources can be counted.
 * Prints JSON: the problems, and the open and allocated resources before and after.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { UsageClient } from "@opencomputer/usage";

const FAULTS = new URL("../../../../tests/faults/", import.meta.url);
const scenarios = JSON.parse(readFileSync(new URL("scenarios.json", FAULTS), "utf8")).scenarios.map(
  ({ typescript, ...scenario }) => ({ ...scenario, ...typescript }),
);
const [, , program, rounds, room] = process.argv;

const KINDS = {
  APIError: "api",
  ConflictError: "conflict",
  ConnectionError: "connection",
  DecodeError: "decode",
  ServerError: "server",
  TimeoutError: "timeout",
};

const proxy = spawn("python3", [fileURLToPath(new URL("proxy.py", FAULTS)), program], {
  stdio: ["pipe", "pipe", "inherit"],
});
const { value } = await createInterface(proxy.stdout)[Symbol.asyncIterator]().next();
const { server, key, urls } = JSON.parse(value);
const direct = new UsageClient({ apiKey: key, baseUrl: server });
const problems = [];

/** The parameters of reads, which leave out the sandboxes that scenarios write. */
const OTHERS = { state: "all", exclude: { "tag:team": ["first", "wanted", "other"] } };

const OPERATIONS = {
  list: async (client) => (await client.sandboxes.list({ ...OTHERS, limit: 100 })).items,
  walk: async (client) => {
    const items = [];
    for await (const item of client.sandboxes.list({ ...OTHERS, limit: 50 })) items.push(item);
    return items;
  },
  set: async (client, { sandboxId, ifMatch }) =>
    (await client.tags.set(sandboxId, { team: "wanted" }, { ifMatch })).tags,
  update: async (client, { sandboxId }) =>
    (await client.tags.update(sandboxId, (tags) => ({ ...tags, team: "wanted" }))).tags,
};

/** Runs one scenario, and a healthy call through the same client. Reports what is not as expected. */
async function run(round, number, { sandboxId, etag, expected }) {
  const { name, operation, outcome, maxRetries = 2, timeoutMs = 60_000 } = scenarios[number];
  const baseUrl = `${urls[number]}/${round}`;
  const client = new UsageClient({ apiKey: key, baseUrl, maxRetries, timeoutMs });
  const found = await OPERATIONS[operation](client, { sandboxId, ifMatch: etag }).then(
    (result) => (isDeepStrictEqual(result, expected) ? "result" : { result }),
    (error) => ({ kind: KINDS[error.name], status: error.status, code: error.code, error }),
  );
  const members = Object.entries(outcome === "result" ? {} : outcome);
  const isExpected =
    members.length > 0 && members.every(([key, value]) => found[key] === (value ?? undefined));
  if (outcome !== found && !isExpected) problems.push([name, found]);
  const keys = await client.tags.listKeys({ timeoutMs: 60_000 }).catch(String);
  if (!Array.isArray(keys) || keys.length < 2) problems.push([name, "no healthy call", keys]);
}

/** Runs all scenarios at once, and compares what the proxy and the server have seen of them. */
async function runAll(round) {
  const query = { state: "all", filter: { "tag:oc:plan": null }, limit: scenarios.length };
  const sandboxes = (await direct.sandboxes.list(query)).items;
  const attempts = [];
  for (const [number, { tags }] of scenarios.entries()) {
    const sandboxId = sandboxes[number].sandboxID;
    const etag = tags && (await direct.tags.set(sandboxId, { team: "first" })).etag;
    attempts.push({ sandboxId, etag, expected: tags });
  }
  const reads = { list: await OPERATIONS.list(direct), walk: await OPERATIONS.walk(direct) };
  await Promise.all(
    attempts.map((attempt, number) =>
      run(round, number, {
        ...attempt,
        expected: attempt.expected ?? reads[scenarios[number].operation],
      }),
    ),
  );
  const { runs, trapped } = await report();
  if (trapped > 0) problems.push(`${trapped} redirects were followed`);
  for (const [number, { name, requests, applied, tags }] of scenarios.entries()) {
    const seen = runs[round]?.[number];
    if (seen?.requests !== requests) problems.push([name, seen]);
    if (!tags) continue;
    if (!isDeepStrictEqual(seen?.applied, applied)) problems.push([name, seen]);
    const left = (await direct.tags.get(attempts[number].sandboxId)).tags;
    if (!isDeepStrictEqual(left, tags)) problems.push([name, { left }]);
  }
}

/** Reads the report over a connection that no pool keeps. */
async function report() {
  return (await fetch(`${urls[0]}/report`, { headers: { connection: "close" } })).json();
}

/** Counts handles by kind, descriptors and the proxy's connections. */
async function opened() {
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  const directory = "/proc/self/fd";
  const descriptors = existsSync(directory) ? readdirSync(directory).length : 0;
  return { handles, descriptors, connections: (await report()).open };
}

/** Returns the allocated memory in bytes, after a garbage collection. */
function allocated() {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

// The streams of the process count as handles from their first use on.
process.stdout.write("");
process.stderr.write("");
const before = await opened();
const bytesBefore = allocated();
for (let round = 1; round <= Number(rounds); round++) await runAll(round);
// `fetch` keeps idle connections for seconds. Forgotten timers of calls run for longer than this waits.
const ends = performance.now() + 20_000;
let after = await opened();
let grown = allocated() - bytesBefore;
while (!(isDeepStrictEqual(before, after) && grown < Number(room)) && performance.now() < ends) {
  await sleep(100);
  after = await opened();
  grown = allocated() - bytesBefore;
}
console.log(JSON.stringify({ problems, before, after, grown }));
proxy.stdin.end();
