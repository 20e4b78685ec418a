import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const cwd = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program that can read the core's memory, in a child process. */
function run(program: string): string {
  const watched = `
    const cores = [];
    const { Instance } = WebAssembly;
    WebAssembly.Instance = new Proxy(Instance, {
      construct: (target, args) => {
        const instance = Reflect.construct(target, args);
        cores.push(instance.exports);
        return instance;
      },
    });
    const { UsageClient, validateTags } = await import("@opencomputer/usage");
  `;
  const args = ["--input-type=module", "--eval", watched + program];
  return execFileSync(process.execPath, args, { cwd, encoding: "utf8" }).trim();
}

const PAGES = `
  const item = (n) => ({ sandboxId: "sb-" + n, tags: { team: "payments" }, tagsLastUpdatedAt: null, memoryGbSeconds: 1, diskOverageGbSeconds: 0 });
  let pages = 0;
  const fetch = async () => {
    pages++;
    const cursor = btoa(JSON.stringify({ v: pages, t: "sb" })).replaceAll("=", "");
    const [from, to] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];
    return Response.json({
      from, to, asOf: to, groupBy: "sandbox", total: { memoryGbSeconds: 1, diskOverageGbSeconds: 0 },
      items: Array.from({ length: 100 }, (_, n) => item(n)), nextCursor: cursor,
    });
  };
  const client = new UsageClient({ apiKey: "k", baseUrl: "https://api.test", fetch });
`;

test("a walk over a thousand pages barely grows the core's memory", () => {
  const program = `${PAGES}
    const sizes = [];
    for await (const _ of client.usage.bySandbox()) {
      if (pages === 10) sizes[0] = cores[0].memory.buffer.byteLength;
      if (pages === 1_000) break;
    }
    console.log(pages, cores.length, cores[0].memory.buffer.byteLength - sizes[0]);
  `;
  // A walk carries a hash of each cursor that it followed.
  const [pages, cores, grown] = run(program).split(" ");
  expect([pages, cores]).toEqual(["1000", "1"]);
  expect(Number(grown)).toBeLessThanOrEqual(256 * 1024);
}, 60_000);

test("ten thousand clients and failed calls leave nothing in the core's memory", () => {
  const program = `
    const fetch = async () => { throw new TypeError("down"); };
    const make = () => new UsageClient({ apiKey: "k".repeat(1_000), baseUrl: "https://api.test", maxRetries: 0, fetch });
    const attempt = () => make().tags.get("sb").catch(() => {});
    for (let i = 0; i < 100; i++) await attempt();
    const before = cores[0].memory.buffer.byteLength;
    for (let i = 0; i < 10_000; i++) await attempt();
    console.log(cores.length, cores[0].memory.buffer.byteLength - before);
  `;
  expect(run(program)).toBe("1 0");
}, 60_000);

test("a core that trapped is replaced, and clients keep working", () => {
  const program = `${PAGES}
    await client.usage.bySandbox();
    const walk = client.usage.bySandbox()[Symbol.asyncIterator]();
    await walk.next();
    // Breaks the core: every call into it from here on traps.
    new Uint8Array(cores[0].memory.buffer).fill(0xff);
    let refused;
    try { validateTags({ "oc:a": "é" }); } catch (error) { refused = error; }
    console.log(refused?.name, refused?.cause instanceof WebAssembly.RuntimeError);
    console.log(validateTags({ "oc:a": "é" }).length, (await client.usage.bySandbox()).items.length);
    for (let i = 0; i < 150; i++) await walk.next();
    console.log(cores.length, pages);
  `;
  expect(run(program)).toBe("OpenComputerError true\n1 100\n2 4");
}, 60_000);
