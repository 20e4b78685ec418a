// Endless bodies, and the memory that large ones take.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { DecodeError, ServerError } from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { expectOurs, failure, recorded } from "./support/calls.js";

const MIB = 1 << 20;
const cwd = fileURLToPath(new URL("..", import.meta.url));

/** Makes an endless body, and records the parts that were read and whether it was cancelled. */
function endless(size = MIB) {
  const seen = { parts: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      seen.parts++;
      controller.enqueue(new Uint8Array(size).fill(0x20));
    },
    cancel: () => {
      seen.cancelled = true;
    },
  });
  return { seen, stream };
}

describe("a body that never ends", () => {
  test("of a success is read for 64 MiB, then cancelled", async () => {
    const { seen, stream } = endless();
    const { client } = recorded(() => new Response(stream));
    const error = await failure(() => client().tags.listKeys());
    expectOurs(error, DecodeError);
    expect(error).toHaveProperty("message", expect.stringContaining("longer than 64 MiB"));
    expect(seen.cancelled).toBe(true);
    expect(seen.parts).toBeLessThanOrEqual(67);
  });

  test("of an error is read for 64 KiB, then cancelled", async () => {
    const { seen, stream } = endless(1024);
    const { client } = recorded(() => new Response(stream, { status: 500 }));
    const error = await failure(() => client({ maxRetries: 0 }).tags.listKeys());
    expectOurs(error, ServerError);
    expect(error).toHaveProperty("body", " ".repeat(64 * 1024));
    expect(seen).toEqual({ parts: expect.any(Number), cancelled: true });
    expect(seen.parts).toBeLessThanOrEqual(67);
  });

  test("that is a stream of Node.js is destroyed after 64 MiB", async () => {
    let left = false;
    async function* body() {
      try {
        for (;;) yield new Uint8Array(MIB);
      } finally {
        left = true;
      }
    }
    const answer = { status: 200, headers: new Headers(), body: body() } as unknown as Response;
    const { client } = recorded(() => answer);
    expectOurs(await failure(() => client().tags.listKeys()), DecodeError);
    expect(left).toBe(true);
  });

  test("without a stream is rejected when it is too long", async () => {
    const arrayBuffer = async () => new ArrayBuffer(64 * MIB + 1);
    const answer = { status: 200, headers: new Headers(), arrayBuffer } as Response;
    const { client } = recorded(() => answer);
    expectOurs(await failure(() => client().tags.listKeys()), DecodeError);
  });

  test("a body of exactly 64 MiB is read", async () => {
    const body = `{"keys":[]${" ".repeat(64 * MIB - 11)}}`;
    const { client } = recorded(() => new Response(body));
    expect(await client().tags.listKeys()).toEqual([]);
  });
});

describe("a body that expands beyond the limit", () => {
  // 256 MiB of spaces, compressed twice.
  const nested = gzipSync(gzipSync(Buffer.alloc(256 * MIB, 0x20), { level: 1 }));
  const codings = ["gzip", "gzip, gzip"];

  test.for(codings)(
    "in %s is read up to it, and memory stays bounded",
    { timeout: 60_000 },
    (coding) => {
      const program = `
      const { createServer } = await import("node:http");
      const { gunzipSync } = await import("node:zlib");
      const { UsageClient } = await import("@opencomputer/usage");
      const nested = Buffer.from("${nested.toString("base64")}", "base64");
      const body = "${coding}" === "gzip" ? gunzipSync(nested) : nested;
      const server = createServer((_, response) => {
        response.writeHead(200, { "content-encoding": "${coding}" }).end(body);
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const baseUrl = "http://127.0.0.1:" + server.address().port;
      const client = new UsageClient({ apiKey: "k", baseUrl, maxRetries: 0 });
      const rss = () => process.memoryUsage.rss() / ${MIB};
      const before = rss();
      let most = 0;
      const timer = setInterval(() => { most = Math.max(most, rss()); }, 5);
      const error = await client.tags.listKeys().catch((error) => error);
      clearInterval(timer);
      server.close();
      server.closeAllConnections();
      console.log(error.name, error.message.includes("64 MiB"), Math.round(Math.max(most, rss()) - before));
    `;
      const [name, isNamed, grown] = run(program);
      expect([name, isNamed]).toEqual(["DecodeError", "true"]);
      expect(Number(grown)).toBeLessThan(2 * 64 + 64);
    },
  );
});

/** Runs a program in a child process with access to the garbage collector. */
function run(program: string): string[] {
  const args = ["--expose-gc", "--input-type=module", "--eval", program];
  return execFileSync(process.execPath, args, { cwd, encoding: "utf8" }).trim().split(" ");
}

const WATCHED = `
  const memories = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = new Proxy(Instance, {
    construct: (target, args) => {
      const instance = Reflect.construct(target, args);
      memories.push(new WeakRef(instance.exports.memory));
      return instance;
    },
  });
  const { UsageClient, validateTags, validateTagValue } = await import("@opencomputer/usage");
  const collected = async () => {
    for (let i = 0; i < 10; i++) { await new Promise((resolve) => setTimeout(resolve)); gc(); }
    return memories.filter((memory) => !memory.deref()).length;
  };
`;

describe("resident memory", () => {
  test("grows by at most twice the limit while an endless body is read", () => {
    const program = `
      const { UsageClient } = await import("@opencomputer/usage");
      const rss = () => process.memoryUsage.rss() / ${MIB};
      const pull = (controller) => controller.enqueue(new Uint8Array(${MIB}).fill(0x20));
      let most = 0;
      const fetch = async () => new Response(new ReadableStream({ pull: (c) => { pull(c); most = Math.max(most, rss()); } }));
      const client = new UsageClient({ apiKey: "k", baseUrl: "https://api.test", fetch });
      await client.tags.listKeys().catch(() => {});
      gc();
      const before = rss();
      for (let i = 0; i < 3; i++) await client.tags.listKeys().catch(() => {});
      console.log(Math.round(most - before));
    `;
    expect(Number(run(program)[0])).toBeLessThan(2 * 64 + 32);
  }, 60_000);

  test("releases a core that a large response grew", () => {
    const program = `${WATCHED}
      const body = '{"keys":[]' + " ".repeat(${40 * MIB}) + "}";
      const client = new UsageClient({ apiKey: "k", baseUrl: "https://api.test", fetch: async () => new Response(body) });
      await client.tags.listKeys();
      console.log(memories.length, await collected());
    `;
    expect(run(program)).toEqual(["1", "1"]);
  }, 60_000);

  test("releases a core that a large argument grew or that trapped", () => {
    const program = `${WATCHED}
      validateTags({ team: "payments" });
      validateTagValue("é".repeat(20_000_000));
      validateTags({ team: "payments" });
      new Uint8Array(memories[1].deref().buffer).fill(0xff);
      try { validateTags({ "oc:a": "é" }); } catch {}
      console.log(memories.length, await collected());
    `;
    expect(run(program)).toEqual(["2", "2"]);
  }, 120_000);

  test("keeps a core until its calls in progress have ended", () => {
    const program = `${WATCHED}
      let answer;
      const slow = new Promise((resolve) => { answer = resolve; });
      const bodies = [slow, new Response('{"keys":[]' + " ".repeat(${40 * MIB}) + "}"), new Response('{"keys":[]}')];
      const client = new UsageClient({ apiKey: "k", baseUrl: "https://api.test", fetch: () => bodies.shift() });
      const first = client.tags.listKeys();
      await client.tags.listKeys();
      await client.tags.listKeys();
      answer(new Response('{"keys":[{"key":"team","sandboxCount":1,"valueCount":1}]}'));
      console.log((await first).length, memories.length);
    `;
    expect(run(program)).toEqual(["1", "2"]);
  }, 60_000);
});

test("400,000 invalid keys are reported in a fresh process", () => {
  const program = `
    const { validateTags } = await import("@opencomputer/usage/validate");
    const tags = Object.fromEntries(Array.from({ length: 400_000 }, (_, i) => ["k " + i, "v"]));
    console.log(validateTags(tags).length);
  `;
  expect(run(program)).toEqual(["400001"]);
}, 45_000);
