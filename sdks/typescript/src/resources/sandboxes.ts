import type { Connection } from "../connection.js";
import { type FetchNext, type PagePromise, SandboxPage, type SandboxPageData } from "../page.js";
import type { RequestOptions, Sandbox, SandboxesQuery } from "../types.js";
import { bind } from "../values.js";

/** Sandboxes and their tags. */
export class SandboxesApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    bind(this, SandboxesApi);
  }

  /**
   * Lists sandboxes, newest first; by default those that are running. The page is an array of sandboxes.
   *
   * @throws {@link InvalidRequestError}, {@link APIError}, {@link ConnectionError}, {@link UnsupportedByServerError} if
   * the server ignored a part of the query. The promise rejects; the method itself never throws.
   * @example
   * ```ts
   * const newest = await client.sandboxes.list();
   * for await (const { sandboxID } of client.sandboxes.list({ filter: { "tag:team": ["payments"] }, state: "all" })) {
   *   console.log(sandboxID);
   * }
   * ```
   */
  list(query?: SandboxesQuery, requestOptions?: RequestOptions): PagePromise<SandboxPage, Sandbox> {
    const make = (data: SandboxPageData, next: FetchNext<SandboxPage>) =>
      new SandboxPage(data, next);
    return this.#connection.pages(make, "sandboxes.list", {}, query, requestOptions);
  }

  /**
   * Returns one sandbox.
   *
   * @throws {@link NotFoundError} if the sandbox does not exist, {@link InvalidRequestError}, {@link APIError},
   * {@link ConnectionError}.
   * @example
   * ```ts
   * const { status } = await client.sandboxes.get("sb-1");
   * ```
   */
  get(sandboxId: string, requestOptions?: RequestOptions): Promise<Sandbox> {
    return this.#connection.call("sandboxes.get", { sandboxId }, undefined, requestOptions);
  }
}
