import type {
  Measured,
  SandboxUsageTotals,
  TagMap,
  UsageBucket,
  UsagePoint,
  UsageSeries,
} from "./generated/types.js";

export * from "./generated/types.js";
export * from "./rules.js";

/** An instant: RFC 3339 with an offset, `YYYY-MM-DD` (the start of that day in the query's time zone), or a `Date`. */
export type Time = string | Date;

/** The length of a bucket: a minute, an hour, a day, a week from Monday, or a month. */
export type UsageInterval = "1m" | "1h" | "1d" | "1w" | "1mo";

/** The type of the option `interval`. */
export type IntervalOption = UsageInterval | null | undefined;

/**
 * `Members` for a query with an interval, nothing for one without. If the type of the option `interval` allows both,
 * the members are optional.
 */
export type IfInterval<Interval, Members> = [Interval] extends [UsageInterval]
  ? Members
  : [Interval] extends [null | undefined]
    ? unknown
    : Partial<Members>;

/** The amounts over time of a total or an item, in a report with an interval. */
export interface WithSeries {
  /** One number per bucket of the page. The numbers add up to the amounts beside them. */
  readonly series: UsageSeries;
}

/** The buckets of a report with an interval. */
export interface WithBuckets {
  /** The interval. */
  readonly interval: UsageInterval;
  /** The time zone of the buckets. */
  readonly timezone: string;
  /** The buckets, contiguous and in order; they include times without usage. */
  readonly buckets: readonly UsageBucket[];
}

/** The usage of one sandbox over time. */
export interface WithPoints extends Partial<WithBuckets> {
  /** Allocated and used memory over the window. */
  readonly totals: Measured<SandboxUsageTotals>;
  /** Allocated and used memory over time, one point per bucket. */
  readonly points: Measured<UsagePoint>[];
}

/** A dimension of usage: the sandbox, a tag, or the template, region or status of the sandbox's latest session. */
export type UsageDimension = "sandbox" | `tag:${string}` | "template" | "region" | "status";

/** The amount by which items are ordered, descending. */
export type UsageSort = "-memoryGbSeconds" | "-diskOverageGbSeconds";

/** Tags: any object type with string members, including an `interface`. */
export type TagsOf<T> = {
  readonly [K in keyof T & string]?: T[K] extends string | undefined ? T[K] : string;
};

/**
 * The filter of one dimension: a list of exact values, `null` for *the sandbox lacks it*, or text that is sent unchanged
 * (comma-separated and quoted, as {@link formatFilter} returns it).
 */
export type FilterValue = readonly string[] | string | null;

/**
 * Filters by dimension. A filter keeps sandboxes that match any of its values; a sandbox must match every filter. As
 * `exclude`, each drops the sandboxes that it matches.
 *
 * @example
 * ```ts
 * const filter: UsageFilter = { "tag:env": ["prod", "staging"], "tag:owner": null };
 * ```
 */
export interface UsageFilter {
  /** The values of a tag. */
  readonly [dimension: `tag:${string}`]: FilterValue;
  /** Sandbox ids. */
  readonly sandbox?: readonly string[] | string;
  /** The templates of the latest sessions. */
  readonly template?: FilterValue;
  /** The regions of the latest sessions. */
  readonly region?: FilterValue;
  /** The statuses of the latest sessions. */
  readonly status?: FilterValue;
}

/** The window of a usage report: at most `LIMITS.maxWindowDays` days. */
export interface UsageWindow {
  /** Start of the window, inclusive; by default `LIMITS.defaultWindowDays` days before `to`. */
  readonly from?: Time | null | undefined;
  /** End of the window, exclusive; by default now. */
  readonly to?: Time | null | undefined;
  /** The IANA time zone of bare dates and of buckets, such as `Europe/Berlin`; by default `UTC`. */
  readonly timeZone?: string | null | undefined;
}

/** The options of a report on one sandbox. */
export interface SandboxUsageQuery<Interval extends IntervalOption = IntervalOption>
  extends UsageWindow {
  /** The length of the buckets of `points`; by default there are no points. */
  readonly interval?: Interval;
}

/** The sandboxes that a query is about. */
export interface SandboxConditions {
  /** The sandboxes to keep; by default all. */
  readonly filter?: UsageFilter | null | undefined;
  /** The sandboxes to drop; by default none. `null` for a dimension drops the sandboxes that lack it. */
  readonly exclude?: UsageFilter | null | undefined;
}

/** The options of a usage report. */
export interface UsageQuery<Interval extends IntervalOption = IntervalOption>
  extends UsageWindow,
    SandboxConditions {
  /** The length of the buckets of `series`; by default there are no series. */
  readonly interval?: Interval;
  /** The order of items, by default `-memoryGbSeconds`. */
  readonly sort?: UsageSort | null | undefined;
  /** The number of items on a page, from 1 to `LIMITS.maxPageLimit`, by default `LIMITS.defaultPageLimit`. */
  readonly limit?: number | null | undefined;
  /** The position to continue from: the `nextCursor` of a page of the same query. */
  readonly cursor?: string | null | undefined;
}

/** The sandboxes to list. */
export interface SandboxesQuery extends SandboxConditions {
  /** `running` (the default), or `all` to include sandboxes that were torn down. */
  readonly state?: "running" | "all" | null | undefined;
  /** The number of sandboxes on a page, from 1 to 500, by default 100. */
  readonly limit?: number | null | undefined;
  /** The position to continue from: the `nextCursor` of a page of the same query. */
  readonly cursor?: string | null | undefined;
}

/** The tag values to list. */
export interface TagValuesQuery {
  /** The start of the values to list; by default, all values are listed. */
  readonly prefix?: string | null | undefined;
  /** The number of values on a page, from 1 to 500, by default 100. */
  readonly limit?: number | null | undefined;
  /** The position to continue from: the `nextCursor` of a page of the same query. */
  readonly cursor?: string | null | undefined;
}

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
