import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  APIError,
  ConnectionError,
  DecodeError,
  RateLimitError,
  TimeoutError,
  UsageClient,
} from "@opencomputer/usage";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { answering, expectOurs, failure, recorded, response } from "./support/calls.js";

afterEach(() => void vi.useRealTimers());

describe("a server that does not behave", () => {
  let server: Server;
  let url: string;
  let answer: (
    path: string,
  ) => { status: number; headers?: Record<string, string>; body?: string } | undefined;
  let requests: string[];

  beforeEach(async () => {
    requests = [];
    server = createServer((request, reply) => {
      requests.push(request.url ?? "");
      const { status, headers, body } = answer(request.url ?? "") ?? {};
      if (status !== undefined) reply.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const client = (options = {}) =>
    new UsageClient({ apiKey: "oc_key", baseUrl: url, maxRetries: 0, ...options });

  test("one that is down is a connection error with its cause", async () => {
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(() => client().tags.listKeys());
    expectOurs(error, ConnectionError);
    expect(error).not.toBeInstanceOf(TimeoutError);
    expect(error).toHaveProperty("cause", expect.any(TypeError));
    expect(String(error)).toMatch(
      /^ConnectionError: no answer from the server: http:\/\/127.0.0.1:\d+: fetch failed: .*ECONNREFUSED/,
    );
  });

  test("one that hangs up is a connection error", async () => {
    answer = () => {
      server.closeAllConnections();
      return undefined;
    };
    expectOurs(await failure(() => client().tags.listKeys()), ConnectionError);
  });

  test("garbage is a decode error that shows it", async () => {
    answer = () => ({ status: 200, headers: { "x-request-id": "req-1" }, body: "<html>" });
    const error = await failure(() => client().usage.bySandbox());
    expectOurs(error, DecodeError);
    expect(error).toMatchObject({ status: 200, requestId: "req-1", body: "<html>" });
  });

  test("a redirect is refused and its target is never asked", async () => {
    answer = () => ({ status: 302, headers: { location: `${url}/elsewhere` } });
    expectOurs(await failure(() => client().tags.listKeys()), APIError);
    expect(requests).toEqual(["/api/tags"]);
  });

  test("an opaque redirect, as browsers show one, is refused too", async () => {
    const fetch = async () => Response.error();
    const error = await failure(() => client({ fetch }).tags.listKeys());
    expectOurs(error, APIError);
    expect(error).toHaveProperty("message", expect.stringContaining("redirect"));
  });

  test("a 429 is retried", async () => {
    answer = () =>
      requests.length < 2
        ? {
            status: 429,
            headers: { "retry-after": "0" },
            body: '{"error":"slow down","code":"rate_limited"}',
          }
        : { status: 200, body: '{"keys":[]}' };
    expect(await client({ maxRetries: 1 }).tags.listKeys()).toEqual([]);
    expect(requests).toHaveLength(2);
  });

  test("a 429 that names a time beyond the deadline fails at once", async () => {
    answer = () => ({
      status: 429,
      headers: { "retry-after": "60" },
      body: '{"error":"slow down","code":"rate_limited","requestId":"r"}',
    });
    const error = await failure(() => client({ maxRetries: 9 }).tags.listKeys());
    expectOurs(error, RateLimitError, "rate_limited");
    expect(error).toMatchObject({ status: 429, requestId: "r", message: "slow down" });
    expect(requests).toHaveLength(1);
  });

  test("no answer in time is a timeout", async () => {
    answer = () => undefined;
    const error = await failure(() => client().tags.listKeys({ timeoutMs: 50 }));
    expectOurs(error, TimeoutError);
    expect(error).toBeInstanceOf(ConnectionError);
  });

  test("a call is aborted at once, with the reason of its signal", async () => {
    answer = () => undefined;
    const controller = new AbortController();
    const promise = client().usage.bySandbox({}, { signal: controller.signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 20);
    expect(await failure(() => promise)).toBe(reason);
  });
});

describe("signals and timers", () => {
  const never = () => new Promise<Response>(() => {});

  /** A signal that counts its listeners. */
  function counting() {
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const listeners = () => added.mock.calls.length - removed.mock.calls.length;
    return { controller, signal, listeners };
  }

  beforeEach(() => void vi.useFakeTimers());

  test("a signal that is aborted already sends nothing", async () => {
    const { sent, client } = answering({ keys: [] });
    const error = await failure(() => client().tags.listKeys({ signal: AbortSignal.abort() }));
    expect(error).toHaveProperty("name", "AbortError");
    expect(sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("even a fetch that ignores its signal is left at once", async () => {
    const { client } = recorded(never);
    const { controller, signal, listeners } = counting();
    const promise = failure(() => client().tags.listKeys({ signal }));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await promise).toBe(signal.reason);
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("a wait is left at once", async () => {
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

  test("a callback that never ends is left at once", async () => {
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

  test("a call that succeeds leaves no timer and no listener", async () => {
    const { client } = answering({ keys: [] });
    const { signal, listeners } = counting();
    await client().tags.listKeys({ signal });
    expect([vi.getTimerCount(), listeners()]).toEqual([0, 0]);
  });

  test("a timeout longer than a timer can be is no timeout at all", async () => {
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

  test("a response whose body never ends is a timeout", async () => {
    const { client } = recorded(() => new Response(new ReadableStream({})));
    const promise = failure(() => client().tags.listKeys());
    await vi.advanceTimersByTimeAsync(30_000);
    expectOurs(await promise, TimeoutError);
    expect(vi.getTimerCount()).toBe(0);
  });
});
