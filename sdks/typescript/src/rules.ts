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
