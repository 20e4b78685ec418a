// The usage view against the API: amounts, pages, the chart and the CSV file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { HOSTILE, JOBS, OTHER_TEAM, RUNAWAY } from "./fleet.js";
import { closeBrowser, openView, place } from "./page.js";
import { ENGINES, start } from "./server.js";

const exact = new Intl.NumberFormat("en-US", { maximumFractionDigits: 9 });
/** @param {number} amount */
const gbSeconds = (amount) => `${exact.format(amount)} GB-seconds`;

/** A window of whole days that has ended, so that its amounts do not change. @param {number} days */
function pastWindow(days) {
  const date = (/** @type {number} */ ago) =>
    new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  return `from=${date(days)}&to=${date(0)}`;
}

/** @param {import("playwright-core").Page} page */
const settled = (page) => page.locator(".usage[aria-busy=false] .check time").waitFor();

/** The rows of the table: the texts of the cells, and what the amounts tell on hover. @param {import("playwright-core").Page} page */
const rowsOf = (page) =>
  page.locator(".usage-table tr:has(td)").evaluateAll((rows) =>
    rows.map((row) => ({
      values: [...row.querySelectorAll(".value")].map((cell) => cell.textContent?.trim() ?? ""),
      amounts: [...row.querySelectorAll(".amount")].map((cell) => cell.getAttribute("title")),
      shown: [...row.querySelectorAll(".amount")].map((cell) => cell.textContent),
      count: row.querySelector(".count")?.textContent ?? null,
    })),
  );

/** Calls the API for every page. @param {import("./server.js").Server} server @param {string} query */
async function walk(server, query) {
  const pages = [await server.api(`/api/usage?${query}`)];
  while (pages.at(-1).nextCursor)
    pages.push(await server.api(`/api/usage?${query}&cursor=${pages.at(-1).nextCursor}`));
  return { ...pages[0], items: pages.flatMap(({ items }) => items), pages };
}

/** @param {any} amounts */
const titles = (amounts) => [
  gbSeconds(amounts.memoryGbSeconds),
  gbSeconds(amounts.diskOverageGbSeconds),
];

after(closeBrowser);

for (const engine of ENGINES) {
  describe(engine, () => {
    /** @type {import("./server.js").Server} */
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server.remove());

    for (const groupBy of ["tag:team", "template", "tag:team,region,status"]) {
      test(`the amounts by ${groupBy} equal the API's`, async (t) => {
        const query = `${pastWindow(14)}&groupBy=${groupBy}`;
        const report = await walk(server, `${query}&timezone=UTC`);
        const { page } = await openView(t, server, `/?${query}`);
        await settled(page);
        const rows = await rowsOf(page);
        const expected = report.items.map((/** @type {any} */ item) => ({
          amounts: titles(item),
          count: exact.format(item.sandboxCount),
        }));
        assert.deepEqual(
          rows.slice(0, -2).map(({ amounts, count }) => ({ amounts, count })),
          expected,
        );
        const [untagged, total] = rows.slice(-2);
        assert.deepEqual(untagged?.amounts, titles(report.untagged));
        assert.deepEqual(total?.amounts, titles(report.total));
        const hours = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
        assert.equal(total?.shown[0], hours.format(report.total.memoryGbSeconds / 3600));
        const tile = page.locator(".tiles > div").first();
        assert.ok((await tile.innerText()).includes(total?.shown[0] ?? ""));
        assert.equal(
          await tile.getByRole("tooltip", { includeHidden: true }).textContent(),
          gbSeconds(report.total.memoryGbSeconds),
        );
        assert.match(await page.locator(".check").innerText(), /add up to the total\. Measured at/);
      });
    }

    test("sandboxes are ordered and paged as by the API, and the pages add up", async (t) => {
      const query = `${pastWindow(14)}&groupBy=sandbox&sort=-diskOverageGbSeconds`;
      const report = await walk(server, `${query}&timezone=UTC`);
      assert.equal(report.pages.length, 3);
      const { page } = await openView(t, server, `/?${query}`);
      const seen = [];
      for (const [at, { items }] of report.pages.entries()) {
        await page.getByText(`Page ${at + 1}`, { exact: true }).waitFor();
        await page.locator(".usage-body:not(.stale)").waitFor();
        await page.getByRole("cell", { name: items[0].sandboxId }).first().waitFor();
        const rows = (await rowsOf(page)).slice(0, -1);
        assert.deepEqual(
          rows.map(({ amounts }) => amounts),
          items.map(titles),
        );
        seen.push(...rows.map(({ values }) => values[0]?.split(" ")[0]));
        if (items !== report.pages.at(-1).items)
          await page.getByRole("link", { name: "Next" }).click();
      }
      assert.deepEqual(
        seen,
        report.items.map((/** @type {any} */ item) => item.sandboxId),
      );
      assert.ok(new URL(page.url()).searchParams.get("cursor"));
      const last = place(page);
      await page.reload();
      await page.getByText("Page 3", { exact: true }).waitFor();
      assert.equal(place(page), last);
      await page.goBack();
      await page.getByText("Page 2", { exact: true }).waitFor();
      await page.getByRole("link", { name: "First" }).click();
      await page.getByText("Page 1", { exact: true }).waitFor();
      assert.equal(place(page), `/?${query}`);
    });

    test("a page of more than fifty groups shows how many there are", async (t) => {
      const { page } = await openView(t, server, "/?groupBy=tag:job&limit=100");
      await settled(page);
      assert.equal((await rowsOf(page)).length, 102);
      await page.getByRole("link", { name: "Next" }).click();
      await page.getByText("Page 2", { exact: true }).waitFor();
      await page.locator(".usage-body:not(.stale)").waitFor();
      await page.locator(".tiles > div", { hasText: `Groups${JOBS}` }).waitFor();
    });

    test("a click on a group of the legend, the table and the chart filters by it", async (t) => {
      const { page } = await openView(t, server, `/?${pastWindow(14)}&groupBy=tag:team`);
      await settled(page);
      const filtered = `/?${pastWindow(14)}&groupBy=tag:team&filter[tag:team]=growth`;
      await page.locator(".legend").getByRole("button", { name: "growth" }).click();
      await page.waitForURL((url) => url.search.includes("filter"));
      assert.equal(place(page), filtered);
      await page.goBack();
      await settled(page);
      await page.locator(".usage-table").getByRole("link", { name: "growth" }).click();
      await page.waitForURL((url) => url.search.includes("filter"));
      assert.equal(place(page), filtered);
      await page.goBack();
      await settled(page);
      const plot = page.getByRole("application");
      await plot.focus();
      await plot.press("ArrowRight");
      await plot.press("ArrowUp");
      await plot.press("Enter");
      await page.waitForURL((url) => url.search.includes("filter"));
      assert.match(place(page), /&filter\[tag:team\]=\w+$/);
    });

    test("the chart as a table has the series of the API, and marks the bucket that has not ended", async (t) => {
      const { page } = await openView(t, server, "/?period=7d&groupBy=tag:team");
      await settled(page);
      await page.getByRole("button", { name: "Show data as table" }).click();
      const rows = page.locator(".chart-table tbody tr");
      assert.equal(await rows.count(), 7);
      assert.match(await rows.last().innerText(), /partial/);
      const from = new Date(Date.now() - 6 * 86_400_000).toISOString().slice(0, 10);
      const query = `groupBy=tag:team&interval=1d&timezone=UTC&from=${from}`;
      const { items, total } = await server.api(`/api/usage?${query}`);
      const cells = await rows.evaluateAll((rows) =>
        rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.title)),
      );
      for (const [at, cell] of cells.slice(0, -1).entries()) {
        assert.equal(cell[0], gbSeconds(total.series.memoryGbSeconds[at]));
        assert.equal(cell[1], gbSeconds(items[0].series.memoryGbSeconds[at]));
      }
    });

    test("the runaway is two clicks from the team whose spend jumped, and marked as retagged", async (t) => {
      const { page } = await openView(t, server, "/?period=7d&groupBy=tag:team");
      await settled(page);
      const growth = page.locator(".usage-table tbody tr").first();
      assert.match(await growth.innerText(), /growth/);
      await growth.getByRole("link", { name: "4" }).click();
      await page.getByRole("columnheader", { name: "Status" }).waitFor();
      await settled(page);
      const first = page.locator(".usage-table tbody tr").first();
      assert.match(await first.innerText(), /retagged/);
      await first.getByRole("button", { name: "retagged" }).focus();
      await page
        .getByText(/All usage of a sandbox belongs to the tags that it has now/)
        .first()
        .waitFor();
      await first.getByRole("link", { name: RUNAWAY }).click();
      await page.getByRole("heading", { name: RUNAWAY }).waitFor();
      assert.equal(place(page), `/sandboxes/${RUNAWAY}`);
    });

    test("nothing of another org is shown", async (t) => {
      const { page } = await openView(t, server, "/?groupBy=tag:team&limit=500");
      await settled(page);
      assert.ok(!(await page.content()).includes(OTHER_TEAM));
    });

    test("the CSV file has the amounts of the API, and no cell is a formula", async (t) => {
      const query = `${pastWindow(14)}&groupBy=tag:note`;
      const report = await walk(server, `${query}&timezone=UTC`);
      const { page } = await openView(t, server, `/?${query}`);
      await settled(page);
      // The change against the window before comes after the rest.
      await page.locator(".usage-table .total .change:not(:empty)").waitFor();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download CSV" }).click(),
      ]);
      assert.match(
        download.suggestedFilename(),
        /^usage-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d-page-1\.csv$/,
      );
      const text = readFileSync(await download.path(), "utf8");
      assert.ok(text.startsWith("\ufeffRow,tag:note,Memory (GB-seconds),"));
      const [names, ...lines] = parseCsv(text.slice(1));
      const column = (/** @type {string} */ name) => names?.indexOf(name) ?? -1;
      const groups = lines.filter(([kind]) => kind === "group");
      assert.equal(groups.length, Object.keys(HOSTILE).length);
      for (const [at, line] of groups.entries()) {
        const { group, tagValue = group?.["tag:note"], memoryGbSeconds } = report.items[at];
        assert.equal(line[1], /^[=+\-@\t\r\n]/.test(tagValue) ? `'${tagValue}` : tagValue);
        assert.equal(line[column("Memory (GB-seconds)")], String(memoryGbSeconds));
        assert.equal(line.length, names?.length);
      }
      for (const cell of lines.flat()) assert.ok(!/^[=+\-@\t\r\n]/.test(cell), cell);
      const total = lines.find(([kind]) => kind === "total");
      assert.equal(total?.[column("Memory (GB-seconds)")], String(report.total.memoryGbSeconds));
    });

    test("a server that is stopped is reported in place, and its data is back after a retry", async (t) => {
      const { page, expectMessage } = await openView(
        t,
        server,
        `/?${pastWindow(14)}&groupBy=tag:env`,
      );
      expectMessage(/ERR_CONNECTION/);
      await settled(page);
      await server.stop();
      await page.getByRole("radio", { name: "Disk overage" }).check({ force: true });
      await page.getByRole("alert").getByText("cannot be reached").waitFor({ timeout: 30_000 });
      await server.restart();
      await page.getByRole("button", { name: /retry|again/i }).click();
      await settled(page);
      assert.equal((await rowsOf(page)).length, 5);
    });

    test("data comes back by itself when the browser is online again", async (t) => {
      const { page, expectMessage } = await openView(t, server, "/?period=7d&groupBy=tag:env");
      expectMessage(/ERR_INTERNET_DISCONNECTED/);
      await settled(page);
      await page.context().setOffline(true);
      await page.getByRole("radio", { name: "Disk overage" }).check({ force: true });
      await page.getByRole("alert").getByText("You are offline").waitFor({ timeout: 30_000 });
      await page.context().setOffline(false);
      await settled(page);
    });

    test("a query that the API rejects is explained with the id of the request", async (t) => {
      const { page, expectMessage } = await openView(t, server, "/?from=2020-01-01&to=2026-01-01");
      expectMessage(/status of 400/);
      const alert = page.getByRole("alert");
      await alert.waitFor();
      assert.match(await alert.innerText(), /90 days/);
    });
  });
}

/** Parses RFC 4180. @param {string} text */
function parseCsv(text) {
  const rows = /** @type {string[][]} */ ([[]]);
  for (const [, quoted, plain = "", end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g,
  )) {
    if (end === "" && !quoted && plain === "") break;
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\r\n") rows.push([]);
  }
  return rows.filter(({ length }) => length > 0);
}
