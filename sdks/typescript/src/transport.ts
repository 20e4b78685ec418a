import { type Core, core, packAll, sendMessage } from "./core.js";
import {
  describe,
  errorOf,
  type Failure,
  InvalidRequestError,
  OpenComputerError,
} from "./errors.js";
import { count } from "./message.js";
import { unpackSeries } from "./series.js";
import { abortable, onAbort, throwIfAborted } from "./signals.js";
import type { ChangeTags, Fetch, FetchResponse, TagMap } from "./types.js";

/** The functions that send requests and log them. */
export interface Transport {
  readonly fetch: Fetch;
  readonly dropHeaders: readonly string[];
  readonly log: (line: string) => void;
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | null;
}

/** The result of a call, and the core's parameters of the next page; null on the last page. */
export interface Outcome<T> {
  readonly value: T;
  readonly next: unknown;
}

/** The core's next step. */
type Step<T> =
  | { readonly step: "send"; readonly request: Request; readonly timeoutMs: number }
  | { readonly step: "wait"; readonly ms: number }
  | { readonly step: "change"; readonly tags: TagMap; readonly timeoutMs: number }
  | ({ readonly step: "done" } & Outcome<T>)
  | { readonly step: "failed"; readonly error: Failure };

/** An event for the core: its name, packed values and a body. */
type Event = readonly [name: string, values?: string, body?: Uint8Array[]];

/** The longest delay of a timer; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Returns milliseconds since the epoch, from a monotonic clock where there is one. */
export function now(): number {
  // Fake timers may replace `timeOrigin` by a function that returns nothing.
  const { timeOrigin } = globalThis.performance ?? {};
  return typeof timeOrigin === "number" ? timeOrigin + performance.now() : Date.now();
}

/** Sends a core a message about a call, with the body of a response if there is one. */
export function sendCallMessage<T>(core: Core, message: string, body?: Uint8Array[]): T {
  const random = Math.random();
  return sendMessage(
    core,
    message,
    ({ call }) => call(message.length, now(), random),
    errorOf,
    body,
  );
}

/** Runs a call to its end: sends, waits and asks for tags as the core says. */
export async function runCall<T>(
  begin: string,
  transport: Transport,
  signal: AbortSignal | undefined,
  change: ChangeTags | undefined,
): Promise<Outcome<T>> {
  // A call stays with its core even if another one replaces it.
  const home = core();
  const exchange = sendCallMessage<number>(home, begin);
  const advance = ([name, values = "", body]: Event): Step<T> =>
    sendCallMessage(home, packAll(name) + count(exchange) + values, body);
  const state: CallState = { home, transport, signal, retries: 0, cause: undefined };
  try {
    let step = advance(["begin"]);
    for (;;) {
      switch (step.step) {
        case "send":
          step = advance(await send(state, step.request, step.timeoutMs));
          break;
        case "wait":
          await wait(step.ms, signal);
          state.retries++;
          step = advance(["waited"]);
          break;
        case "change":
          step = advance(await askForTags(state, step.tags, step.timeoutMs, change));
          break;
        case "done":
          unpackSeries(step.value, home);
          return step;
        case "failed":
          throw errorOf(step.error, state.cause);
      }
    }
  } finally {
    if (!home.lost) home.exports.forget(exchange);
  }
}

interface CallState {
  readonly home: Core;
  readonly transport: Transport;
  readonly signal: AbortSignal | undefined;
  retries: number;
  /** The error that `fetch` threw for the last request, if any. */
  cause: unknown;
}

/** Sends a request once. Rejects with the reason of the user's signal, or an error of this package. */
async function send(state: CallState, request: Request, timeoutMs: number): Promise<Event> {
  const { home, transport, signal } = state;
  throwIfAborted(signal);
  const started = now();
  const log = (what: string) => {
    const retry = state.retries > 0 ? `, retry ${state.retries}` : "";
    const ms = Math.round(now() - started);
    transport.log(`${request.method} ${request.path} ${what} in ${ms} ms${retry}`);
  };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, MAX_TIMER_MS));
  const forget = signal && onAbort(signal, () => abort.abort(signal.reason));
  state.cause = undefined;
  try {
    const event = await abortable(abort.signal, () =>
      receive(home, request, transport, abort.signal, log),
    );
    return event;
  } catch (error) {
    log(abort.signal.aborted ? (signal?.aborted ? "aborted" : "timed out") : "failed");
    throwIfAborted(signal);
    if (abort.signal.aborted) return ["timeout"];
    state.cause = error;
    if (OpenComputerError.isInstance(error)) throw error;
    const isTimeout = (error as { readonly name?: unknown } | null)?.name === "TimeoutError";
    return [isTimeout ? "timeout" : "fault", packAll(connectionMessage(error, request.url))];
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

async function receive(
  home: Core,
  request: Request,
  transport: Transport,
  signal: AbortSignal,
  log: (what: string) => void,
): Promise<Event> {
  const headers = request.headers.filter(([name]) => !transport.dropHeaders.includes(name));
  const response = await transport.fetch(request.url, {
    method: request.method,
    headers: Object.fromEntries(headers),
    body: request.body,
    redirect: "manual",
    signal,
  });
  if (typeof response?.status !== "number") {
    throw new InvalidRequestError("`fetch` must return a promise of a `Response`");
  }
  const { status } = response;
  const [body, isWhole] = await read(response, home.exports.body_limit(status));
  const pairs: [string, string][] = [];
  response.headers.forEach((value, name) => {
    pairs.push([name, value]);
  });
  log(String(status));
  const values = count(status) + packAll(pairs);
  if (isWhole || !home.exports.is_success(status)) return ["answer", values, body];
  return ["too_long", values];
}

/** Hints for Node.js's errors about a wrong scheme or certificate, by the scheme that was used. */
const HINTS: readonly (readonly [scheme: string, said: RegExp, hint: string])[] = [
  ["https", /wrong version number|packet length too long/i, "does it speak plain HTTP: `http://`?"],
  ["https", /certificate/i, "`NODE_EXTRA_CA_CERTS` names a file of authorities to trust"],
  ["http", /Parse Error|Expected HTTP|other side closed/i, "does it speak TLS: `https://`?"],
];

/** Returns where a request went and why it failed. */
function connectionMessage(error: unknown, url: string): string {
  const [scheme = "", host = ""] = url.split(/:?\/\/|\//, 2);
  const port = /:\d+$/.test(host) ? "" : scheme === "https" ? ":443" : ":80";
  const why = describe(error).trim();
  const hint = HINTS.find(([by, said]) => by === scheme && said.test(why));
  return `${scheme}://${host}${port}: ${why}${hint ? ` (${hint[2]})` : ""}`;
}

/** Reads at most `most` bytes of a body. Also returns whether the body ended. */
async function read(
  response: FetchResponse,
  most: number,
): Promise<[parts: Uint8Array[], isWhole: boolean]> {
  const parts: Uint8Array[] = [];
  let room = most;
  /** Stores a part. Returns whether there is room for another. */
  const keep = (part: Uint8Array) => {
    if (part.length > 0) parts.push(part.length > room ? part.slice(0, Math.max(room, 0)) : part);
    room -= part.length;
    return room >= 0;
  };
  const { body } = response;
  if (isStream(body)) {
    const reader = body.getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      if (value && !keep(value)) {
        reader.cancel().catch(() => {});
        break;
      }
    }
  } else if (isIterable(body)) {
    // A stream of Node.js; leaving the loop destroys it.
    for await (const part of body) if (!keep(part)) break;
  } else {
    keep(new Uint8Array(await response.arrayBuffer()));
  }
  return [parts, room >= 0];
}

const isStream = (body: unknown): body is ReadableStream<Uint8Array> =>
  typeof (body as Partial<ReadableStream> | null)?.getReader === "function";

const isIterable = (body: unknown): body is AsyncIterable<Uint8Array> =>
  typeof (body as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === "function";

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await abortable(signal, () => {
      return new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
      });
    });
  } finally {
    clearTimeout(timer);
  }
}

const LATE = /* @__PURE__ */ Symbol("late");

/** Calls the user's function for the new tags, until the timeout of the call. */
async function askForTags(
  { signal }: CallState,
  tags: TagMap,
  timeoutMs: number,
  change: ChangeTags | undefined,
): Promise<Event> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), Math.min(timeoutMs, MAX_TIMER_MS));
  });
  try {
    const answer = await abortable(signal, () =>
      Promise.race([(async () => change?.(tags))(), late]),
    );
    if (answer === LATE) return ["timeout"];
    return ["changed", packAll(answer)];
  } finally {
    clearTimeout(timer);
  }
}
