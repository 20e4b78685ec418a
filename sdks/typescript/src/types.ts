import type { TagMap } from "./generated/types.js";

export * from "./generated/types.js";
export * from "./rules.js";

/** An instant: RFC 3339 with an offset, `YYYY-MM-DD` (midnight UTC), or a `Date`. */
export type Time = string | Date;

/** The amount by which items are ordered, descending. */
export type UsageSort = "-memoryGbSeconds" | "-diskOverageGbSeconds";

/** Tags: any object type with string members, including an `interface`. */
export type TagsOf<T> = {
  readonly [K in keyof T & string]?: T[K] extends string | undefined ? T[K] : string;
};

/**
 * The filter of one dimension: a list of exact values, `null` for *the sandbox lacks the tag*, or text that is sent
 * unchanged (comma-separated and quoted, as {@link formatFilter} returns it).
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
  /** Filters by the values of a tag. */
  readonly [dimension: `tag:${string}`]: FilterValue;
  /** Filters by sandbox id. */
  readonly sandbox?: readonly string[] | string;
}

/** The window of a usage report: at most `LIMITS.maxWindowDays` days. */
export interface UsageWindow {
  /** Start of the window, inclusive; by default `LIMITS.defaultWindowDays` days before `to`. */
  readonly from?: Time | null | undefined;
  /** End of the window, exclusive; by default now. */
  readonly to?: Time | null | undefined;
}

/** The options of a usage report. */
export interface UsageQuery extends UsageWindow {
  /** The filters; by default none. */
  readonly filter?: UsageFilter | null | undefined;
  /** The order of items, by default `-memoryGbSeconds`. */
  readonly sort?: UsageSort | null | undefined;
  /** The number of items on a page, from 1 to `LIMITS.maxPageLimit`, by default `LIMITS.defaultPageLimit`. */
  readonly limit?: number | null | undefined;
  /** The position to continue from: the `nextCursor` of a page of the same query. */
  readonly cursor?: string | null | undefined;
}

/** The sandboxes to list. There are no parameters yet. */
export type SandboxesQuery = Readonly<Record<string, never>>;

/** The options of one call, which override those of the client. */
export interface RequestOptions {
  /** Aborts the call at once; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | null | undefined;
  /** The timeout of the call including its retries, in milliseconds. */
  readonly timeoutMs?: number | null | undefined;
  /** The most retries of a request. */
  readonly maxRetries?: number | null | undefined;
  /** Headers to add or replace. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
}

/** The options of a write of tags. */
export interface SetTagsOptions extends RequestOptions {
  /**
   * The entity tag that the current tags must have; otherwise the call fails with a {@link ConflictError}. Get it from
   * {@link condition}.
   */
  readonly ifMatch?: string | undefined;
}

/** The part of `fetch` that this package uses. The host's own, `undici`'s, `node-fetch`'s and mocks have this type. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** The options that a {@link Fetch} receives. */
export interface FetchInit {
  /** `GET` or `PUT`. */
  method: string;
  /** The headers by lower-case name. */
  headers: Record<string, string>;
  /** The JSON body, or null. */
  body: string | null;
  /** Redirects are not followed, because the key must not be sent to another host. */
  redirect: "manual";
  /** Aborts the request when its time is up, or with the signal of the call. */
  signal: AbortSignal;
}

/** The response that a {@link Fetch} returns. */
export interface FetchResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: {
    /** Calls a function for each header. */
    forEach(run: (value: string, name: string) => void): void;
  };
  /** A web stream or a stream of Node.js. Without it, the body is read at once. */
  readonly body?: unknown;
  /** The whole body. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Returns the new user tags of a sandbox. It must not modify its argument. */
export type ChangeTags = (
  tags: Readonly<TagMap>,
) => Readonly<TagMap> | PromiseLike<Readonly<TagMap>>;
