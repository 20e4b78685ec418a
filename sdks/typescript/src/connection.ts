import { core, packed, reading } from "./core.js";
import { InvalidRequestError } from "./errors.js";
import { pack } from "./message.js";
import { environment, isBrowser } from "./runtime.js";
import { type Carrier, carry, type Outcome, tell } from "./transport.js";
import type { ChangeTags, Fetch, RequestOptions } from "./types.js";
import { isPlain, part, withTimes } from "./values.js";
import { version } from "./version.js";

/** Where log lines go; `console` is one. */
export interface Logger {
  /** One line per request and its answer, never with headers or the key. What it throws, or rejects with, is dropped. */
  debug(message: string): unknown;
}

/** The options of a client. */
export interface ClientOptions {
  /** The API key; by default the environment variable `OPENCOMPUTER_API_KEY`. */
  readonly apiKey?: string | null | undefined;
  /** Where the API is, with or without `/api`; by default the environment variable `OPENCOMPUTER_API_URL`. */
  readonly baseUrl?: string | null | undefined;
  /** Milliseconds that a call may take with its retries, by default 30 000. */
  readonly timeoutMs?: number | null | undefined;
  /** How often a request is sent again, by default 2. */
  readonly maxRetries?: number | null | undefined;
  /** What sends requests, by default `globalThis.fetch`. */
  readonly fetch?: Fetch | null | undefined;
  /** Headers to add to every request. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** Where log lines go, by default nowhere. */
  readonly logger?: Logger | null | undefined;
  /** Allows a key in a browser, where everyone who opens the page can read it. */
  readonly dangerouslyAllowBrowser?: boolean | null | undefined;
}

/** What every group of methods calls the API through. */
export class Connection {
  /** The client's configuration as the core reads it. */
  readonly #config: string;
  readonly #carrier: Carrier;

  constructor(options: ClientOptions | undefined) {
    const [config, carrier] = reading(() => configured(options ?? {}));
    this.#config = packed(`opencomputer-usage-typescript/${version}`, config);
    this.#carrier = carrier;
    tell(core(), packed("configure") + this.#config);
  }

  /** Makes a call: its name in the core, its arguments by name, its query and its options. */
  async call<T>(
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: unknown,
    options: RequestOptions | undefined,
    change?: ChangeTags,
  ): Promise<T> {
    return (await this.prepare<T>(operation, args, query, options, change)()).value;
  }

  /**
   * Reads a call, which is then made with the parameters of the core for the next page, or with none. It is read once:
   * a query that is changed afterwards does not change the pages that follow.
   */
  prepare<T>(
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: unknown,
    options: RequestOptions | undefined,
    change?: ChangeTags,
  ): (next?: unknown) => Promise<Outcome<T>> {
    const [rest, signal] = reading(() => signalled(options));
    // The values of tags are the deepest that is looked at, and a value that is a list or a map is none.
    const call = reading(
      () => pack(rest) + pack(operation) + pack(args, 2) + pack(withTimes(query)),
    );
    const begin = pack("call") + this.#config + call;
    return async (next) => carry(begin + packed(next), this.#carrier, signal, change);
  }
}

/** Parts what the core checks from what only JavaScript knows. */
function configured(options: ClientOptions): [unknown, Carrier] {
  const { fetch, logger, dangerouslyAllowBrowser, ...config } = options;
  if (isBrowser() && dangerouslyAllowBrowser !== true) {
    throw new InvalidRequestError(
      "an API key in a browser can be read by everyone who opens the page: call the API from a server, " +
        "or set `dangerouslyAllowBrowser` where the key may be seen",
    );
  }
  if (fetch != null && typeof fetch !== "function") {
    throw new InvalidRequestError("`fetch` must be a function");
  }
  if (logger != null && typeof logger.debug !== "function") {
    throw new InvalidRequestError("`logger` must have a method `debug`");
  }
  const carrier: Carrier = {
    // Called without a `this`, which browsers demand, and looked up each time, so that a mock put in place later is used.
    fetch: (url, init) => (fetch ?? globalThis.fetch)(url, init),
    // A browser sets its own, and would ask the server's leave for ours.
    dropHeaders: isBrowser() ? ["user-agent"] : [],
    // A call does not fail because its log does, now or later.
    log: (line) => void (async () => logger?.debug(line))().catch(() => {}),
  };
  if (!isPlain(options)) return [options, carrier];
  config.apiKey ??= environment("OPENCOMPUTER_API_KEY");
  config.baseUrl ??= environment("OPENCOMPUTER_API_URL");
  return [config, carrier];
}

/** Parts the signal from the options of a call. */
function signalled(options: unknown): [unknown, AbortSignal | undefined] {
  const [signal, others] = part(options, "signal");
  if (signal != null && !isSignal(signal)) {
    throw new InvalidRequestError("`signal` must be an `AbortSignal`");
  }
  return [others, signal ?? undefined];
}

function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  const methods = [addEventListener, removeEventListener];
  return typeof aborted === "boolean" && methods.every((method) => typeof method === "function");
}
