import { InvalidRequestError } from "./errors.js";
import type { SandboxUsageItem, TagUsageItem, UntaggedUsage, UsageTotals } from "./types.js";

/** A page without its methods: plain data that can be serialized or passed to a client component. */
export type PageData<Page> = Omit<
  Page,
  "hasNextPage" | "getNextPage" | "toJSON" | typeof Symbol.iterator | typeof Symbol.asyncIterator
>;

/**
 * A page of a usage report. All pages of a walk share one window and one `asOf`.
 *
 * @example
 * ```ts
 * for await (const item of page) console.log(item.memoryGbSeconds); // this page and all that follow
 * ```
 */
export abstract class UsagePage<Item> implements Iterable<Item>, AsyncIterable<Item> {
  /** Start of the window, inclusive. */
  declare readonly from: string;
  /** End of the window, exclusive. */
  declare readonly to: string;
  /** The instant at which running sandboxes were measured; null from the platform's own servers. */
  declare readonly asOf: string | null;
  /** Usage of everything that matches the window and the filters, not only of this page. */
  declare readonly total: UsageTotals;
  /** The groups of this page, in order. */
  declare readonly items: readonly Item[];
  /** The cursor of the next page; null on the last page. */
  declare readonly nextCursor: string | null;

  readonly #next: (() => Promise<this>) | null;

  /** @param next fetches the next page; null on the last page. */
  constructor(data: PageData<UsagePage<Item>>, next: (() => Promise<UsagePage<Item>>) | null) {
    Object.assign(this, data);
    this.#next = next as (() => Promise<this>) | null;
  }

  /** Returns whether there is a next page. */
  hasNextPage(): boolean {
    return this.#next !== null;
  }

  /**
   * Fetches the next page with the options of this page's call.
   *
   * @throws {@link InvalidRequestError} on the last page, else as the call does.
   */
  async getNextPage(): Promise<this> {
    if (!this.#next) throw new InvalidRequestError("this is the last page");
    return this.#next();
  }

  /**
   * Returns the page as plain data. `JSON.stringify` and React's server components call it themselves. Await a promise
   * of a page first, because React would use its iterator.
   */
  toJSON(): PageData<this> {
    return { ...this };
  }

  /** Iterates over the items of this page: `for (const item of page)`, `Array.from(page)`. */
  [Symbol.iterator](): IterableIterator<Item> {
    return this.items[Symbol.iterator]();
  }

  /** Iterates over the items of this page and all following pages: `for await (const item of page)`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (let page: UsagePage<Item> = this; ; page = await page.getNextPage()) {
      yield* page.items;
      if (!page.hasNextPage()) return;
    }
  }
}

/** A page of usage by the values of a tag. */
export class TagUsagePage extends UsagePage<TagUsageItem> {
  /** The dimension. */
  declare readonly groupBy: `tag:${string}`;
  /** The usage of sandboxes without the tag; null if the server does not report it. */
  declare readonly untagged: UntaggedUsage | null;
}

/** A page of usage by sandbox. */
export class SandboxUsagePage extends UsagePage<SandboxUsageItem> {
  /** The dimension; null if the server does not report it. */
  declare readonly groupBy: "sandbox" | null;
}

/**
 * A promise of a page that is also an async iterable over the items of all pages.
 *
 * @example
 * ```ts
 * const page = await client.usage.bySandbox();
 * for await (const item of client.usage.bySandbox({ limit: 200 })) console.log(item.sandboxId);
 * ```
 */
export class PagePromise<Page extends UsagePage<Item>, Item>
  extends Promise<Page>
  implements AsyncIterable<Item>
{
  /** Makes `then` return a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Iterates over the items of this page and all following pages. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    yield* await this;
  }
}
