// The errors that the routes return.

import {
  ConflictError,
  InvalidRequestError,
  NotFoundError,
  OpenComputerError,
  RateLimitError,
  TagValidationError,
  type TagViolation,
} from "@opencomputer/usage";

/** The body of an error. */
export interface Problem {
  readonly error: string;
  readonly code: string;
  readonly violations?: readonly TagViolation[];
}

/** Returns an error as a response. */
export function problem(status: number, body: Problem, headers?: Record<string, string>): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

/**
 * Passes on the errors that the page can act on. All others are logged and hidden: if the server's API key
 * expired, for example, the user must not be asked to sign in.
 */
export function failure(error: unknown): Response {
  if (!(error instanceof OpenComputerError)) throw error;
  const { message, code = "unknown" } = error;
  if (error instanceof TagValidationError) {
    return problem(400, { error: message, code, violations: error.violations });
  }
  if (error instanceof InvalidRequestError) return problem(400, { error: message, code });
  if (error instanceof NotFoundError) return problem(404, { error: message, code });
  if (error instanceof ConflictError) return problem(412, { error: message, code });
  if (error instanceof RateLimitError) {
    return problem(429, { error: message, code }, { "Retry-After": String(error.retryAfter ?? 1) });
  }
  console.error(error);
  return problem(502, { error: "usage is not available right now", code: "unavailable" });
}
