import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import {
  decodeCursor,
  encodeCursor,
  formatFilter,
  formatGroupBy,
  type ListPage,
  OpenComputerError,
  parseFilter,
  parseGroupBy,
  type TagMap,
  UsageClient,
  validateTagKey,
  validateTags,
  validateTagValue,
} from "@opencomputer/usage";
import { expect, test, vi } from "vitest";
import { METHODS } from "./support/calls.js";

/** A random call with the verdict of the core, as `fuzz/examples/verdicts.rs` writes it. */
interface Case {
  case: string;
  call: string;
  input: unknown;
  verdict: string;
}

/** The input of a call of the API. */
interface Exchange {
  params: Record<string, unknown>;
  answer: { status: number; headers: Record<string, string>; body: string };
  /** The tags that the callback of an update returns. */
  to: TagMap;
}

const FUNCTIONS: Record<string, (input: never) => unknown> = {
  validateTags,
  validateTagKey,
  validateTagValue,
  parseGroupBy,
  formatGroupBy,
  parseFilter,
  formatFilter,
  encodeCursor,
  decodeCursor,
};

/** Cases of `make verdicts`. */
const VERDICTS = new URL("../../../target/fuzz/verdicts.jsonl", import.meta.url);

/** The maximum number of mismatches shown in a failure. */
const SHOWN = 5;

/** The instant of every call: 2026-01-01T00:00:00Z. */
const NOW = Date.UTC(2026, 0, 1);

test("random calls have the verdicts of the core", { timeout: 3_600_000 }, async () => {
  vi.stubGlobal("performance", { now: () => NOW, timeOrigin: 0 });
  const mismatches: string[] = [];
  let cases = 0;
  for await (const line of createInterface({ input: createReadStream(VERDICTS) })) {
    const wanted: Case = JSON.parse(line);
    cases++;
    const events = await eventsOf(wanted);
    const [core, actual] = [canonical(withoutMissing(wanted.verdict, events)), canonical(events)];
    if (actual !== core) mismatches.push(`${line}\ncore:       ${core}\nTypeScript: ${actual}`);
  }
  vi.unstubAllGlobals();
  expect(cases).toBeGreaterThanOrEqual(5_000);
  const shown = mismatches.slice(0, SHOWN).join("\n");
  expect(mismatches.length, `of ${cases} cases:\n${shown}`).toBe(0);
});

/** Makes a call. Returns the requests, the callbacks, the results and the error, in order. */
async function eventsOf({ call, input }: Case): Promise<unknown[]> {
  const events: unknown[] = [];
  try {
    const run = FUNCTIONS[call];
    if (run) events.push({ done: run(input as never) });
    else await exchange(call, input as Exchange, events);
  } catch (error) {
    events.push({ failed: failed(error) });
  }
  return events;
}

/** Calls the API and asks for the next page. That request is answered with status 418. */
async function exchange(call: string, input: Exchange, events: unknown[]): Promise<void> {
  let { answer } = input;
  const client = new UsageClient({
    apiKey: "key-0123456789",
    baseUrl: "https://api.example.com",
    maxRetries: 0,
    fetch: async (url, { method, headers, body }) => {
      const { "user-agent": _, ...sent } = headers as Record<string, string>;
      events.push({ method, url, headers: sent, body });
      return responseOf(answer);
    },
  });
  const page = await callMethod(client, call, input, events);
  if (page?.hasNextPage()) {
    answer = { status: 418, headers: {}, body: "" };
    await page.getNextPage();
  }
}

/** Calls the method. Returns the page, if the result is one. */
async function callMethod(
  client: UsageClient,
  call: string,
  { params, to }: Exchange,
  events: unknown[],
): Promise<ListPage<unknown> | undefined> {
  const method = METHODS[call];
  const { key, groupBy, timezone, ...rest } = params;
  const query = timezone === undefined ? rest : { ...rest, timeZone: timezone };
  switch (call) {
    case "usage.by":
    case "usage.by_tag":
    case "usage.by_sandbox": {
      const { usage } = client;
      const pages = {
        "usage.by": () => usage.by(groupBy as "region", query),
        "usage.by_tag": () => usage.byTag(key as string, query),
        "usage.by_sandbox": () => usage.bySandbox(query),
      };
      const page: ListPage<unknown> = await pages[call]();
      events.push({ done: page });
      return page;
    }
    case "tags.list_values": {
      const page = await client.tags.listValues(key as string, rest);
      const { items, ...others } = page;
      events.push({ done: { ...others, values: items } });
      return page;
    }
    case "sandboxes.list": {
      const page = await client.sandboxes.list(rest);
      events.push({ done: { items: page.items, nextCursor: page.nextCursor } });
      return page;
    }
    case "tags.update": {
      const update = (tags: TagMap) => {
        events.push({ change: tags });
        return to;
      };
      events.push({ done: await client.tags.update(rest["sandboxId"] as string, update) });
      return undefined;
    }
    default:
      events.push({ done: await method?.(client, params) });
      return undefined;
  }
}

function responseOf({ status, headers, body }: Exchange["answer"]): Response {
  // Each character of the body is a byte.
  const bytes = Uint8Array.from(body, (character) => character.charCodeAt(0));
  return new Response(bytes.length > 0 ? bytes : null, { status, headers });
}

/** The members that only some classes of errors have. */
const OF_CLASSES = ["body", "retryAfter", "violations"];

interface Failed {
  failed?: Record<string, unknown>;
}

/** Returns the members of an error by the core's names, except those that its class lacks. */
function failed(error: unknown): Failed["failed"] {
  if (!(error instanceof OpenComputerError)) throw error;
  const { name, message, code = null, status = null, requestId = null, headers = {} } = error;
  const kind = name.replace(/Error$/, "").replace(/(?<=[a-z])(?=[A-Z])/g, "_");
  const members = { kind: kind.toLowerCase(), message, code, status, requestId, headers };
  const others: Record<string, unknown> = { ...error };
  for (const member of OF_CLASSES) {
    if (member in others) Object.assign(members, { [member]: others[member] ?? null });
  }
  return members;
}

/** Leaves out the members of the core's error that the class of the actual error lacks. */
function withoutMissing(verdict: string, events: readonly unknown[]): unknown {
  const wanted: Failed[] = JSON.parse(verdict);
  const [core, actual] = [wanted.at(-1)?.failed, (events.at(-1) as Failed | undefined)?.failed];
  for (const member of OF_CLASSES) {
    if (core && actual && !(member in actual)) delete core[member];
  }
  return wanted;
}

/** Writes a value as `fuzz/src/differential/verdict.rs` does: sorted members, and numbers as their bits. */
function canonical(value: unknown): string {
  if (typeof value === "number") {
    const bits = new BigUint64Array(new Float64Array([value]).buffer)[0] ?? 0n;
    return `"f64:${bits.toString(16).padStart(16, "0")}"`;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const written = members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${written.join(",")}}`;
}
