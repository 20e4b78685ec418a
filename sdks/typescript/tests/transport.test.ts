import { ConnectionError, DecodeError, TimeoutError, UsageClient } from "@opencomputer/usage";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  answering,
  call,
  expectError,
  expectOurs,
  failure,
  recorded,
  response,
} from "./support/calls.js";
import { type Connection, startScript } from "./support/script.js";
import { type Case, type ExpectedError, load } from "./support/vectors.js";

afterEach(() => void vi.useRealTimers());

interface Scripted extends Case {
  operation: string;
  params: Record<string, unknown>;
  maxRetries: number;
  timeoutMs?: number;
  connections: Connection[];
  requests: string[];
  result?: unknown;
  error?: ExpectedError;
}

describe("transport", () => {
  const cases = load<Scripted>("transport").map((testCase) => [testCase.name, testCase] as const);

  test.concurrent.for(cases)("%s", async ([, testCase]) => {
    const { operation, params, maxRetries, timeoutMs, connections, requests, error } = testCase;
    const server = await startScript(connections);
    try {
      const options = { apiKey: "oc_key", baseUrl: server.url, maxRetries, timeoutMs };
      const result = () => call(new UsageClient(options), operation, params);
      if (error) expectError(await failure(result), error);
      else expect(await result()).toEqual(testCase.result);
      expect(server.requests).toEqual(requests);
    } finally {
      await server.stop();
    }
  });
});

describe("faults of a connection", () => {
  test("the error of a server that is down names it and has a cause", async () => {
    const server = await startScript([]);
    await server.stop();
    const client = new UsageClient({ apiKey: "oc_key", baseUrl: server.url, maxRetries: 0 });
    const error = await failure(() => client.tags.listKeys());
    expectOurs(error, ConnectionError);
    expect(error).not.toBeInstanceOf(TimeoutError);
    expect(error).toHaveProperty("cause", expect.any(TypeError));
    expect(String(error)).toMatch(
      /^ConnectionError: no response from the server: http:\/\/127.0.0.1:\d+: fetch failed: .*ECONNREFUSED/,
    );
  });

  test("a decode error shows the body and the request id", async () => {
    const { client } = recorded(() =>
      response({ status: 200, headers: { "x-request-id": "req-1" }, text: "<html>" }),
    );
    const error = await failure(() => client().usage.bySandbox());
    expectOurs(error, DecodeError);
    expect(error).toMatchObject({ status: 200, requestId: "req-1", body: "<html>" });
  });

  test("a call is aborted at once, with the reason of its signal", async () => {
    const server = await startScript([{ end: "hold" }]);
    const controller = new AbortController();
    const reason = new Error("enough");
    const client = new UsageClient({ apiKey: "oc_key", baseUrl: server.url });
    const call = failure(() => client.usage.bySandbox({}, { signal: controller.signal }));
    await vi.waitUntil(() => server.requests.length > 0);
    controller.abort(reason);
    expect(await call).toBe(reason);
    await server.stop();
  });
});

describe("signals and timers", () => {
  const never = () => new Promise<Response>(() => {});

  /** Makes a signal that counts its listeners. */
  function counting() {
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const listeners = () => added.mock.calls.length - removed.mock.calls.length;
    return { controller, signal, listeners };
  }

  beforeEach(() => void vi.useFakeTimers());

  test("a call with an aborted signal sends nothing", async () => {
    const { sent, client } = answering({ keys: [] });
    const error = await failure(() => client().tags.listKeys({ signal: AbortSignal.abort() }));
    expect(error).toHaveProperty("name", "AbortError");
    expect(sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a call is aborted at once even if fetch ignores its signal", async () => {
    const { client } = recorded(never);
    const { controller, signal, listeners } = counting();
    const promise = failure(() => client().tags.listKeys({ signal }));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await promise).toBe(signal.reason);
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("a wait is aborted at once", async () => {
    const { sent, client } = recorded(() =>
      response({ status: 429, headers: { "retry-after": "20" } }),
    );
    const { controller, signal, listeners } = counting();
    const promise = failure(() => client().tags.listKeys({ signal }));
    await vi.advanceTimersByTimeAsync(5_000);
    controller.abort();
    expect(await promise).toBe(signal.reason);
    expect(sent).toHaveLength(1);
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("an update is aborted at once while its callback runs", async () => {
    const { client } = recorded(() =>
      response({
        status: 200,
        headers: { etag: '"1"' },
        body: { tags: {}, tagsLastUpdatedAt: null },
      }),
    );
    const { controller, signal, listeners } = counting();
    const promise = failure(() =>
      client().tags.update("sb", () => new Promise(() => {}), { signal }),
    );
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await promise).toBe(signal.reason);
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("a successful call leaves no timer and no listener", async () => {
    const { client } = answering({ keys: [] });
    const { signal, listeners } = counting();
    await client().tags.listKeys({ signal });
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("a timeout longer than the longest timer never fires", async () => {
    const { client } = recorded(
      () =>
        new Promise((resolve) => {
          setTimeout(() => resolve(response({ status: 200, body: { keys: [] } })), 1_000);
        }),
    );
    const promise = client().tags.listKeys({ timeoutMs: 1e12 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await promise).toEqual([]);
  });

  test("a response whose body never ends times out", async () => {
    const { client } = recorded(() => new Response(new ReadableStream({})));
    const promise = failure(() => client().tags.listKeys());
    await vi.advanceTimersByTimeAsync(30_000);
    expectOurs(await promise, TimeoutError);
    expect(vi.getTimerCount()).toBe(0);
  });
});
