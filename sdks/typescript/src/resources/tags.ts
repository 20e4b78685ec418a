import type { Connection } from "../connection.js";
import { reading } from "../core.js";
import { InvalidRequestError, UnsupportedByServerError } from "../errors.js";
import type {
  ChangeTags,
  RequestOptions,
  SandboxTags,
  SetTagsOptions,
  TagKey,
  TagsOf,
} from "../types.js";
import { bind, part } from "../values.js";

/**
 * The `ifMatch` that makes a write depend on the tags that were read.
 *
 * @throws {@link UnsupportedByServerError} where the server sent no entity tag: the write would be unconditional.
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
   * Every tag key in use, ordered by its UTF-8 bytes.
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
   * The tags of a sandbox.
   *
   * @throws {@link NotFoundError} where there is no such sandbox, {@link InvalidRequestError}, {@link APIError},
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
   * Replaces all user tags of a sandbox; `{}` clears them. Without `ifMatch` the last writer wins: to change some of the
   * tags, {@link TagsApi.update} is safer.
   *
   * @throws {@link TagValidationError} with every violation, before anything is sent; {@link ConflictError} where
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
    const [ifMatch, others] = reading(() => part(options, "ifMatch"));
    const args = { sandboxId, tags, ifMatch };
    return this.#connection.call("tags.set", args, undefined, others as RequestOptions | undefined);
  }

  /**
   * Reads a sandbox's user tags, changes them and writes them back, again if someone else wrote in between.
   *
   * @param change gets the user tags and returns what they shall become. It may be called several times, so it
   * must not do anything else; what it throws rejects the call.
   * @throws {@link ConflictError} where others wrote in between until the time of the call was up, else as
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
