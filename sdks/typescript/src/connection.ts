import { core, packAll, readInput } from "./core.js";
import { InvalidRequestError } from "./errors.js";
import { pack } from "./message.js";
import { type FetchNext, PagePromise } from "./page.js";
import { environment, isBrowser } from "./runtime.js";
import { type Outcome, runCall, sendCallMessage, type Transport } from "./transport.js";
import type { ChangeTags, Fetch, RequestOptions } from "./types.js";
import { isPlain, takeOption, wireQuery } from "./values.js";
import { version } from "./version.js";

/** Receives log lines; `console` is one. */
export interface Logger {
  /** Receives a line per request, without headers or the key. An error that it throws or rejects with is ignored. */
  debug(message: string): unknown;
}

/** The options of a client. */
export interface ClientOptions {
  /** The API key, by default from the environment variable `OPENCOMPUTER_API_KEY`. */
  readonly apiKey?: string | null | undefined;
  /** The URL of the API, with or without `/api`, by default from the environment variable `OPENCOMPUTER_API_URL`. */
  readonly baseUrl?: string | null | undefined;
  /** The timeout of a call with its retries in milliseconds, by default 30,000. */
  readonly timeoutMs?: number | null | undefined;
  /** The most retries of a request, by default 2. */
  readonly maxRetries?: number | null | undefined;
  /** Sends requests; by default `globalThis.fetch`. */
  readonly fetch?: Fetch | null | undefined;
  /** Headers to add to every request. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** Receives log lines; by default there are none. */
  readonly logger?: Logger | null | undefined;
  /** Allows an API key in a browser, where everyone who opens the page can read it. */
  readonly dangerouslyAllowBrowser?: boolean | null | undefined;
}

/** The configuration that all groups of methods share. */
export class Connection {
  /** The packed configuration of the core. */
  readonly #config: string;
  readonly #transport: Transport;

  constructor(options: ClientOptions | undefined) {
    const [config, transport] = readInput(() => readClientOptions(options ?? {}));
    this.#config = packAll(`opencomputer-usage-typescript/${version}`, config);
    this.#transport = transport;
    sendCallMessage(core(), packAll("configure") + this.#config);
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

  /** Calls for a page. `make` creates it from the response and a function that fetches the next page. */
  pages<Data, Page, Item>(
    make: (data: Data, next: FetchNext<Page>) => Page,
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: unknown,
    options: RequestOptions | undefined,
  ): PagePromise<Page, Item> {
    const call = new PagePromise<Page, Item>((resolve) => {
      const begin = this.prepare<Data>(operation, args, query, options);
      const fetchPage = async (parameters?: unknown): Promise<Page> => {
        const { value, next } = await begin(parameters);
        return make(value, next === null ? null : () => fetchPage(next));
      };
      resolve(fetchPage());
    });
    // A call that fails before it is awaited or iterated is not an unhandled rejection.
    call.catch(() => {});
    return call;
  }

  /**
   * Reads the arguments of a call. Returns a function that makes the call with the core's parameters of the next page.
   * Changing a query afterwards does not change the following pages.
   */
  prepare<T>(
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: unknown,
    options: RequestOptions | undefined,
    change?: ChangeTags,
  ): (next?: unknown) => Promise<Outcome<T>> {
    const [rest, signal] = readInput(() => readSignal(options));
    // Values of tags are the deepest members that are read.
    const call = readInput(
      () => pack(rest) + pack(operation) + pack(args, 2) + pack(wireQuery(query)),
    );
    const begin = pack("call") + this.#config + call;
    return async (next) => runCall(begin + packAll(next), this.#transport, signal, change);
  }
}

/** Separates the options that the core checks from those of JavaScript. */
function readClientOptions(options: ClientOptions): [unknown, Transport] {
  const { fetch, logger, dangerouslyAllowBrowser, ...config } = options;
  if (isBrowser() && dangerouslyAllowBrowser !== true) {
    throw new InvalidRequestError(
      "an API key in a browser can be read by everyone who opens the page: call the API from a server, " +
        "or set `dangerouslyAllowBrowser` if everyone may see the key",
    );
  }
  if (fetch != null && typeof fetch !== "function") {
    throw new InvalidRequestError("`fetch` must be a function");
  }
  if (logger != null && typeof logger.debug !== "function") {
    throw new InvalidRequestError("`logger` must have a method `debug`");
  }
  const transport: Transport = {
    // Browsers require a call without `this`. The lookup happens per call, so a mock installed later is used.
    fetch: (url, init) => (fetch ?? globalThis.fetch)(url, init),
    // A browser sets its own; ours would need a CORS preflight.
    dropHeaders: isBrowser() ? ["user-agent"] : [],
    // A failing logger does not fail the call.
    log: (line) => void (async () => logger?.debug(line))().catch(() => {}),
  };
  if (!isPlain(options)) return [options, transport];
  config.apiKey ??= environment("OPENCOMPUTER_API_KEY");
  config.baseUrl ??= environment("OPENCOMPUTER_API_URL");
  return [config, transport];
}

/** Separates the signal from the options that the core checks. */
function readSignal(options: unknown): [unknown, AbortSignal | undefined] {
  const [signal, others] = takeOption(options, "signal");
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
