// Uses the package in any runtime: validates tags, builds a request, walks pages of the live server.

/**
 * @param {typeof import("@opencomputer/usage")} sdk
 * @param {typeof import("@opencomputer/usage/validate")} pure
 * @param {{ baseUrl: string, apiKey: string }} server
 */
export async function probe(sdk, pure, { baseUrl, apiKey }) {
  const options = { baseUrl, apiKey, dangerouslyAllowBrowser: true };

  let built = "";
  /** @param {string} url */
  const fetch = async (url) => {
    built = url.replace(baseUrl, "");
    return Response.json({ error: "no", code: "sandbox_not_found" }, { status: 404 });
  };
  const refused = await new sdk.UsageClient({ ...options, fetch }).usage
    .forSandbox("a b/😀", { from: new Date(0) })
    .catch((error) => error);

  const client = new sdk.UsageClient(options);
  const first = await client.usage.bySandbox({ limit: 40 });
  const walked = new Set();
  let items = 0;
  let memoryGbSeconds = 0;
  for await (const item of first) {
    walked.add(item.sandboxId);
    items++;
    memoryGbSeconds += item.memoryGbSeconds;
  }
  return {
    valid: sdk.validateTags({ team: "payments", "team:name": "zażółć 😀" }),
    invalid: pure.validateTags({ "oc:team": "\ud800" }).map(({ code }) => code),
    maxTags: pure.LIMITS.maxTags,
    built,
    refused: refused instanceof sdk.NotFoundError && refused instanceof pure.OpenComputerError,
    morePages: first.hasNextPage(),
    shownOnce: items > first.items.length && items === walked.size,
    addsUp: Math.abs(memoryGbSeconds / first.total.memoryGbSeconds - 1) < 1e-9,
  };
}

/** The result in every runtime. */
export const FOUND = {
  valid: [],
  invalid: ["key_reserved_prefix", "value_not_unicode"],
  maxTags: 50,
  built: "/api/sandboxes/a%20b%2F%F0%9F%98%80/usage?from=1970-01-01T00%3A00%3A00Z",
  refused: true,
  morePages: true,
  shownOnce: true,
  addsUp: true,
};
