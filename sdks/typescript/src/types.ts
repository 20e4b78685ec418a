export * from "./rules.js";

/** An instant: RFC 3339 with an offset, `YYYY-MM-DD` (midnight UTC), or a `Date`. */
export type Time = string | Date;

/** What a sandbox is doing. Other values of the platform pass through. */
export type SandboxStatus = "running" | "hibernated" | "stopped" | "error" | (string & {});

/** What items are ordered by, descending. */
export type UsageSort = "-memoryGbSeconds" | "-diskOverageGbSeconds";

/** A sandbox's tags by their keys. */
export type TagMap = Record<string, string>;

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

/** Amounts of the two metrics. */
export interface UsageTotals {
  /** Memory, GB-seconds (1 GB = 1024 MB). */
  readonly memoryGbSeconds: number;
  /** Disk above the included 20 GB, GB-seconds. */
  readonly diskOverageGbSeconds: number;
}

/** Usage of the sandboxes that lack the tag that is grouped by. */
export interface UntaggedUsage extends UsageTotals {
  /** How many sandboxes. */
  readonly sandboxCount: number;
}

/** Usage of the sandboxes that share one value of a tag. */
export interface TagUsageItem extends UsageTotals {
  /** The key that is grouped by. */
  readonly tagKey: string;
  /** The value they share. */
  readonly tagValue: string;
  /** How many sandboxes. */
  readonly sandboxCount: number;
}

/** Usage of one sandbox of a page. */
export interface SandboxUsageItem extends UsageTotals {
  /** The sandbox. */
  readonly sandboxId: string;
  /** Name that the user gave; absent where there is none. */
  readonly alias?: string;
  /** Absent where it is unknown. */
  readonly status?: SandboxStatus;
  /** All tags, system tags (`oc:…`) among them; null where the server does not say. */
  readonly tags: TagMap | null;
  /** When a tag value last changed; a removed tag leaves no trace. Attribution is live: a retag moves all history. */
  readonly tagsLastUpdatedAt: string | null;
}

/** Usage of one sandbox. The platform's own servers leave out much of it. */
export interface SandboxUsage {
  /** The sandbox. */
  readonly sandboxId: string;
  /** Name that the user gave; absent where there is none. */
  readonly alias?: string;
  /** Absent where it is unknown. */
  readonly status?: SandboxStatus;
  /** Start of the window, inclusive. */
  readonly from: string;
  /** End of the window, exclusive. */
  readonly to: string;
  /** When a running sandbox was measured; null where the server does not say. */
  readonly asOf: string | null;
  /** Memory, GB-seconds (1 GB = 1024 MB). */
  readonly memoryGbSeconds: number;
  /** Disk above the included 20 GB, GB-seconds; null where the server does not say. */
  readonly diskOverageGbSeconds: number | null;
  /** All tags, system tags (`oc:…`) among them; null where the server does not say. */
  readonly tags: TagMap | null;
  /** When a tag value last changed; null where there are no tags. */
  readonly tagsLastUpdatedAt: string | null;
  /** Start of the first session that meets the window, clamped into it; null where none does. */
  readonly firstStartedAt: string | null;
  /** End of the last session that meets the window, clamped into it; null while one is open, and where none meets it. */
  readonly lastEndedAt: string | null;
  /** Allocated and used memory over the window; null where the server does not say. */
  readonly totals: SandboxUsageTotals | null;
  /** The same over time, one point a bucket; null where the server does not say. */
  readonly points: UsagePoint[] | null;
}

/** Allocated and used memory of one sandbox, clipped to the window. */
export interface SandboxUsageTotals {
  /** Allocated memory, GB-seconds. */
  readonly memoryAllocatedGbSeconds: number;
  /** Measured memory, GB-seconds; 0 without samples. */
  readonly memoryUsedGbSeconds: number;
  /** Time during which memory was allocated, seconds. */
  readonly uptimeSeconds: number;
  /** The most memory that was allocated at once, MB of 2²⁰ bytes. */
  readonly memoryAllocatedPeakMb: number;
  /** The most memory that was measured, MB of 2²⁰ bytes; 0 without samples. */
  readonly memoryUsedPeakMb: number;
}

/** Allocated and used memory of one sandbox in one bucket of the window. */
export interface UsagePoint {
  /** Start of the bucket. */
  readonly ts: string;
  /** Allocated memory, GB-seconds. */
  readonly memoryAllocatedGbSeconds: number;
  /** Measured memory, GB-seconds; 0 without samples. */
  readonly memoryUsedGbSeconds: number;
  /** Time during which memory was allocated, seconds. */
  readonly uptimeSeconds: number;
  /** Mean of the allocated memory over the bucket, MB of 2²⁰ bytes. */
  readonly allocatedMemoryMb: number;
  /** Mean of the measured memory over the bucket, MB of 2²⁰ bytes. */
  readonly usedMemoryMbAvg: number;
  /** The most memory that was measured, MB of 2²⁰ bytes. */
  readonly usedMemoryMbPeak: number;
}

/** One tag key in use. */
export interface TagKey {
  /** The key. */
  readonly key: string;
  /** How many sandboxes have it. */
  readonly sandboxCount: number;
  /** How many different values it has. */
  readonly valueCount: number;
}

/** A sandbox's tags as they are. */
export interface SandboxTags {
  /** All tags, system tags (`oc:…`) among them. */
  readonly tags: TagMap;
  /** When a tag value last changed; null where there are no tags. */
  readonly tagsLastUpdatedAt: string | null;
  /** Names these tags, for {@link condition}; null where the server sent none. */
  readonly etag: string | null;
}

/** A sandbox. */
export interface Sandbox {
  /** The sandbox. */
  readonly sandboxID: string;
  /** Of its latest session. */
  readonly status: SandboxStatus;
  /** Where it runs; null where the server does not say. */
  readonly region: string | null;
  /** The worker it runs on; null where the server does not say. */
  readonly workerID: string | null;
  /** What it was made from; null where the server does not say. */
  readonly template: string | null;
  /** When its latest session started. */
  readonly startedAt: string;
  /** Name that the user gave; absent where there is none. */
  readonly alias?: string;
  /** All tags; absent where only their look-up failed, and where the server does not say. */
  readonly tags?: TagMap;
  /** When a tag value last changed; absent where the tags are. */
  readonly tagsLastUpdatedAt?: string | null;
}
