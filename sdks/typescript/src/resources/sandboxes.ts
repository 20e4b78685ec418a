import type { Connection } from "../connection.js";
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
   * Lists the newest 100 running sandboxes.
   *
   * @throws {@link InvalidRequestError}, {@link APIError}, {@link ConnectionError}.
   * @example
   * ```ts
   * for (const { sandboxID, tags } of await client.sandboxes.list()) console.log(sandboxID, tags);
   * ```
   */
  list(query?: SandboxesQuery, requestOptions?: RequestOptions): Promise<Sandbox[]> {
    return this.#connection.call("sandboxes.list", {}, query, requestOptions);
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
