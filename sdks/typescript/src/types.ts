import type { TagMap } from "./generated/types.js";

export * from "./generated/types.js";
export * from "./rules.js";

/** An instant: RFC 3339 with an offset, `YYYY-MM-DD` (midnight UTC), or a `Date`. */
export type Time = string | Date;

/** What items are ordered by, descending. */
export type UsageSort = "-memoryGbSeconds" | "-diskOverageGbSeconds";

/** Tags of any type whose members are strings, an `interface` among them. */
export type TagsOf<T> = {
  readonly [K in keyof T & string]?: T[K] extends string | undefined ? T[K] : string;
};

/**
 * What one dimension is filtered by: a list of exact values, `null` for *the sandbox lacks the tag*, or the text of
 * the wire (comma-separated, quoted as {@link formatFilter} does) as is.
 */
export type FilterValue = readonly string[] | string | null;

/**
 * Filters by dimension. Values of one dimension are OR-ed, dimensions are AND-ed.
 *
 * @example
 * ```ts
 * const filter: UsageFilter = { "tag:env": ["prod", "staging"], "tag:owner": null };
 * ```
 */
export interface UsageFilter {
  /** By the values of a tag. */
  readonly [dimension: `tag:${string}`]: FilterValue;
  /** By id. */
  readonly sandbox?: readonly string[] | string;
}

/** The window of a usage report: at most 90 days. */
export interface UsageWindow {
  /** Start, inclusive; 30 days before `to` where it is left out. */
  readonly from?: Time | null | undefined;
  /** End, exclusive; now where it is left out. */
  readonly to?: Time | null | undefined;
}

/** What a usage report covers. */
export interface UsageQuery extends UsageWindow {
  /** What is kept; everything where it is left out. */
  readonly filter?: UsageFilter | null | undefined;
  /** The order of items, by default `-memoryGbSeconds`. */
  readonly sort?: UsageSort | null | undefined;
  /** Items of a page, 1 to 500, by default 50. */
  readonly limit?: number | null | undefined;
  /** Where to go on: the `nextCursor` of a page of the same query. */
  readonly cursor?: string | null | undefined;
}

/** The sandboxes to list. There are no parameters yet. */
export type SandboxesQuery = Readonly<Record<string, never>>;

/** What one call may override. */
export interface RequestOptions {
  /** Aborts the call at once; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | null | undefined;
  /** Milliseconds that the call may take with its retries. */
  readonly timeoutMs?: number | null | undefined;
  /** How often a request is sent again. */
  readonly maxRetries?: number | null | undefined;
  /** Headers to add or replace. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
}

/** The options of a write of tags. */
export interface SetTagsOptions extends RequestOptions {
  /**
   * Writes only where the tags are still those of this entity tag, a {@link ConflictError} otherwise. {@link condition}
   * takes it from tags that were read.
   */
  readonly ifMatch?: string | undefined;
}

/** What this package needs of `fetch`: the host's own, `undici`'s, `node-fetch`'s and mocks fit. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** What a {@link Fetch} is given. */
export interface FetchInit {
  /** `GET` or `PUT`. */
  method: string;
  /** Headers by their names in lower case. */
  headers: Record<string, string>;
  /** JSON, or null. */
  body: string | null;
  /** A redirect is never followed: a key must not travel to another host. */
  redirect: "manual";
  /** Aborts the request when its time is up, or with the signal of the call. */
  signal: AbortSignal;
}

/** What a {@link Fetch} answers. */
export interface FetchResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: {
    /** Calls a function for each header. */
    forEach(run: (value: string, name: string) => void): void;
  };
  /** A stream of the web or of Node.js. Without either the body is read whole. */
  readonly body?: unknown;
  /** The whole body. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Says what a sandbox's user tags shall become. It must not change the map that it is given. */
export type ChangeTags = (
  tags: Readonly<TagMap>,
) => Readonly<TagMap> | PromiseLike<Readonly<TagMap>>;
