import type { Connection } from "../connection.js";
import {
  type FetchNext,
  type GroupOf,
  GroupUsagePage,
  type PageData,
  type PagePromise,
  SandboxUsagePage,
  TagUsagePage,
} from "../page.js";
import type {
  IfInterval,
  IntervalOption,
  Measured,
  RequestOptions,
  SandboxUsage,
  SandboxUsageItem,
  SandboxUsageQuery,
  SandboxUsageTotals,
  TagUsageItem,
  UsageDimension,
  UsageQuery,
  WithBuckets,
  WithPoints,
  WithSeries,
} from "../types.js";
import { bind } from "../values.js";

/** One dimension, or a list of one to three. */
export type Dimensions =
  | UsageDimension
  | readonly [UsageDimension, UsageDimension?, UsageDimension?]
  | readonly UsageDimension[];

/** The pages of a report, which have buckets, and whose items have series, if the query has an interval. */
export type UsagePages<Page, Item, Interval> = PagePromise<
  Page & IfInterval<Interval, WithBuckets>,
  Item & IfInterval<Interval, WithSeries>
>;

/** The pages of a report by the values of a tag. */
export type TagUsagePages<Interval> = UsagePages<
  TagUsagePage<IfInterval<Interval, WithSeries>>,
  TagUsageItem,
  Interval
>;

/** The pages of a report by sandbox. */
export type SandboxUsagePages<Interval> = UsagePages<
  SandboxUsagePage<IfInterval<Interval, WithSeries>>,
  SandboxUsageItem,
  Interval
>;

/** The pages of a report by these dimensions. */
export type GroupUsagePages<Dimension extends string, Interval> = UsagePages<
  GroupUsagePage<Dimension, IfInterval<Interval, WithSeries>>,
  GroupOf<Dimension>,
  Interval
>;

/** The pages of {@link UsageApi.by}: by one tag or by sandbox, those of `byTag` or `bySandbox`. */
export type UsagePagesBy<By, Interval> = By extends readonly [infer One]
  ? UsagePagesBy<One, Interval>
  : By extends readonly (infer One extends UsageDimension)[]
    ? GroupUsagePages<One, Interval>
    : By extends "sandbox"
      ? SandboxUsagePages<Interval>
      : By extends `tag:${string}`
        ? TagUsagePages<Interval>
        : By extends string
          ? GroupUsagePages<By, Interval>
          : never;

/** Usage reports, in GB-seconds (1 GB = 1024 MB). */
export class UsageApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    bind(this, UsageApi);
  }

  /**
   * Returns usage by one to three dimensions.
   *
   * @throws as {@link UsageApi.byTag} does.
   * @example
   * ```ts
   * const page = await client.usage.by(["tag:team", "region"], { interval: "1d", timeZone: "Europe/Berlin" });
   * for (const { group, series } of page) console.log(group["tag:team"], group.region, series.memoryGbSeconds);
   * ```
   */
  by<By extends Dimensions, Interval extends IntervalOption = undefined>(
    dimensions: By,
    query?: UsageQuery<Interval>,
    requestOptions?: RequestOptions,
  ): UsagePagesBy<By, Interval> {
    return this.#pages("usage.by", { groupBy: dimensions }, query, requestOptions) as never;
  }

  /**
   * Returns usage by the values of a tag, and the usage of sandboxes without it. Pass the key alone:
   * `byTag("tag:team")` reports on the key `tag:team`, which is also valid.
   *
   * @throws {@link InvalidRequestError} for an invalid query, before anything is sent; {@link APIError} for an error
   * response; {@link ConnectionError} without a response; {@link UnsupportedByServerError} if the server ignored a part
   * of the query. The promise rejects; the method itself never throws.
   * @example
   * ```ts
   * const page = await client.usage.byTag("team", { from: "2026-04-01", to: "2026-05-01" });
   * console.log(page.total.memoryGbSeconds, page.untagged?.sandboxCount, page.items);
   * ```
   */
  byTag<Interval extends IntervalOption = undefined>(
    key: string,
    query?: UsageQuery<Interval>,
    requestOptions?: RequestOptions,
  ): TagUsagePages<Interval> {
    return this.#pages("usage.by_tag", { key }, query, requestOptions) as never;
  }

  /**
   * Returns usage by sandbox.
   *
   * @throws as {@link UsageApi.byTag} does.
   * @example
   * ```ts
   * for await (const item of client.usage.bySandbox({ filter: { "tag:env": ["prod"] }, limit: 200 })) {
   *   console.log(item.sandboxId, item.memoryGbSeconds);
   * }
   * ```
   */
  bySandbox<Interval extends IntervalOption = undefined>(
    query?: UsageQuery<Interval>,
    requestOptions?: RequestOptions,
  ): SandboxUsagePages<Interval> {
    return this.#pages("usage.by_sandbox", {}, query, requestOptions) as never;
  }

  /**
   * Returns the usage of one sandbox, also after it was torn down.
   *
   * @throws {@link NotFoundError} if the sandbox does not exist, else as {@link UsageApi.byTag} does.
   * @example
   * ```ts
   * const { totals, points } = await client.usage.forSandbox("sb-1", { from: "2026-04-01", interval: "1h" });
   * console.log(totals.usedFraction, points.length);
   * ```
   */
  async forSandbox<Interval extends IntervalOption = undefined>(
    sandboxId: string,
    query?: SandboxUsageQuery<Interval>,
    requestOptions?: RequestOptions,
  ): Promise<SandboxUsage & IfInterval<Interval, WithPoints>> {
    const call = this.#connection.call<SandboxUsage>(
      "usage.for_sandbox",
      { sandboxId },
      query,
      requestOptions,
    );
    const usage = await call;
    for (const memory of [usage.totals, ...(usage.points ?? [])]) addUsedFraction(memory);
    return usage as SandboxUsage & IfInterval<Interval, WithPoints>;
  }

  #pages(
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: UsageQuery | undefined,
    options: RequestOptions | undefined,
  ): PagePromise<AnyPage, unknown> {
    return this.#connection.pages(usagePage, operation, args, query, options);
  }
}

type AnyPage = TagUsagePage | SandboxUsagePage | GroupUsagePage;

/** Makes a page of the class that belongs to its dimensions. */
function usagePage(data: PageData<AnyPage>, next: FetchNext<AnyPage>): AnyPage {
  const { groupBy } = data;
  const isSandboxes = groupBy === null || groupBy === "sandbox";
  const isTag = !isSandboxes && groupBy.startsWith("tag:") && !groupBy.includes(",");
  const PageClass: new (data: never, next: never) => AnyPage = isSandboxes
    ? SandboxUsagePage
    : isTag
      ? TagUsagePage
      : GroupUsagePage;
  return new PageClass(data as never, next as never);
}

/** Sets the ratio of measured to allocated memory. Without samples, measured memory is 0. */
function addUsedFraction(memory: Measured<Pick<SandboxUsageTotals, Amounts>> | null): void {
  if (!memory) return;
  const { memoryUsedGbSeconds: used, memoryAllocatedGbSeconds: allocated } = memory;
  const usedFraction = used > 0 && allocated > 0 ? used / allocated : null;
  Object.assign(memory, { usedFraction });
}

type Amounts = "memoryUsedGbSeconds" | "memoryAllocatedGbSeconds";
