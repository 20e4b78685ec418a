import { Connection } from "./connection.js";
import { TagsApi } from "./resources/tags.js";
import { UsageApi } from "./resources/usage.js";

/**
 * Usage reports, in the shape of the platform's own SDK. New code is better served by {@link UsageClient}.
 *
 * @example
 * ```ts
 * const page = await new Usage("https://api.example.com", "oc_…").byTag("team");
 * ```
 */
export class Usage extends UsageApi {
  /** @throws {@link InvalidRequestError} for a URL or a key that breaks a rule. */
  constructor(apiUrl: string, apiKey: string) {
    super(new Connection({ baseUrl: apiUrl, apiKey }));
  }
}

/**
 * Tags, in the shape of the platform's own SDK. New code is better served by {@link UsageClient}.
 *
 * @example
 * ```ts
 * await new Tags("https://api.example.com", "oc_…").set("sb-1", { team: "payments" });
 * ```
 */
export class Tags extends TagsApi {
  /** @throws {@link InvalidRequestError} for a URL or a key that breaks a rule. */
  constructor(apiUrl: string, apiKey: string) {
    super(new Connection({ baseUrl: apiUrl, apiKey }));
  }
}
