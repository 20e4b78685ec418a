/** An instant: RFC 3339 with an offset, `YYYY-MM-DD` (midnight UTC), or a `Date`. */
export type Time = string | Date;

/** What a sandbox is doing. Other values of the platform pass through. */
export type SandboxStatus = "running" | "hibernated" | "stopped" | "error" | (string & {});

/** What items are ordered by, descending. */
export type UsageSort = "-memoryGbSeconds" | "-diskOverageGbSeconds";

/** A sandbox's tags by their keys. */
export type TagMap = Record<string, string>;

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
  /** Writes only where the tags are still those of this entity tag; a {@link ConflictError} otherwise. */
  readonly ifMatch?: string | null | undefined;
}

/** What this package needs of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

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
export interface UsageUntaggedBucket extends UsageTotals {
  /** How many sandboxes. */
  readonly sandboxCount: number;
}

/** Usage of the sandboxes that share one value of a tag. */
export interface UsageTagItem extends UsageTotals {
  /** The key that is grouped by. */
  readonly tagKey: string;
  /** The value they share. */
  readonly tagValue: string;
  /** How many sandboxes. */
  readonly sandboxCount: number;
}

/** What and where a sandbox is. */
export interface SandboxDetails {
  /** Name that the user gave; absent where there is none. */
  readonly alias?: string;
  /** Absent where it is unknown. */
  readonly status?: SandboxStatus;
  /** All tags, system tags (`oc:…`) among them. */
  readonly tags: TagMap;
  /** When a tag value last changed; a removed tag leaves no trace. Attribution is live: a retag moves all history. */
  readonly tagsLastUpdatedAt: string | null;
}

/** Usage of one sandbox of a page. */
export interface UsageSandboxItem extends UsageTotals, SandboxDetails {
  /** The sandbox. */
  readonly sandboxId: string;
}

/** Usage of one sandbox. */
export interface SandboxUsage extends UsageTotals, SandboxDetails {
  /** The sandbox. */
  readonly sandboxId: string;
  /** Start of the window, inclusive. */
  readonly from: string;
  /** End of the window, exclusive. */
  readonly to: string;
  /** When a running sandbox was measured. */
  readonly asOf: string;
  /** Start of the first session that meets the window, clamped into it; null where none does. */
  readonly firstStartedAt: string | null;
  /** End of the last session that meets the window, clamped into it; null while one is open, and where none meets it. */
  readonly lastEndedAt: string | null;
}

/** One tag key in use. */
export interface TagKeyInfo {
  /** The key. */
  readonly key: string;
  /** How many sandboxes have it. */
  readonly sandboxCount: number;
  /** How many different values it has. */
  readonly valueCount: number;
}

/** A sandbox's tags as they are. */
export interface TagState {
  /** All tags, system tags (`oc:…`) among them. */
  readonly tags: TagMap;
  /** When a tag value last changed; null where there are no tags. */
  readonly tagsLastUpdatedAt: string | null;
  /** For `ifMatch`; null where the server sent none. */
  readonly etag: string | null;
}

/** A sandbox. */
export interface Sandbox {
  /** The sandbox. */
  readonly sandboxID: string;
  /** Of its latest session. */
  readonly status: SandboxStatus;
  /** Where it runs. */
  readonly region: string;
  /** The worker it runs on. */
  readonly workerID: string;
  /** What it was made from. */
  readonly template: string;
  /** When its latest session started. */
  readonly startedAt: string;
  /** Name that the user gave; absent where there is none. */
  readonly alias?: string;
  /** All tags; absent where only their look-up failed. */
  readonly tags?: TagMap;
  /** When a tag value last changed; absent where only the look-up of tags failed. */
  readonly tagsLastUpdatedAt?: string | null;
}

/** One broken tag rule. */
export interface TagViolation {
  /** The rule, such as `key_too_long`. */
  readonly code: string;
  /** The key of the tag; null where the whole map or a single value is meant. */
  readonly key: string | null;
  /** What was wrong and what is allowed. */
  readonly message: string;
}

/** What usage is grouped by. */
export type GroupBy = GroupBySandbox | GroupByTag;

/** Usage is grouped by sandbox. */
export interface GroupBySandbox {
  /** The dimension. */
  readonly kind: "sandbox";
}

/** Usage is grouped by the values of a tag. */
export interface GroupByTag {
  /** The dimension. */
  readonly kind: "tag";
  /** The tag's key. */
  readonly key: string;
}

/** What a cursor holds: the last item of a page, and what pins the walk (all of it or nothing). */
export interface Cursor {
  /** The item's sort value, GB-seconds. */
  readonly v: number;
  /** The item's tag value or sandbox id, which breaks ties. */
  readonly t: string;
  /** The item's exact sort value, MB × µs, as a decimal number. */
  readonly s?: string;
  /** Start of the window. */
  readonly from?: string;
  /** End of the window. */
  readonly to?: string;
  /** When running sandboxes are measured. */
  readonly asOf?: string;
  /** A digest of the query. */
  readonly q?: string;
}

/** The limits of the API. */
export interface Limits {
  /** User tags on one sandbox. */
  readonly maxTags: number;
  /** Characters (Unicode scalar values) of a tag key. */
  readonly maxTagKeyCharacters: number;
  /** Characters of a tag value. */
  readonly maxTagValueCharacters: number;
  /** Days of a usage window that was not given a start. */
  readonly defaultWindowDays: number;
  /** Days of the longest usage window. */
  readonly maxWindowDays: number;
  /** Items of a page that was not given a limit. */
  readonly defaultPageLimit: number;
  /** Items of the largest page. */
  readonly maxPageLimit: number;
  /** Values in one filter, counted before duplicates are dropped. */
  readonly maxFilterValues: number;
  /** Filters in one query. */
  readonly maxFilters: number;
  /** Bytes of an encoded query string. */
  readonly maxQueryBytes: number;
  /** Bytes of the body of a write of tags. */
  readonly maxBodyBytes: number;
  /** Characters of a sandbox id. */
  readonly maxSandboxIdCharacters: number;
  /** Seconds a usage request may take on the server. */
  readonly queryBudgetSeconds: number;
  /** Megabytes of disk that are not charged for. */
  readonly includedDiskMb: number;
}
