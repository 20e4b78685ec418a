// The list of sandboxes and one sandbox, against the API.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OTHER_TEAM, RUNAWAY, SAMPLED } from "./fleet.js";
import { closeBrowser, openView, place } from "./page.js";
import { ENGINES, start } from "./server.js";

const exact = new Intl.NumberFormat("en-US", { maximumFractionDigits: 9 });
const DAY = 86_400_000;
/** @param {number} ago */
const date = (ago) => new Date(Date.now() - ago * DAY).toISOString().slice(0, 10);

/** The ids of the rows. @param {import("playwright-core").Page} page */
const idsOf = (page) => page.locator(".sandbox-table tbody th[scope=row]").allInnerTexts();

after(closeBrowser);

for (const engine of ENGINES) {
  describe(engine, () => {
    /** @type {import("./server.js").Server} */
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server.remove());

    test("the pages of the list are those of the API", async (t) => {
      const all = (await server.api("/api/sandboxes?state=all&limit=500")).map(
        (/** @type {any} */ { sandboxID }) => sandboxID,
      );
      const { page } = await openView(t, server, "/sandboxes?state=all");
      await page.getByText("100 on this page, newest first").waitFor();
      assert.deepEqual(await idsOf(page), all.slice(0, 100));
      await page.getByRole("link", { name: "Next" }).click();
      await page.getByText(`${all.length - 100} on this page`).waitFor();
      assert.deepEqual(await idsOf(page), all.slice(100));
      assert.match(place(page), /^\/sandboxes\?state=all&cursor=/);
      await page.reload();
      await page.getByText(`${all.length - 100} on this page`).waitFor();
      await page.getByRole("link", { name: /^(Previous|First page)$/ }).click();
      await page.getByText("100 on this page").waitFor();
      assert.equal(place(page), "/sandboxes?state=all");
    });

    test("the list shows running sandboxes first, and says when nothing matches", async (t) => {
      const { page } = await openView(t, server, "/sandboxes");
      await page.locator(".sandbox-table").getByText(RUNAWAY).waitFor();
      assert.ok(!(await idsOf(page)).includes("sb-gone"));
      assert.ok(!(await page.content()).includes(OTHER_TEAM));
      await page.goto(`${server.url}/sandboxes?filter[tag:team]=legacy`);
      await page.getByRole("heading", { name: "No sandbox matches" }).waitFor();
      await page.getByRole("button", { name: "Show all" }).click();
      await page.locator(".sandbox-table").getByText("sb-gone").waitFor();
      assert.equal(place(page), "/sandboxes?filter[tag:team]=legacy&state=all");
    });

    test("the amounts of a sandbox equal the API's, and its used memory is measured", async (t) => {
      const query = `from=${date(1)}&to=${date(0)}`;
      const usage = await server.api(
        `/api/sandboxes/${SAMPLED}/usage?${query}&timezone=UTC&interval=1h`,
      );
      const { page } = await openView(t, server, `/sandboxes/${SAMPLED}?${query}&interval=1h`);
      const fact = (/** @type {string} */ name) =>
        page.locator(".facts > div", { has: page.getByText(name, { exact: true }) });
      await fact("Allocated memory").getByText("GB-hours").first().waitFor();
      const { totals } = usage;
      assert.ok(totals.memoryUsedGbSeconds > 0);
      for (const [name, amount] of [
        ["Allocated memory", totals.memoryAllocatedGbSeconds],
        ["Used memory", totals.memoryUsedGbSeconds],
        ["Disk overage", usage.diskOverageGbSeconds],
      ]) {
        const html = await fact(name).innerHTML();
        assert.ok(html.includes(`${exact.format(amount)} GB-seconds`), `${name}: ${html}`);
      }
      const share = new Intl.NumberFormat("en-US", { style: "percent", minimumFractionDigits: 1 });
      const shown = (await fact("Used of allocated").locator("dd").innerText()).trim();
      const { memoryUsedGbSeconds: used, memoryAllocatedGbSeconds: allocated } = totals;
      assert.equal(shown, share.format(used / allocated));
      assert.match(await fact("Last end").innerText(), /still open|not in this window/);
      await page.getByRole("button", { name: "Show data as table" }).click();
      assert.equal(await page.locator(".chart-table tbody tr").count(), 24);
    });

    test("a torn-down sandbox has its last end, and an unknown one is not found", async (t) => {
      const { page, expectMessage } = await openView(t, server, "/sandboxes/sb-gone");
      await page.locator(".facts").getByText("Last end").waitFor();
      await page.locator(".facts time").last().waitFor();
      const ended = `${date(10)}T00:00:00Z`;
      const times = page.locator(".facts time");
      const instants = await times.evaluateAll((times) =>
        times.map((time) => Date.parse(time.getAttribute("datetime") ?? "")),
      );
      assert.ok(instants.includes(Date.parse(ended)), JSON.stringify(instants));
      expectMessage(/status of 404/);
      await page.goto(`${server.url}/sandboxes/sb-none`);
      await page.getByRole("heading", { name: "Sandbox not found" }).waitFor();
      // The other org has a sandbox of this name with another template.
      await page.goto(`${server.url}/sandboxes/${RUNAWAY}`);
      await page.getByText("desktop").first().waitFor();
      assert.ok(!(await page.content()).includes(OTHER_TEAM));
    });

    test("an address with a malformed id is not a page, and the way out of it works", async (t) => {
      const { page } = await openView(t, server, "/sandboxes/%");
      await page.getByRole("heading", { name: "Page not found" }).waitFor();
      await page.getByRole("link", { name: "Go to usage" }).click();
      await page.getByRole("heading", { name: "Usage" }).waitFor();
    });

    test("a server that is stopped is reported in the list, which is back after a retry", async (t) => {
      const { page, expectMessage } = await openView(t, server, "/sandboxes");
      expectMessage(/ERR_CONNECTION/);
      await page.locator(".sandbox-table").getByText(RUNAWAY).waitFor();
      await server.stop();
      await page.getByRole("radio", { name: "All" }).check({ force: true });
      await page.getByRole("alert").getByText("cannot be reached").waitFor({ timeout: 30_000 });
      await server.restart();
      await page.getByRole("button", { name: /retry|again/i }).click();
      await page
        .locator(".sandbox-table")
        .getByText("sb-gone")
        .or(page.getByText("100 on this page"))
        .first()
        .waitFor();
    });
  });
}
