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
   * Returns usage by the values of a tag, and the usage of sandboxes without it. Pass the key alone:
   * `byTag("tag:team")` reports on the key `tag:team`, which is also valid.
   *
   * @throws {@link InvalidRequestError} for an invalid query, before anything is sent; {@link APIError} for an error
   * response; {@link ConnectionError} without a response. The promise rejects; the method itself never throws.
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
  bySandbox(
    query?: UsageQuery,
    requestOptions?: RequestOptions,
  ): PagePromise<SandboxUsagePage, SandboxUsageItem> {
    return this.#pages(SandboxUsagePage, "usage.by_sandbox", {}, query, requestOptions);
  }

  /**
   * Returns the usage of one sandbox, also after it was torn down.
   *
   * @throws {@link NotFoundError} if the sandbox does not exist, else as {@link UsageApi.byTag} does.
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
    // A call that fails before it is awaited or iterated is not an unhandled rejection.
    call.catch(() => {});
    return call;
  }
}
