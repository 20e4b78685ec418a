import type { ErrorCode, TagViolation } from "./generated/types.js";

/** The details of an error besides its message. */
export interface ErrorDetails {
  /** The API's code, such as `invalid_cursor`. */
  readonly code?: string | null | undefined;
  /** The HTTP status of the response. */
  readonly status?: number | null | undefined;
  /** The id of the request in the server's log. */
  readonly requestId?: string | null | undefined;
  /** The headers of the response. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
  /** The seconds that the server asks to wait. */
  readonly retryAfter?: number | null | undefined;
  /** Every broken tag rule. */
  readonly violations?: readonly TagViolation[] | undefined;
  /** The body of the response, parsed as JSON if it is JSON. */
  readonly body?: unknown;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** The member by which copies of this package recognize each other's errors. */
const BRAND = /* @__PURE__ */ Symbol.for("@opencomputer/usage");

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
   * Returns whether a value is an error of this class. Unlike `instanceof`, it recognizes errors of another copy of this
   * package: the CommonJS copy in an ES module, or one of another realm.
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
    // biome-ignore-start lint/complexity/noThisInStatic: subclasses inherit this method.
    if (value instanceof this) return true;
    const names = (value as { readonly [BRAND]?: unknown } | null | undefined)?.[BRAND];
    // A user's subclass inherits the name of its base, but is another class.
    const isOurs = Object.hasOwn(this, "className") && Array.isArray(names);
    return isOurs && names.includes(this.className);
    // biome-ignore-end lint/complexity/noThisInStatic: subclasses inherit this method.
  }

  /** The API's code, such as `invalid_cursor`; undefined for errors without one. Servers may add codes. */
  readonly code: ErrorCode | (string & {}) | undefined;
  /** The HTTP status; undefined without a response, as for a request that was rejected before sending. */
  readonly status: number | undefined;
  /** The id of the request in the server's log; undefined if no response has it. */
  readonly requestId: string | undefined;
  /** The response headers by lower-case name, without secrets; undefined without a response. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code ?? undefined;
    this.status = details.status ?? undefined;
    this.requestId = details.requestId ?? undefined;
    this.headers = details.headers?.length ? Object.fromEntries(details.headers) : undefined;
    Object.defineProperty(this, BRAND, { value: classNames(new.target) });
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

/** Returns the names of an error class and of its base classes. */
function classNames(Class: unknown): string[] {
  const names = [];
  for (let at = Class; at !== Error; at = Object.getPrototypeOf(at)) {
    names.push((at as typeof OpenComputerError).className);
  }
  return names;
}

/**
 * Invalid tags; thrown before sending or for a response of the server.
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

/** A request breaks the rule that {@link OpenComputerError.code} names; thrown before sending or for a response. */
export class InvalidRequestError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "InvalidRequestError";
}

/** A response with an error status. */
export class APIError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "APIError";

  /** The body of the response, parsed as JSON if it is JSON. Long bodies are truncated. */
  readonly body: unknown;
  /** The seconds that the server asks to wait before the next request; undefined if it does not. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
    this.retryAfter = details.retryAfter ?? undefined;
  }
}

/** Status 401: the API key is missing, unknown or expired. */
export class AuthenticationError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "AuthenticationError";
}

/** Status 403: the API key lacks the permission. */
export class PermissionDeniedError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "PermissionDeniedError";
}

/** Status 404: the sandbox or the route does not exist. */
export class NotFoundError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "NotFoundError";
}

/** Status 409 or 412: the tags changed since they were read. */
export class ConflictError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ConflictError";
}

/** Status 429: too many requests, and the retries are used up. */
export class RateLimitError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "RateLimitError";
}

/** Status 5xx: the server failed, and the retries are used up. */
export class ServerError extends APIError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ServerError";
}

/** No response came, and the retries are used up. `cause` is the last error that `fetch` threw. */
export class ConnectionError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "ConnectionError";
}

/** No response came within the timeout of the call. */
export class TimeoutError extends ConnectionError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "TimeoutError";
}

/** A response does not match the API. */
export class DecodeError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "DecodeError";

  /** The body of the response, parsed as JSON if it is JSON. */
  readonly body: unknown;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
  }
}

/**
 * The response shows that the server does not support the request, because it is older or the platform's own. The
 * message names what is unsupported and says whether anything was written.
 */
export class UnsupportedByServerError extends OpenComputerError {
  /** The name of the class, minified or not. */
  static override readonly className: string = "UnsupportedByServerError";

  /** The body of the response, parsed as JSON if it is JSON. */
  readonly body: unknown;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
  }
}

/** The error classes by the core's names for them. */
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

/** An error as the core serializes it. */
export interface Failure extends ErrorDetails {
  readonly kind: string;
  readonly message: string;
}

/** Converts an error of the core. */
export function errorOf(failure: Failure, cause?: unknown): OpenComputerError {
  const Class = CLASSES[failure.kind] ?? OpenComputerError;
  return new Class(failure.message, { ...failure, cause });
}

/** Converts an error that was thrown while an argument was read. */
export function inputError(thrown: unknown): OpenComputerError {
  if (OpenComputerError.isInstance(thrown)) return thrown;
  return new InvalidRequestError(`an argument cannot be read: ${describe(thrown)}`, {
    cause: thrown,
  });
}

/** The members of an error of any realm. */
interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
}

/** Joins the messages of an error and its causes: `fetch failed: connect ECONNREFUSED 127.0.0.1:80`. */
export function describe(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return typeof thrown;
  const { name, message, code, cause } = thrown as ErrorLike;
  const own = [message, code, name].find((text) => text && typeof text === "string");
  if (own === undefined) return "object";
  return typeof cause === "object" && cause !== null ? `${own}: ${describe(cause)}` : String(own);
}
