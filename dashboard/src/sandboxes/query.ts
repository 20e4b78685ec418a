import type { SandboxesQuery } from "@opencomputer/usage";
import { asQuery, type Condition, readConditions, writeConditions } from "../conditions.js";

/** The list as the URL describes it. Text that the API will reject is kept, because its error explains it. */
export interface ListQuery {
  readonly conditions: readonly Condition[];
  readonly state: string;
  readonly limit: string | undefined;
  readonly cursor: string | undefined;
}

export const DEFAULT_STATE = "running";

export function readList(params: URLSearchParams): ListQuery {
  return {
    conditions: readConditions(params),
    state: params.get("state") ?? DEFAULT_STATE,
    limit: params.get("limit") ?? undefined,
    cursor: params.get("cursor") ?? undefined,
  };
}

/** Writes the query of a list's URL, without defaults. */
export function writeList({ conditions, state, limit, cursor }: ListQuery): URLSearchParams {
  const params = new URLSearchParams();
  writeConditions(params, conditions);
  if (state !== DEFAULT_STATE) params.set("state", state);
  if (limit !== undefined) params.set("limit", limit);
  if (cursor !== undefined) params.set("cursor", cursor);
  return params;
}

/** Returns the options of the client. */
export function listQuery({ conditions, state, limit, cursor }: ListQuery): SandboxesQuery {
  return {
    ...asQuery(conditions),
    state: state as NonNullable<SandboxesQuery["state"]>,
    limit: limit === undefined ? null : Number(limit),
    cursor: cursor ?? null,
  };
}
