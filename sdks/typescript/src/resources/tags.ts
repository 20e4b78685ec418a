import type { Connection } from "../connection.js";
import { readInput } from "../core.js";
import { InvalidRequestError, UnsupportedByServerError } from "../errors.js";
import { type FetchNext, type PagePromise, TagValuePage } from "../page.js";
import type {
  ChangeTags,
  RequestOptions,
  SandboxTags,
  SetTagsOptions,
  TagKey,
  TagsOf,
  TagValue,
  TagValuesQuery,
} from "../types.js";
import { bind, takeOption } from "../values.js";

/**
 * Returns the `ifMatch` that makes a write conditional on the tags that were read.
 *
 * @throws {@link UnsupportedByServerError} if the server sent no entity tag, because the write would be unconditional.
 * @example
 * ```ts
 * const state = await client.tags.get("sb-1");
 * await client.tags.set("sb-1", { ...userTags(state.tags), env: "prod" }, { ifMatch: condition(state) });
 * ```
 */
export function condition(state: Pick<SandboxTags, "etag">): string {
  if (state.etag !== null) return state.etag;
  throw new UnsupportedByServerError(
    "the server sent no `ETag` with these tags, so a write cannot depend on them",
  );
}

/** Tags of sandboxes. */
export class TagsApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    bind(this, TagsApi);
  }

  /**
   * Lists the tag keys in use, ordered by their UTF-8 bytes.
   *
   * @throws {@link APIError}, {@link ConnectionError}.
   * @example
   * ```ts
   * for (const { key, sandboxCount } of await client.tags.listKeys()) console.log(key, sandboxCount);
   * ```
   */
  listKeys(requestOptions?: RequestOptions): Promise<TagKey[]> {
    return this.#connection.call("tags.list_keys", {}, undefined, requestOptions);
  }

  /**
   * Lists the values of a tag key, ordered by their UTF-8 bytes. A key that is not in use has none.
   *
   * @throws {@link InvalidRequestError}, {@link APIError}, {@link ConnectionError}. The promise rejects; the method
   * itself never throws.
   * @example
   * ```ts
   * for await (const { value, sandboxCount } of client.tags.listValues("team", { prefix: "pay" })) {
   *   console.log(value, sandboxCount);
   * }
   * ```
   */
  listValues(
    key: string,
    query?: TagValuesQuery,
    requestOptions?: RequestOptions,
  ): PagePromise<TagValuePage, TagValue> {
    return this.#connection.pages(valuePage, "tags.list_values", { key }, query, requestOptions);
  }

  /**
   * Returns the tags of a sandbox.
   *
   * @throws {@link NotFoundError} if the sandbox does not exist, {@link InvalidRequestError}, {@link APIError},
   * {@link ConnectionError}.
   * @example
   * ```ts
   * const { tags, etag } = await client.tags.get("sb-1");
   * ```
   */
  get(sandboxId: string, requestOptions?: RequestOptions): Promise<SandboxTags> {
    return this.#connection.call("tags.get", { sandboxId }, undefined, requestOptions);
  }

  /**
   * Replaces all user tags of a sandbox; `{}` clears them. Without `ifMatch`, the last writer wins. Prefer
   * {@link TagsApi.update} to change some of the tags.
   *
   * @throws {@link TagValidationError} with every violation, before anything is sent; {@link ConflictError} if
   * the tags are no longer those of `ifMatch`; else as {@link TagsApi.get} does.
   * @example
   * ```ts
   * await client.tags.set("sb-1", { team: "payments" });
   * ```
   */
  async set<T extends object>(
    sandboxId: string,
    tags: T & TagsOf<T>,
    options?: SetTagsOptions,
  ): Promise<SandboxTags> {
    const [ifMatch, others] = readInput(() => takeOption(options, "ifMatch"));
    const args = { sandboxId, tags, ifMatch };
    return this.#connection.call("tags.set", args, undefined, others as RequestOptions | undefined);
  }

  /**
   * Reads a sandbox's user tags, changes them and writes them back; starts over if another writer came in between.
   *
   * @param change receives the user tags and returns the new ones. It may be called several times, so it must be
   * pure. An error that it throws rejects the call.
   * @throws {@link ConflictError} if other writers came in between until the timeout of the call, else as
   * {@link TagsApi.set} does.
   * @example
   * ```ts
   * await client.tags.update("sb-1", (tags) => ({ ...tags, env: "prod" }));
   * ```
   */
  async update(
    sandboxId: string,
    change: ChangeTags,
    requestOptions?: RequestOptions,
  ): Promise<SandboxTags> {
    if (typeof change !== "function") {
      throw new InvalidRequestError("`change` must be a function from tags to tags");
    }
    return this.#connection.call("tags.update", { sandboxId }, undefined, requestOptions, change);
  }
}

/** The response, whose items are called `values`. */
interface ValuesData {
  readonly key: string;
  readonly values: readonly TagValue[];
  readonly nextCursor: string | null;
}

function valuePage({ values: items, ...page }: ValuesData, next: FetchNext<TagValuePage>) {
  return new TagValuePage({ ...page, items }, next);
}
