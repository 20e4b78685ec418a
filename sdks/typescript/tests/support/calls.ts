import {
  APIError,
  AuthenticationError,
  ConflictError,
  ConnectionError,
  DecodeError,
  InvalidRequestError,
  type Measured,
  NotFoundError,
  OpenComputerError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
  TagValidationError,
  TimeoutError,
  UnsupportedByServerError,
  UsageClient,
} from "@opencomputer/usage";
import { expect } from "vitest";
import type { Answer, ExpectedError } from "./vectors.js";

type Params = Record<string, unknown>;
type Method = (client: UsageClient, params: Params, options?: object) => Promise<unknown>;

const some = (rest: Params) => (Object.keys(rest).length > 0 ? (rest as object) : undefined);
const id = (sandboxId: unknown) => sandboxId as string;

/** Converts the name of a parameter that is spelled differently in TypeScript. */
const idiomatic = ({ timezone, ...query }: Params) =>
  timezone === undefined ? query : { ...query, timeZone: timezone };

/** Removes the ratio that the client adds to memory. */
const asOnTheWire = <Memory extends object>({ usedFraction: _, ...memory }: Measured<Memory>) =>
  memory;

/** The methods of the client by the names that the vectors use. */
export const METHODS: Record<string, Method> = {
  "usage.by": (client, { groupBy, ...query }, options) =>
    client.usage.by(groupBy as "region", idiomatic(query), options),
  "usage.by_tag": (client, { key, ...query }, options) =>
    client.usage.byTag(key as string, idiomatic(query), options),
  "usage.by_sandbox": (client, query, options) => client.usage.bySandbox(idiomatic(query), options),
  "usage.for_sandbox": async (client, { sandboxId, ...query }, options) => {
    const usage = await client.usage.forSandbox(id(sandboxId), idiomatic(query), options);
    const totals = usage.totals && asOnTheWire(usage.totals);
    return { ...usage, totals, points: usage.points?.map(asOnTheWire) ?? null };
  },
  "tags.list_keys": (client, rest, options) => client.tags.listKeys(some({ ...rest, ...options })),
  "tags.list_values": async (client, { key, ...query }, options) => {
    const { items, ...page } = await client.tags.listValues(key as string, query, options);
    return { ...page, values: items };
  },
  "tags.get": (client, { sandboxId, ...rest }, options) =>
    client.tags.get(id(sandboxId), some({ ...rest, ...options })),
  "tags.set": (client, { sandboxId, tags, ...rest }, options) =>
    client.tags.set(id(sandboxId), tags as Record<string, string>, some({ ...rest, ...options })),
  "sandboxes.list": async (client, query, options) => {
    const { items, nextCursor } = await client.sandboxes.list(query, options);
    return { items, nextCursor };
  },
  "sandboxes.get": (client, { sandboxId, ...rest }, options) =>
    client.sandboxes.get(id(sandboxId), some({ ...rest, ...options })),
};

/** Calls the method that the vectors name. */
export function call(client: UsageClient, operation: string, params: Params): Promise<unknown> {
  const method = METHODS[operation];
  if (!method) throw new Error(`no method for ${operation}`);
  return method(client, params);
}

const KINDS: Record<string, new (message: string) => OpenComputerError> = {
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

/** Compares an error with the members that a vector names. */
export function expectError(error: unknown, expected: ExpectedError): void {
  if (!(error instanceof OpenComputerError)) throw error ?? new Error("it did not fail");
  const { kind, violations, message, ...members } = expected;
  if (kind) expect(error.constructor).toBe(KINDS[kind]);
  if (message !== undefined) expect(error.message).toBe(message);
  if (violations) expect(error).toHaveProperty("violations", violations);
  for (const [name, value] of Object.entries(members)) {
    expect(error, name).toHaveProperty(name, value ?? undefined);
  }
}

/** Returns the error that a promise or a function fails with. */
export async function failure(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** Returns a response of a server. */
export function response({ status, headers, body, text }: Answer): Response {
  const bytes = text ?? (body === undefined ? "" : JSON.stringify(body));
  // Responses with these statuses must not have a body, not even an empty one.
  const none = [101, 204, 205, 304].includes(status);
  return new Response(none ? null : bytes, { status, headers: headers ?? {} });
}

/** The requests that were sent, and a factory of clients that send them. */
export interface Recorded {
  sent: { url: URL; init: RequestInit }[];
  client: (options?: object) => UsageClient;
}

/** Returns a factory of clients whose requests are recorded and answered by a function. */
export function recorded(
  answer: (url: string, init: RequestInit) => Response | Promise<Response>,
): Recorded {
  const sent: Recorded["sent"] = [];
  const fetch = async (url: string, init: RequestInit) => {
    sent.push({ url: new URL(url), init });
    return answer(url, init);
  };
  const client = (options = {}) =>
    new UsageClient({ apiKey: "oc_key", baseUrl: "https://api.test", fetch, ...options });
  return { sent, client };
}

/** Returns a factory of clients whose requests are all answered with this body. */
export const answering = (body: unknown): Recorded =>
  recorded(() => response({ status: 200, body }));

/** Checks the class of an error and, if given, its code. */
export function expectOurs(error: unknown, type: typeof OpenComputerError, code?: string): void {
  expect(error).toBeInstanceOf(type);
  expect(error).toBeInstanceOf(OpenComputerError);
  if (code !== undefined) expect(error).toHaveProperty("code", code);
}
