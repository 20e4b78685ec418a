import type { TagViolation } from "./rules.js";

/** What an error can say besides its message. */
export interface ErrorDetails {
  /** The API's code, such as `invalid_cursor`. */
  readonly code?: string | null | undefined;
  /** The HTTP status of the answer. */
  readonly status?: number | null | undefined;
  /** What finds the request in the server's log. */
  readonly requestId?: string | null | undefined;
  /** Every broken tag rule. */
  readonly violations?: readonly TagViolation[] | undefined;
  /** The body of the answer: parsed JSON, or the text that it was. */
  readonly body?: unknown;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/**
 * Every error of this package.
 *
 * @example
 * ```ts
 * try {
 *   await client.usage.byTag("team");
 * } catch (error) {
 *   if (!(error instanceof OpenComputerError)) throw error;
 *   console.error(error.message, error.code, error.requestId);
 * }
 * ```
 */
export class OpenComputerError extends Error {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "OpenComputerError";
  }

  /** The API's code, such as `invalid_cursor`; undefined where there is none for it. */
  readonly code: string | undefined;
  /** The HTTP status; undefined where no answer came, as for what was refused before sending. */
  readonly status: number | undefined;
  /** What finds the request in the server's log; undefined where no answer told it. */
  readonly requestId: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code ?? undefined;
    this.status = details.status ?? undefined;
    this.requestId = details.requestId ?? undefined;
  }
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
  override get name(): string {
    return "TagValidationError";
  }

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
  override get name(): string {
    return "InvalidRequestError";
  }
}

/** An answer whose status is no success. */
export class APIError extends OpenComputerError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "APIError";
  }

  /** The body of the answer: parsed JSON, or the text that it was. */
  readonly body: unknown;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.body = details.body;
  }
}

/** 401: the API key is missing, unknown or expired. */
export class AuthenticationError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "AuthenticationError";
  }
}

/** 403: the API key may not do this. */
export class PermissionDeniedError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "PermissionDeniedError";
  }
}

/** 404: there is no such sandbox, or no such route. */
export class NotFoundError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "NotFoundError";
  }
}

/** 409 or 412: the tags changed since they were read. */
export class ConflictError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "ConflictError";
  }
}

/** 429: too many requests, and the retries are used up. */
export class RateLimitError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "RateLimitError";
  }
}

/** 5xx: the server failed, and the retries are used up. */
export class ServerError extends APIError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "ServerError";
  }
}

/** No answer came, and the retries are used up; `cause` is what `fetch` threw last. */
export class ConnectionError extends OpenComputerError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "ConnectionError";
  }
}

/** No answer came within the time that the call was given. */
export class TimeoutError extends ConnectionError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "TimeoutError";
  }
}

/** An answer came that is not what the API promises. */
export class DecodeError extends OpenComputerError {
  /** The name of the class, minified or not. */
  override get name(): string {
    return "DecodeError";
  }

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
  override get name(): string {
    return "UnsupportedByServerError";
  }

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
  if (thrown instanceof OpenComputerError) return thrown;
  return new InvalidRequestError(`an argument cannot be read: ${told(thrown)}`, { cause: thrown });
}

/** What an error says, with what lies behind it: `fetch failed: connect ECONNREFUSED 127.0.0.1:80`. */
export function told(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === "string" ? thrown : typeof thrown;
  const { cause } = thrown;
  if (!(cause instanceof Error)) return thrown.message;
  const why = cause.message || ("code" in cause && String(cause.code)) || cause.name;
  return `${thrown.message}: ${why}`;
}
