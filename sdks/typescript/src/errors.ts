import type { TagViolation } from "./rules.js";

/** What an error can say besides its message. */
export interface ErrorDetails {
  /** The API's code, such as `invalid_cursor`. */
  readonly code?: string | null | undefined;
  /** The HTTP status of the answer. */
  readonly status?: number | null | undefined;
  /** What finds the request in the server's log. */
  readonly requestId?: string | null | undefined;
  /** The headers of the answer. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  /** Seconds that the server asks to wait. */
  readonly retryAfter?: number | null | undefined;
  /** Every broken tag rule. */
  readonly violations?: readonly TagViolation[] | undefined;
  /** The body of the answer: parsed JSON, or the text that it was. */
  readonly body?: unknown;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** What every copy of this package marks its errors with. */
const MARK = /* @__PURE__ */ Symbol.for("@opencomputer/usage");

/**
 * Every error of this package.
 *
 * @example
 * ```ts
 * try {
 *   await client.usage.byTag("team");
 * } catch (error) {
 *   if (!OpenComputerError.isInstance(error)) throw error;
 *   console.error(error.message, error.code, error.requestId);
 * }
 * ```
 */
export class OpenComputerError extends Error {
  /** The name of the class, minified or not. */
  static readonly className: string = "OpenComputerError";

  /**
   * Whether a value is an error of this class. Unlike `instanceof` it also knows those of another copy of this package:
   * of the CommonJS one in an ES module, or of another realm.
   *
   * @example
   * ```ts
   * if (RateLimitError.isInstance(error)) await sleep(1_000 * (error.retryAfter ?? 1));
   * ```
   */
  static isInstance<T extends typeof OpenComputerError>(
    this: T,
    value: unknown,
  ): value is InstanceType<T> {
    // biome-ignore-start lint/complexity/noThisInStatic: it is the class that is asked.
    if (value instanceof this) return true;
    const names = (value as { readonly [MARK]?: unknown } | null | undefined)?.[MARK];
    // A class of the user's has its base's name, but is another.
    const isOurs = Object.hasOwn(this, "className") && Array.isArray(names);
    return isOurs && names.includes(this.className);
    // biome-ignore-end lint/complexity/noThisInStatic: it is the class that is asked.
  }

  /** The API's code, such as `invalid_cursor`; undefined where there is none for it. */
  readonly code: string | undefined;
  /** The HTTP status; undefined where no answer came, as for what was refused before sending. */
  readonly status: number | undefined;
  /** What finds the request in the server's log; undefined where no answer told it. */
  readonly requestId: string | undefined;
  /** The headers of the answer by their names in lower case, without secrets; undefined where no answer came. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code ?? undefined;
    this.status = details.status ?? undefined;
    this.requestId = details.requestId ?? undefined;
    this.headers = details.headers?.length ? Object.fromEntries(details.headers) : undefined;
    Object.defineProperty(this, MARK, { value: lineage(new.target) });
  }

  /** The name of the class, unless it was set. */
  override get name(): string {
    return (this.constructor as typeof OpenComputerError).className;
  }

  /** Sets another name. */
  override set name(name: string) {
    Object.defineProperty(this, "name", { value: name, writable: true, configurable: true });
  }
}

/** The names of a class of errors and of those that it extends. */
function lineage(Class: unknown): string[] {
  const names = [];
  for (let at = Class; at !== Error; at = Object.getPrototypeOf(at)) {
    names.push((at as typeof OpenComputerError).className);
  }
  return names;
}

/**
 * Tags break the rules: found before sending, or by the server.
 *
 * @example
 * ```ts
 * if (error instanceof TagValidationError) {
 *   for (const { key, message } of error.violations) console.error(key, message);
 * }
 * ```
 */
export class TagValidationError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "TagValidationError";

  /** Every broken rule, in a fixed order. */
  readonly violations: readonly TagViolation[];

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.violations = details.violations ?? [];
  }
}

/** A request that breaks a rule, which {@link OpenComputerError.code} names: found before sending, or by the server. */
export class InvalidRequestError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "InvalidRequestError";
}

/** An answer whose status is no success. */
export class APIError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "APIError";

  /** The body of the answer, of a long one the start: parsed JSON, or the text that it was. */
  readonly body: unknown;
  /** Seconds that the server asks to wait before the next request; undefined where it does not ask. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
    this.retryAfter = details.retryAfter ?? undefined;
  }
}

/** 401: the API key is missing, unknown or expired. */
export class AuthenticationError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "AuthenticationError";
}

/** 403: the API key may not do this. */
export class PermissionDeniedError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "PermissionDeniedError";
}

/** 404: there is no such sandbox, or no such route. */
export class NotFoundError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "NotFoundError";
}

/** 409 or 412: the tags changed since they were read. */
export class ConflictError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ConflictError";
}

/** 429: too many requests, and the retries are used up. */
export class RateLimitError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "RateLimitError";
}

/** 5xx: the server failed, and the retries are used up. */
export class ServerError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ServerError";
}

/** No answer came, and the retries are used up; `cause` is what `fetch` threw last. */
export class ConnectionError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ConnectionError";
}

/** No answer came within the time that the call was given. */
export class TimeoutError extends ConnectionError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "TimeoutError";
}

/** An answer came that is not what the API promises. */
export class DecodeError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "DecodeError";

  /** The body of the answer: parsed JSON, or the text that it was. */
  readonly body: unknown;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
  }
}

/**
 * The server does not know what was asked for, which its answer shows: it is an older one, or the platform's own. The
 * message says what was not understood and whether anything was written.
 */
export class UnsupportedByServerError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "UnsupportedByServerError";

  /** The body of the answer: parsed JSON, or the text that it was. */
  readonly body: unknown;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
  }
}

/** The core's name of a class of errors, and the class. */
const CLASSES: Readonly<Record<string, typeof OpenComputerError>> = {
  tag_validation: TagValidationError,
  invalid_request: InvalidRequestError,
  authentication: AuthenticationError,
  permission_denied: PermissionDeniedError,
  not_found: NotFoundError,
  conflict: ConflictError,
  rate_limit: RateLimitError,
  server: ServerError,
  api: APIError,
  connection: ConnectionError,
  timeout: TimeoutError,
  decode: DecodeError,
  unsupported_by_server: UnsupportedByServerError,
};

/** An error as the core tells it. */
export interface Failure extends ErrorDetails {
  readonly kind: string;
  readonly message: string;
}

/** The core's error as one of ours. */
export function errorOf(failure: Failure, cause?: unknown): OpenComputerError {
  const Class = CLASSES[failure.kind] ?? OpenComputerError;
  return new Class(failure.message, { ...failure, cause });
}

/** What was thrown while something of the user's was read. */
export function refusal(thrown: unknown): OpenComputerError {
  if (OpenComputerError.isInstance(thrown)) return thrown;
  return new InvalidRequestError(`an argument cannot be read: ${told(thrown)}`, { cause: thrown });
}

/** What an error of any realm looks like. */
interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
}

/** What an error says, with what lies behind it: `fetch failed: connect ECONNREFUSED 127.0.0.1:80`. */
export function told(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return typeof thrown;
  const { name, message, code, cause } = thrown as ErrorLike;
  const own = [message, code, name].find((text) => text && typeof text === "string");
  if (own === undefined) return "object";
  return typeof cause === "object" && cause !== null ? `${own}: ${told(cause)}` : String(own);
}
