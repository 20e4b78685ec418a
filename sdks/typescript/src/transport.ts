import { send as ask, core, lost, packed } from "./core.js";
import { errorOf, type Failure, told } from "./errors.js";
import { count } from "./message.js";
import type { ChangeTags, Fetch, TagMap } from "./types.js";

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
type Event = readonly [name: string, values?: string, body?: Uint8Array];

/** Timers take no more: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds since the epoch, from a clock that does not jump where there is one. */
export function now(): number {
  return typeof performance === "object" ? performance.timeOrigin + performance.now() : Date.now();
}

/** Tells the core something of a call, with a body where it is about any. */
export function tell<T>(message: string, body?: Uint8Array): T {
  const [bytes, random] = [body?.length ?? 0, Math.random()];
  return ask(message, (core) => core.call(message.length, bytes, now(), random), errorOf, body);
}

/** Carries a call to its end: sends, waits and asks as the core says, which then forgets it. */
export async function carry<T>(
  begin: string,
  carrier: Carrier,
  signal: AbortSignal | undefined,
  change: ChangeTags | undefined,
): Promise<Outcome<T>> {
  const exchange = tell<number>(begin);
  const home = core();
  const advance = ([name, values = "", body]: Event): Step<T> => {
    if (core() !== home) throw lost();
    return tell(packed(name) + count(exchange) + values, body);
  };
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
    if (core() === home) home.forget(exchange);
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
  signal?.throwIfAborted();
  const started = now();
  const log = (what: string) => {
    const retry = journey.retries > 0 ? `, retry ${journey.retries}` : "";
    const ms = Math.round(now() - started);
    carrier.log(`${request.method} ${request.path} ${what} in ${ms} ms${retry}`);
  };
  const abort = new AbortController();
  const relay = () => abort.abort(signal?.reason);
  const timer = setTimeout(() => abort.abort(), Math.min(timeoutMs, MAX_TIMER_MS));
  signal?.addEventListener("abort", relay, { once: true });
  journey.cause = undefined;
  try {
    const response = await abortable(abort.signal, () => receive(request, carrier, abort.signal));
    log(String(response.status));
    return ["answer", count(response.status) + packed(response.headers), response.body];
  } catch (error) {
    log(abort.signal.aborted ? (signal?.aborted ? "aborted" : "timed out") : "failed");
    signal?.throwIfAborted();
    if (abort.signal.aborted) return ["timeout"];
    journey.cause = error;
    return ["fault", packed(told(error))];
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", relay);
  }
}

interface Received {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

async function receive(request: Request, carrier: Carrier, signal: AbortSignal): Promise<Received> {
  const headers = request.headers.filter(([name]) => !carrier.dropHeaders.includes(name));
  const response = await carrier.fetch(request.url, {
    method: request.method,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    body: request.body,
    redirect: "manual",
    signal,
  });
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: [...response.headers], body };
}

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

const LATE = Symbol("late");

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

/** Settles as the work does, or as soon as the signal aborts; leaves no listener behind. */
async function abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return work();
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
