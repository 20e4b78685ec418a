// Cancels calls of the live server at random times, in bursts. Runs in Node.js and in a page.

/** The number of concurrent calls. Chromium opens six connections to a host; the others wait for one. */
const BURST = 12;
/** The longest time before a call is cancelled. Short enough to hit the server at every stage of a response. */
const MAX_DELAY_MS = 15;

/**
 * Makes calls until enough of them have been cancelled.
 *
 * @param {typeof import("@opencomputer/usage")} sdk
 * @param {{ baseUrl: string, apiKey: string, wanted: number }} config `wanted` is the number of cancelled calls
 */
export async function cancelCalls(sdk, { baseUrl, apiKey, wanted }) {
  const options = { baseUrl, apiKey, dangerouslyAllowBrowser: true, maxRetries: 0 };
  const client = new sdk.UsageClient(options);
  const to = new Date(Date.now() - 86_400_000);
  const [first] = (await client.usage.bySandbox({ to, limit: 1 })).items;
  const id = first?.sandboxId ?? "";
  const tags = sdk.userTags((await client.tags.get(id)).tags);

  /** The responses that the calls do not change: the window is over, and only one tag is written. */
  const answers = async () => {
    const teams = await client.usage.byTag("team", { to, limit: 500 });
    const sandboxes = await client.usage.bySandbox({ to, limit: 500 });
    const rows = sandboxes.items.map(({ sandboxId, memoryGbSeconds }) => [
      sandboxId,
      memoryGbSeconds,
    ]);
    return JSON.stringify([teams.total, teams.untagged, teams.items, rows]);
  };
  const before = await answers();

  let written = 0;
  /** @type {readonly ((options: { signal: AbortSignal }) => PromiseLike<unknown>)[]} */
  const calls = [
    (options) => client.usage.byTag("team", { to }, options),
    (options) => client.usage.bySandbox({ to }, options),
    (options) => client.usage.forSandbox(id, { to }, options),
    (options) => client.tags.listKeys(options),
    (options) => client.tags.set(id, { ...tags, cancelled: `${written++}` }, options),
    (options) => client.tags.update(id, (tags) => ({ ...tags, updated: "yes" }), options),
  ];
  let cancelled = 0;
  const failures = [];
  for (let made = 0; cancelled < wanted && failures.length === 0; ) {
    const burst = Array.from({ length: BURST }, async () => {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), Math.random() * MAX_DELAY_MS);
      try {
        await calls[made++ % calls.length]?.({ signal: controller.signal });
      } catch (error) {
        if (error === controller.signal.reason) cancelled++;
        else failures.push(String(error));
      } finally {
        clearTimeout(timer);
      }
    });
    await Promise.all(burst);
  }

  await client.tags.set(id, { ...tags, cancelled: "never" });
  const after = sdk.userTags((await client.tags.get(id)).tags);
  /** @param {Record<string, string>} tags */
  const text = (tags) => JSON.stringify(Object.entries(tags).sort());
  return {
    failures,
    enough: cancelled >= wanted,
    answersStayed: (await answers()) === before,
    writesStayed: text(after) === text({ ...tags, cancelled: "never" }),
  };
}

/** The expected result. */
export const SURVIVED = { failures: [], enough: true, answersStayed: true, writesStayed: true };
