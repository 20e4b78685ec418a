import { type Core, core, packed, send as tellCore } from "./core.js";
import { errorOf, type Failure, InvalidRequestError, OpenComputerError, told } from "./errors.js";
import { count } from "./message.js";
import { abortable, onAbort, throwIfAborted } from "./signals.js";
import type { ChangeTags, Fetch, FetchResponse, TagMap } from "./types.js";

/** What carries a call. */
export interface Carrier {
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

/** What a call returns, and the core's parameters for the page that follows; null where none does. */
export interface Outcome<T> {
  readonly value: T;
  readonly next: unknown;
}

/** What the core wants next. */
type Step<T> =
  | { readonly step: "send"; readonly request: Request; readonly timeoutMs: number }
  | { readonly step: "wait"; readonly ms: number }
  | { readonly step: "change"; readonly tags: TagMap; readonly timeoutMs: number }
  | ({ readonly step: "done" } & Outcome<T>)
  | { readonly step: "failed"; readonly error: Failure };

/** What happened, told to the core, which answers with its next step: a function of it, packed values, a body. */
type Event = readonly [name: string, values?: string, body?: Uint8Array[]];

/** Timers take no more: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Bytes of the longest body that a call succeeds with. */
const MAX_BODY = 64 << 20;
/** Bytes that are read of an error's body; the rest is left out. */
const MAX_ERROR_BODY = 64 << 10;

/** Milliseconds since the epoch, from a clock that does not jump where there is one. */
export function now(): number {
  // Fake timers replace the parts of it by functions that return nothing.
  const { timeOrigin } = globalThis.performance ?? {};
  return typeof timeOrigin === "number" ? timeOrigin + performance.now() : Date.now();
}

/** Tells a core something of a call, with a body where it is about any. */
export function tell<T>(core: Core, message: string, body?: Uint8Array[]): T {
  const random = Math.random();
  return tellCore(core, message, ({ call }) => call(message.length, now(), random), errorOf, body);
}

/** Carries a call to its end: sends, waits and asks as the core says, which then forgets it. */
export async function carry<T>(
  begin: string,
  carrier: Carrier,
  signal: AbortSignal | undefined,
  change: ChangeTags | undefined,
): Promise<Outcome<T>> {
  // A call stays with its core, should another take its place.
  const home = core();
  const exchange = tell<number>(home, begin);
  const advance = ([name, values = "", body]: Event): Step<T> =>
    tell(home, packed(name) + count(exchange) + values, body);
  const journey: Journey = { carrier, signal, retries: 0, cause: undefined };
  try {
    let step = advance(["begin"]);
    for (;;) {
      switch (step.step) {
        case "send":
          step = advance(await send(journey, step.request, step.timeoutMs));
          break;
        case "wait":
          await wait(step.ms, signal);
          journey.retries++;
          step = advance(["waited"]);
          break;
        case "change":
          step = advance(await changed(journey, step.tags, step.timeoutMs, change));
          break;
        case "done":
          return step;
        case "failed":
          throw errorOf(step.error, journey.cause);
      }
    }
  } finally {
    if (!home.lost) home.exports.forget(exchange);
  }
}

interface Journey {
  readonly carrier: Carrier;
  readonly signal: AbortSignal | undefined;
  retries: number;
  /** What `fetch` threw, if that was what happened last. */
  cause: unknown;
}

/** Sends a request once. Rejects with the reason of the user's signal, and with nothing else. */
async function send(journey: Journey, request: Request, timeoutMs: number): Promise<Event> {
  const { carrier, signal } = journey;
  throwIfAborted(signal);
  const started = now();
  const log = (what: string) => {
    const retry = journey.retries > 0 ? `, retry ${journey.retries}` : "";
    const ms = Math.round(now() - started);
    carrier.log(`${request.method} ${request.path} ${what} in ${ms} ms${retry}`);
  };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, MAX_TIMER_MS));
  const forget = signal && onAbort(signal, () => abort.abort(signal.reason));
  journey.cause = undefined;
  try {
    const event = await abortable(abort.signal, () => receive(request, carrier, abort.signal, log));
    return event;
  } catch (error) {
    log(abort.signal.aborted ? (signal?.aborted ? "aborted" : "timed out") : "failed");
    throwIfAborted(signal);
    if (abort.signal.aborted) return ["timeout"];
    journey.cause = error;
    if (OpenComputerError.isInstance(error)) throw error;
    const isTimeout = (error as { readonly name?: unknown } | null)?.name === "TimeoutError";
    return [isTimeout ? "timeout" : "fault", packed(explained(error, request.url))];
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

async function receive(
  request: Request,
  carrier: Carrier,
  signal: AbortSignal,
  log: (what: string) => void,
): Promise<Event> {
  const headers = request.headers.filter(([name]) => !carrier.dropHeaders.includes(name));
  const response = await carrier.fetch(request.url, {
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
  const isSuccess = status >= 200 && status < 300;
  const [body, isWhole] = await read(response, isSuccess ? MAX_BODY : MAX_ERROR_BODY);
  const pairs: [string, string][] = [];
  response.headers.forEach((value, name) => {
    pairs.push([name, value]);
  });
  log(String(status));
  const values = count(status) + packed(pairs);
  if (isWhole || !isSuccess) return ["answer", values, body];
  // What was read of it is of no use to anybody.
  return ["unreadable", values + packed(`its body is longer than ${MAX_BODY >> 20} MiB`)];
}

/** What Node.js says of a wrong scheme or certificate, by the scheme that was used, and what may help. */
const HINTS: readonly (readonly [scheme: string, said: RegExp, hint: string])[] = [
  ["https", /wrong version number|packet length too long/i, "does it speak plain HTTP: `http://`?"],
  ["https", /certificate/i, "`NODE_EXTRA_CA_CERTS` names a file of authorities to trust"],
  ["http", /Parse Error|Expected HTTP|other side closed/i, "does it speak TLS: `https://`?"],
];

/** What a request failed with, and where it went. */
function explained(error: unknown, url: string): string {
  const [scheme = "", host = ""] = url.split(/:?\/\/|\//, 2);
  const port = /:\d+$/.test(host) ? "" : scheme === "https" ? ":443" : ":80";
  const why = told(error).trim();
  const hint = HINTS.find(([by, said]) => by === scheme && said.test(why));
  return `${scheme}://${host}${port}: ${why}${hint ? ` (${hint[2]})` : ""}`;
}

/** Reads so many bytes of a body at most, and whether that is all of it. */
async function read(
  response: FetchResponse,
  most: number,
): Promise<[parts: Uint8Array[], isWhole: boolean]> {
  const parts: Uint8Array[] = [];
  let room = most;
  /** Keeps a part; returns whether there is room for another. */
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
    // What Node.js calls a stream; leaving the loop ends it.
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

/** Asks the user what the tags shall become, for as long as the call has time. */
async function changed(
  { signal }: Journey,
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
    return ["changed", packed(answer)];
  } finally {
    clearTimeout(timer);
  }
}
