import type { Connection } from "../connection.js";
import {
  type PageData,
  PagePromise,
  SandboxUsagePage,
  TagUsagePage,
  type UsagePage,
} from "../page.js";
import type {
  RequestOptions,
  SandboxUsage,
  SandboxUsageItem,
  TagUsageItem,
  UsageQuery,
  UsageWindow,
} from "../types.js";
import { bind } from "../values.js";

type PageClass<Page, Item> = new (
  data: PageData<UsagePage<Item>>,
  next: (() => Promise<UsagePage<Item>>) | null,
) => Page;

/** Usage reports, in GB-seconds (1 GB = 1024 MB). */
export class UsageApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    bind(this, UsageApi);
  }

  /**
   * Usage by the values of a tag, and the part that lacks the tag. The key stands alone: `byTag("tag:team")` reports on
   * the key `tag:team`, which is a valid one.
   *
   * @throws {@link InvalidRequestError} for a query that breaks a rule, before anything is sent; else what the API
   * answers ({@link APIError}), or {@link ConnectionError} where it does not. The promise rejects, nothing is thrown.
   * @example
   * ```ts
   * const page = await client.usage.byTag("team", { from: "2026-04-01", to: "2026-05-01" });
   * console.log(page.total.memoryGbSeconds, page.untagged?.sandboxCount, page.items);
   * ```
   */
  byTag(
    key: string,
    query?: UsageQuery,
    requestOptions?: RequestOptions,
  ): PagePromise<TagUsagePage, TagUsageItem> {
    return this.#pages(TagUsagePage, "usage.by_tag", { key }, query, requestOptions);
  }

  /**
   * Usage by sandbox.
   *
   * @throws as {@link UsageApi.byTag} does.
   * @example
   * ```ts
   * for await (const item of client.usage.bySandbox({ filter: { "tag:env": ["prod"] }, limit: 200 })) {
   *   console.log(item.sandboxId, item.memoryGbSeconds);
   * }
   * ```
   */
  bySandbox(
    query?: UsageQuery,
    requestOptions?: RequestOptions,
  ): PagePromise<SandboxUsagePage, SandboxUsageItem> {
    return this.#pages(SandboxUsagePage, "usage.by_sandbox", {}, query, requestOptions);
  }

  /**
   * Usage of one sandbox, torn down or not.
   *
   * @throws {@link NotFoundError} where there is no such sandbox, else as {@link UsageApi.byTag} does.
   * @example
   * ```ts
   * const usage = await client.usage.forSandbox("sb-1", { from: new Date("2026-04-01") });
   * ```
   */
  forSandbox(
    sandboxId: string,
    window?: UsageWindow,
    requestOptions?: RequestOptions,
  ): Promise<SandboxUsage> {
    return this.#connection.call("usage.for_sandbox", { sandboxId }, window, requestOptions);
  }

  #pages<Page extends UsagePage<Item>, Item>(
    Page: PageClass<Page, Item>,
    operation: string,
    args: Readonly<Record<string, unknown>>,
    query: UsageQuery | undefined,
    options: RequestOptions | undefined,
  ): PagePromise<Page, Item> {
    const call = new PagePromise<Page, Item>((resolve) => {
      const begin = this.#connection.prepare<PageData<Page>>(operation, args, query, options);
      const fetchPage = async (next?: unknown): Promise<Page> => {
        const { value, next: after } = await begin(next);
        return new Page(value, after === null ? null : () => fetchPage(after));
      };
      resolve(fetchPage());
    });
    // It may be awaited later than it fails, or iterated; until then that is no unhandled rejection.
    call.catch(() => {});
    return call;
  }
}
