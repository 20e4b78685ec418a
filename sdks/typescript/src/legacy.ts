import { Connection } from "./connection.js";
import { readInput } from "./core.js";
import { UnsupportedByServerError } from "./errors.js";
import { TagsApi } from "./resources/tags.js";
import { UsageApi } from "./resources/usage.js";
import type {
  SandboxTags,
  SandboxUsageTotals,
  TagKey,
  TagMap,
  UsagePoint,
  UsageSort,
  UsageTotals,
} from "./types.js";
import { bind, isPlain } from "./values.js";

/** @deprecated The platform's name; {@link TagKey} is the one of this package. */
export type TagKeyInfo = TagKey;

/** @deprecated The platform's name; {@link UsagePoint} is the one of this package. */
export type SandboxUsagePoint = UsagePoint;

/** @deprecated The platform's name; {@link UntaggedUsage} is the one of this package. */
export interface UsageUntaggedBucket extends UsageTotals {
  /** The number of sandboxes. */
  sandboxCount: number;
}

/** @deprecated The platform's name; {@link TagUsageItem} is the one of this package. */
export interface UsageTagItem extends UsageTotals {
  /** The key of the tag. */
  tagKey: string;
  /** The value that the sandboxes share. */
  tagValue: string;
  /** The number of sandboxes. */
  sandboxCount: number;
}

/** @deprecated The platform's type of {@link SandboxUsageItem}. */
export interface UsageSandboxItem extends UsageTotals {
  /** The sandbox. */
  sandboxId: string;
  /** The name that the user gave. */
  alias?: string;
  /** The status of the latest session. */
  status?: string;
  /** All tags. */
  tags: Record<string, string>;
  /** The last time that a tag value changed. */
  tagsLastUpdatedAt: string | null;
}

/** @deprecated The platform's type of a {@link SandboxUsagePage}. */
export interface UsageBySandboxResponse {
  /** Start of the window, inclusive. */
  from: string;
  /** End of the window, exclusive. */
  to: string;
  /** The dimension. */
  groupBy: "sandbox";
  /** Usage of everything that matches the window and the filters. */
  total: UsageTotals;
  /** The sandboxes of this page. */
  items: UsageSandboxItem[];
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** @deprecated The platform's type of a {@link TagUsagePage}. */
export interface UsageByTagResponse {
  /** Start of the window, inclusive. */
  from: string;
  /** End of the window, exclusive. */
  to: string;
  /** The dimension, `tag:<key>`. */
  groupBy: string;
  /** Usage of everything that matches the window and the filters. */
  total: UsageTotals;
  /** Usage of the sandboxes that lack the tag. */
  untagged: UsageUntaggedBucket;
  /** The values of this page. */
  items: UsageTagItem[];
  /** The cursor of the next page; null on the last page. */
  nextCursor: string | null;
}

/** @deprecated The platform's type of {@link SandboxUsage}. */
export interface SandboxUsageResponse {
  /** The sandbox. */
  sandboxId: string;
  /** The name that the user gave. */
  alias?: string;
  /** Start of the window, inclusive. */
  from: string;
  /** End of the window, exclusive. */
  to: string;
  /** Allocated and used memory over the window. */
  totals: SandboxUsageTotals;
  /** Allocated and used memory over time. */
  points: SandboxUsagePoint[];
}

/** @deprecated The platform's filters, as in a URL; {@link UsageFilter} takes lists of exact values. */
export interface UsageFilterMap {
  /** Comma-separated values; empty for *the sandbox lacks the tag*. */
  [tagFilter: string]: string;
}

/** @deprecated The platform's options of a report; {@link UsageQuery} is the type of this package. */
export interface UsageQueryOpts {
  /** Start of the window, inclusive. */
  from?: string;
  /** End of the window, exclusive. */
  to?: string;
  /** The filters. */
  filter?: UsageFilterMap;
  /** The order of items. */
  sort?: UsageSort;
  /** The number of items on a page. */
  limit?: number;
  /** The `nextCursor` of a page. */
  cursor?: string;
}

/**
 * Usage reports, in the shape of the platform's own SDK. New code should use {@link UsageClient}.
 *
 * An option that is `""` counts as absent. Results have the platform's types. If a server leaves out a member that
 * they require, the call fails with an {@link UnsupportedByServerError} that names it.
 *
 * @example
 * ```ts
 * const page = await new Usage("https://api.example.com", "oc_…").byTag("team");
 * ```
 */
export class Usage {
  readonly #usage: UsageApi;

  /** @throws {@link InvalidRequestError} for a URL or a key that breaks a rule. */
  constructor(apiUrl: string, apiKey: string) {
    this.#usage = new UsageApi(new Connection({ baseUrl: apiUrl, apiKey }));
    bind(this, Usage);
  }

  /** Returns one page of usage by sandbox. */
  async bySandbox(opts: UsageQueryOpts = {}): Promise<UsageBySandboxResponse> {
    const page = await this.#usage.bySandbox(withoutEmpty(opts));
    for (const item of page.items) requireMember(item, "tags");
    return { ...page, groupBy: "sandbox" } as unknown as UsageBySandboxResponse;
  }

  /** Returns one page of usage by the values of a tag. */
  async byTag(tagKey: string, opts: UsageQueryOpts = {}): Promise<UsageByTagResponse> {
    const page = await this.#usage.byTag(tagKey, withoutEmpty(opts));
    requireMember(page, "untagged");
    return { ...page } as unknown as UsageByTagResponse;
  }

  /** Returns the usage of one sandbox over the last hour, or from `from` to `to`, with a point per minute. */
  async forSandbox(
    sandboxId: string,
    opts: Pick<UsageQueryOpts, "from" | "to"> = {},
  ): Promise<SandboxUsageResponse> {
    const usage = await this.#usage.forSandbox(sandboxId, lastHour(withoutEmpty(opts)));
    requireMember(usage, "totals");
    requireMember(usage, "points");
    return usage as unknown as SandboxUsageResponse;
  }
}

/**
 * Tags, in the shape of the platform's own SDK. New code should use {@link UsageClient}.
 *
 * @example
 * ```ts
 * await new Tags("https://api.example.com", "oc_…").set("sb-1", { team: "payments" });
 * ```
 */
export class Tags {
  readonly #tags: TagsApi;

  /** @throws {@link InvalidRequestError} for a URL or a key that breaks a rule. */
  constructor(apiUrl: string, apiKey: string) {
    this.#tags = new TagsApi(new Connection({ baseUrl: apiUrl, apiKey }));
    bind(this, Tags);
  }

  /** Returns every tag key in use. */
  async listKeys(): Promise<TagKeyInfo[]> {
    return this.#tags.listKeys();
  }

  /** Returns the tags of a sandbox. */
  async get(sandboxId: string): Promise<SandboxTags> {
    return this.#tags.get(sandboxId);
  }

  /** Replaces all user tags of a sandbox. The last writer wins. */
  async set(sandboxId: string, tags: TagMap): Promise<SandboxTags> {
    return this.#tags.set(sandboxId, tags);
  }
}

/** Removes options that are `""`, which the platform's SDK does not send. */
function withoutEmpty<T>(opts: T): T {
  return readInput(() => {
    if (!isPlain(opts)) return opts;
    return Object.fromEntries(Object.entries(opts).filter(([, value]) => value !== "")) as T;
  });
}

const HOUR_MS = 3_600_000;

/** Adds the defaults of the platform's endpoint, which differ from those of `UsageClient`: one hour, by minute. */
function lastHour<T>(window: T): T {
  return readInput(() => {
    if (!isPlain(window)) return window;
    const from = window["from"] ?? new Date(Date.now() - HOUR_MS);
    return { ...window, from, interval: "1m" };
  });
}

/** Throws if a result lacks a member that the platform's type requires. */
function requireMember<T>(answer: T, name: keyof T & string): void {
  if (answer[name] !== null) return;
  throw new UnsupportedByServerError(
    `the response lacks \`${name}\`, which the platform's types require; \`UsageClient\` returns null for it`,
  );
}
