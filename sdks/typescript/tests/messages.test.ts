// Error messages.

import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import {
  ConflictError,
  ConnectionError,
  InvalidRequestError,
  LIMITS,
  UsageClient,
  validateTags,
} from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { answering, expectOurs, failure, recorded, response } from "./support/calls.js";

describe("messages", () => {
  const make = (options: object) => () =>
    new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", ...options });
  const client = () => answering({}).client({ maxRetries: 0 });

  test.for([
    [new Map(), "a Map"],
    [new Set(), "a Set"],
    [new Date(), "a Date"],
    [Promise.resolve(), "a Promise"],
    [5n, "a bigint"],
    [Symbol("s"), "a symbol"],
    [() => {}, "a function"],
    [{ [Symbol("s")]: 1 }, "an object with a symbol for a key"],
    [new WeakMap(), "an unsupported type"],
  ] as const)("%o is described as %s", async ([value, kind]) => {
    const message = `got ${kind}`;
    const tags = await failure(() => validateTags(value));
    expect(tags).toHaveProperty("message", expect.stringContaining(message));
    const violations = validateTags({ a: value });
    const got = kind.startsWith("an object") ? "got an object" : message;
    expect(violations[0]?.message).toContain(got);
    const query = await failure(() => client().usage.bySandbox({ limit: value as never }));
    expect(query).toHaveProperty("message", expect.stringMatching(new RegExp(`\`limit\`.*${got}`)));
  });

  test.for([
    [
      "an unknown option of a client",
      make({ timeout: 5 }),
      ["`fetch`", "`logger`", "`dangerouslyAllowBrowser`", "`timeoutMs`"],
    ],
    [
      "an unknown option of a call",
      () => client().tags.get("sb", { timeout: 5 } as object),
      ["`signal`", "`headers`"],
    ],
    [
      "an unknown option of a write",
      () => client().tags.set("sb", {}, { match: 5 } as object),
      ["`signal`", "`ifMatch`"],
    ],
    [
      "half a limit",
      () => client().usage.bySandbox({ limit: 1.5 }),
      ["`limit`", `1 to ${LIMITS.maxPageLimit}`],
    ],
    [
      "a number for a time",
      () => client().usage.bySandbox({ from: 1e9 as never }),
      ["`from`", "a number"],
    ],
    ["a negative timeout", make({ timeoutMs: -1 }), ["`timeoutMs`", "positive"]],
    ["a timeout that is text", make({ timeoutMs: "5" }), ["`timeoutMs`", "a string"]],
    ["half a retry", make({ maxRetries: 0.5 }), ["`maxRetries`", "0 to 4294967295"]],
    ["headers that are a list", make({ headers: [] }), ["`headers`", "an array"]],
    ["an empty key", make({ apiKey: "" }), ["key is empty"]],
    [
      "a change that is not a function",
      () => client().tags.update("sb", 5 as never),
      ["`change`", "function"],
    ],
    [
      "a fetch that returns nothing",
      () =>
        recorded(() => undefined as never)
          .client()
          .tags.listKeys(),
      ["`fetch`", "`Response`"],
    ],
  ] as const)("%s: the message names the fault", async ([, run, parts]) => {
    const error = await failure(run);
    expectOurs(error, InvalidRequestError);
    for (const part of parts)
      expect(error).toHaveProperty("message", expect.stringContaining(part));
  });

  test("a fetch that returns no response is not retried", async () => {
    const { client, sent } = recorded(() => undefined as never);
    await failure(() => client({ maxRetries: 3 }).tags.listKeys());
    expect(sent).toHaveLength(1);
  });

  test.for([
    [304, "", "HTTP 304"],
    [500, "<html><body>oops</body></html>", "HTTP 500"],
    [200, "\x1f\x8b\b\0", "gzip"],
  ] as const)("the error of a response %s names the cause", async ([status, text, part]) => {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const { client } = recorded(() => new Response(status === 304 ? null : bytes, { status }));
    const error = await failure(() => client({ maxRetries: 0 }).tags.listKeys());
    expect(error).toHaveProperty("message", expect.stringContaining(part));
    expect((error as Error).message).not.toContain("<html>");
    expect((error as Error).message.split("\n")).toHaveLength(1);
  });

  test("the error of TLS to a plain port names the port and the other scheme", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const baseUrl = `https://127.0.0.1:${port}`;
    const error = await failure(() => make({ baseUrl, maxRetries: 0 })().tags.listKeys());
    expectOurs(error, ConnectionError);
    expect(error).toHaveProperty("message", expect.stringContaining(`${baseUrl}: fetch failed`));
    expect(error).toHaveProperty("message", expect.stringContaining("`http://`"));
    server.close();
  });

  test("the error of plain HTTP to a TLS port names the port and the other scheme", async () => {
    // Such a port sends an alert and closes.
    const alert = "\x15\x03\x03\0\x02\x02\x46";
    const server = createTcpServer((socket) => {
      socket.once("data", () => socket.end(alert, "latin1"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await failure(() => make({ baseUrl, maxRetries: 0 })().tags.listKeys());
    expectOurs(error, ConnectionError);
    expect(error).toHaveProperty("message", expect.stringContaining(`${baseUrl}: fetch failed`));
    expect(error).toHaveProperty("message", expect.stringContaining("`https://`"));
    server.close();
  });

  test("the error of an update that gives up mentions the update", async () => {
    const state = { tags: {}, tagsLastUpdatedAt: null };
    const { client } = recorded((_, { method }) =>
      method === "GET"
        ? response({ status: 200, headers: { etag: '"1"' }, body: state })
        : response({
            status: 412,
            body: { error: "`If-Match` does not match", code: "tags_changed" },
          }),
    );
    const error = await failure(() =>
      client().tags.update("sb", (tags) => tags, { timeoutMs: 300 }),
    );
    expectOurs(error, ConflictError, "tags_changed");
    expect(error).toHaveProperty("message", expect.stringMatching(/^the update gave up/));
  });
});
