import { InvalidRequestError } from "./errors.js";
import type {
  GroupUsageItem,
  Sandbox,
  SandboxUsageItem,
  TagUsageItem,
  TagValue,
  UntaggedUsage,
  UsageTotals,
} from "./types.js";

/** A page without its methods: plain data that can be serialized or passed to a client component. */
export type PageData<P> = Omit<
  P,
  "hasNextPage" | "getNextPage" | "toJSON" | typeof Symbol.iterator | typeof Symbol.asyncIterator
>;

/** Fetches the page after a page; null on the last page. */
export type FetchNext<P> = (() => Promise<P>) | null;

/** A page of a list of any kind: its items, and the way to the next page. */
export interface ListPage<Item> extends Iterable<Item>, AsyncIterable<Item> {
  /** The items of this page, in order. */
  readonly items: readonly Item[];
  /** The cursor of the next page; null on the last page. */
  readonly nextCursor: string | null;
  /** Returns whether there is a next page. */
  hasNextPage(): boolean;
  /**
   * Fetches the next page with the options of this page's call.
   *
   * @throws {@link InvalidRequestError} on the last page, else as the call does.
   */
  getNextPage(): Promise<this>;
}

/** A page of a list, as an object. A page of sandboxes is an array instead. */
export abstract class Page<Item> implements ListPage<Item> {
  /** The items of this page, in order. */
  declare readonly items: readonly Item[];
  /** The cursor of the next page; null on the last page. */
  declare readonly nextCursor: string | null;

  readonly #next: FetchNext<this>;

  /** @param next fetches the next page; null on the last page. */
  constructor(data: PageData<Page<Item>>, next: FetchNext<Page<Item>>) {
    Object.assign(this, data);
    this.#next = next as FetchNext<this>;
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
  getNextPage(): Promise<this> {
    return follow(this.#next);
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
  [Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    return walk(this);
  }
}

/**
 * A page of a usage report. All pages of a walk share one window and one `asOf`.
 *
 * @example
 * ```ts
 * for await (const item of page) console.log(item.memoryGbSeconds); // this page and all that follow
 * ```
 */
export abstract class UsagePage<Item, Extra = unknown> extends Page<Item & Extra> {
  /** Start of the window, inclusive. */
  declare readonly from: string;
  /** End of the window, exclusive. */
  declare readonly to: string;
  /** The instant at which running sandboxes were measured; null from the platform's own servers. */
  declare readonly asOf: string | null;
  /** Usage of everything that matches the window and the filters, not only of this page. */
  declare readonly total: UsageTotals & Extra;
}

/** A page of usage by the values of a tag. With an interval, `Extra` is {@link WithSeries}. */
export class TagUsagePage<Extra = unknown> extends UsagePage<TagUsageItem, Extra> {
  /** The dimension. */
  declare readonly groupBy: `tag:${string}`;
  /** The usage of sandboxes without the tag; null if the server does not report it. */
  declare readonly untagged: (UntaggedUsage & Extra) | null;
}

/** A page of usage by sandbox. With an interval, `Extra` is {@link WithSeries}. */
export class SandboxUsagePage<Extra = unknown> extends UsagePage<SandboxUsageItem, Extra> {
  /** The dimension; null if the server does not report it. */
  declare readonly groupBy: "sandbox" | null;
}

/** A page of usage by several dimensions, or by one that is neither `sandbox` nor a tag. */
export class GroupUsagePage<Dimension extends string = string, Extra = unknown> extends UsagePage<
  GroupOf<Dimension>,
  Extra
> {
  /** The dimensions, separated by commas. */
  declare readonly groupBy: string;
  /** The usage of sandboxes that lack every dimension; null if the server does not report it. */
  declare readonly untagged: (UntaggedUsage & Extra) | null;
}

/** An item of a report by these dimensions. */
export type GroupOf<Dimension extends string> = GroupUsageItem & {
  /** The value of each dimension; null where the sandboxes lack it. */
  readonly group: Readonly<Record<Dimension, string | null>>;
};

/** A page of the values of a tag key. */
export class TagValuePage extends Page<TagValue> {
  /** The key. */
  declare readonly key: string;
}

/**
 * A page of sandboxes: an array of them, with the methods of a page.
 *
 * @example
 * ```ts
 * const page = await client.sandboxes.list();
 * console.log(page.length, page.map(({ sandboxID }) => sandboxID), page.hasNextPage());
 * ```
 */
export class SandboxPage extends Array<Sandbox> implements ListPage<Sandbox> {
  readonly #items: readonly Sandbox[];
  readonly #nextCursor: string | null;
  readonly #next: FetchNext<this>;

  /** @param next fetches the next page; null on the last page. */
  constructor({ items, nextCursor }: SandboxPageData, next: FetchNext<SandboxPage>) {
    super();
    // One at a time, because a call with very many arguments overflows the stack.
    for (const item of items) this.push(item);
    this.#items = items;
    this.#nextCursor = nextCursor;
    this.#next = next as FetchNext<this>;
  }

  /** Makes `map`, `filter` and `slice` return plain arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** The sandboxes of this page, in order. */
  get items(): readonly Sandbox[] {
    return this.#items;
  }

  /** The cursor of the next page; null on the last page. */
  get nextCursor(): string | null {
    return this.#nextCursor;
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
  getNextPage(): Promise<this> {
    return follow(this.#next);
  }

  /** Iterates over the sandboxes of this page and all following pages. */
  [Symbol.asyncIterator](): AsyncGenerator<Sandbox, void, undefined> {
    return walk(this);
  }
}

/** The sandboxes of a page, and the cursor of the next page. */
export interface SandboxPageData {
  /** The sandboxes, in order. */
  readonly items: readonly Sandbox[];
  /** The cursor of the next page; null on the last page. */
  readonly nextCursor: string | null;
}

async function follow<P>(next: FetchNext<P>): Promise<P> {
  if (!next) throw new InvalidRequestError("this is the last page");
  return next();
}

async function* walk<Item>(first: ListPage<Item>): AsyncGenerator<Item, void, undefined> {
  for (let page = first; ; page = await page.getNextPage()) {
    yield* page.items;
    if (!page.hasNextPage()) return;
  }
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
export class PagePromise<P, Item> extends Promise<P> implements AsyncIterable<Item> {
  /** Makes `then` return a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Iterates over the items of this page and all following pages. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    yield* (await this) as AsyncIterable<Item>;
  }
}
