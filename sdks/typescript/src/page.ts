import { InvalidRequestError } from "./errors.js";
import type { SandboxUsageItem, TagUsageItem, UntaggedUsage, UsageTotals } from "./types.js";

/** A page as it came, without its methods: plain data, to serialize or to hand to a component of the client. */
export type PageData<Page> = Omit<
  Page,
  "hasNextPage" | "getNextPage" | "toJSON" | typeof Symbol.iterator | typeof Symbol.asyncIterator
>;

/**
 * One page of a usage report. All pages of a walk share one window and one `asOf`.
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
  /** When running sandboxes were measured; null from the platform's own servers. */
  declare readonly asOf: string | null;
  /** All that matches the window and the filters, not just this page. */
  declare readonly total: UsageTotals;
  /** The groups of this page, in order. */
  declare readonly items: readonly Item[];
  /** Where the next page starts; null on the last. */
  declare readonly nextCursor: string | null;

  readonly #next: (() => Promise<this>) | null;

  /** @param next fetches the page that follows; null on the last page. */
  constructor(data: PageData<UsagePage<Item>>, next: (() => Promise<UsagePage<Item>>) | null) {
    Object.assign(this, data);
    this.#next = next as (() => Promise<this>) | null;
  }

  /** Whether more items follow. */
  hasNextPage(): boolean {
    return this.#next !== null;
  }

  /**
   * Fetches the page that follows, with the options of the call that brought this one.
   *
   * @throws {@link InvalidRequestError} on the last page, and what a call throws.
   */
  async getNextPage(): Promise<this> {
    if (!this.#next) throw new InvalidRequestError("this is the last page");
    return this.#next();
  }

  /**
   * The page as plain data. `JSON.stringify` and React's server components take it by themselves; hand them this where
   * they look for an iterator first, as they do with a promise of a page.
   */
  toJSON(): PageData<this> {
    return { ...this };
  }

  /** The items of this page alone: `for (const item of page)`, `Array.from(page)`. */
  [Symbol.iterator](): IterableIterator<Item> {
    return this.items[Symbol.iterator]();
  }

  /** The items of this page and of all that follow: `for await (const item of page)`. */
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
  /** The part of the total that lacks the tag; null where the server does not say. */
  declare readonly untagged: UntaggedUsage | null;
}

/** A page of usage by sandbox. */
export class SandboxUsagePage extends UsagePage<SandboxUsageItem> {
  /** The dimension; null where the server does not name it. */
  declare readonly groupBy: "sandbox" | null;
}

/**
 * The promise of a page that is also an async iterable over the items of all pages.
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
  /** What `then` returns is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** The items of this page and of all that follow. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    yield* await this;
  }
}
