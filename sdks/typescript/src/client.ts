import { type ClientOptions, Connection } from "./connection.js";
import { SandboxesApi } from "./resources/sandboxes.js";
import { TagsApi } from "./resources/tags.js";
import { UsageApi } from "./resources/usage.js";

/**
 * A client of the usage API.
 *
 * @example
 * ```ts
 * const client = new UsageClient({ apiKey: "oc_…", baseUrl: "https://api.example.com" });
 * const page = await client.usage.byTag("team");
 * ```
 */
export class UsageClient {
  /** Usage reports. */
  readonly usage: UsageApi;
  /** Tags of sandboxes. */
  readonly tags: TagsApi;
  /** Sandboxes. */
  readonly sandboxes: SandboxesApi;

  /**
   * @throws {@link InvalidRequestError} for an unknown or invalid option, if the key or the URL is missing, and in a
   * browser without `dangerouslyAllowBrowser`.
   */
  constructor(options?: ClientOptions) {
    const connection = new Connection(options);
    this.usage = new UsageApi(connection);
    this.tags = new TagsApi(connection);
    this.sandboxes = new SandboxesApi(connection);
  }
}
