// Themes, and what axe-core finds.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SAMPLED } from "./fleet.js";
import { assertAccessible, closeBrowser, openPage, openView } from "./page.js";
import { start } from "./server.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("./server.js").Server} */
let server;
before(async () => {
  server = await start("SQLite");
});
after(async () => {
  await closeBrowser();
  await server.remove();
});

/** The background of the page. @param {Page} page */
const background = (page) =>
  page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

test("the theme follows the system until the reader chooses one, which outlives the session", async (t) => {
  const { page } = await openView(t, server, "/", { colorScheme: "dark" });
  const picker = page.getByLabel("Theme");
  const dark = await background(page);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background(page);
  assert.notEqual(light, dark);
  await picker.selectOption("Dark");
  assert.equal(await background(page), dark);
  await page.reload();
  await picker.waitFor();
  assert.equal(await background(page), dark);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.reload();
  await page.getByLabel("API key").waitFor();
  assert.equal(await background(page), dark, "the sign-in has the theme, too");
});

const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 360, height: 740 } };

/** The views, each with what makes it complete. @type {Record<string, { path: string, ready: (page: Page) => Promise<unknown> }>} */
const VIEWS = {
  usage: {
    path: "/?period=7d&groupBy=tag:team",
    ready: (page) => page.locator(".usage-table .total .change:not(:empty)").waitFor(),
  },
  "usage by sandbox, retagged": {
    path: "/?period=7d&groupBy=sandbox&filter[tag:team]=growth,platform&exclude[region]=euc1",
    ready: (page) => page.locator(".usage-table .total .change:not(:empty)").waitFor(),
  },
  "usage as a table, with the period open": {
    path: "/?period=7d&groupBy=tag:note,template",
    ready: async (page) => {
      await page.getByRole("button", { name: "Show data as table" }).click();
      await page.locator(".toolbar .period > button").click();
      await page.getByLabel("First day").waitFor();
    },
  },
  "a filter with suggestions": {
    path: "/?groupBy=tag:team",
    ready: async (page) => {
      await page.getByRole("button", { name: "+ Filter" }).click();
      await page.getByRole("combobox", { name: "Dimension" }).press("ArrowDown");
      await page.getByRole("listbox").getByRole("option").first().waitFor();
    },
  },
  "no usage": {
    path: "/?groupBy=tag:team&from=2020-01-01&to=2020-01-02",
    ready: (page) => page.getByRole("heading", { name: /^No / }).waitFor(),
  },
  "a query that is refused": {
    path: "/?groupBy=tag:team&period=never",
    ready: (page) => page.getByRole("alert").waitFor(),
  },
  sandboxes: {
    path: "/sandboxes?state=all&limit=25",
    ready: (page) => page.getByText(/on this page/).waitFor(),
  },
  "no sandboxes": {
    path: "/sandboxes?filter[tag:team]=none",
    ready: (page) => page.getByRole("heading", { name: "No sandbox matches" }).waitFor(),
  },
  "a sandbox": {
    path: `/sandboxes/${SAMPLED}?period=7d`,
    ready: (page) => page.locator(".tag-section").waitFor(),
  },
  "the tag editor with a violation": {
    path: "/sandboxes/sb-payments-1",
    ready: async (page) => {
      await page.getByRole("button", { name: "Edit tags" }).click();
      await page.getByRole("combobox", { name: "Key 1" }).fill("cost center");
    },
  },
  "the dry run of a bulk edit": {
    path: "/sandboxes?filter[tag:team]=payments",
    ready: async (page) => {
      await page.getByRole("checkbox", { name: "Select all on this page" }).check();
      await page.getByRole("button", { name: "Edit tags…" }).click();
      await page.getByRole("combobox", { name: "Key 1" }).fill("owner");
      await page.getByRole("button", { name: "Preview changes" }).click();
      await page.getByText("Dry run: nothing is written yet").waitFor();
    },
  },
};

for (const [name, { path, ready }] of Object.entries(VIEWS)) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`axe finds nothing in ${name}, ${size}`, async (t) => {
      const { page } = await openView(t, server, path, { viewport });
      await ready(page);
      for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
        await page.emulateMedia({ colorScheme });
        await assertAccessible(page, `${name}, ${size}, ${colorScheme}`);
      }
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(overflow <= 0, `the page scrolls sideways by ${overflow} px`);
    });
  }
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds nothing in the sign-in, ${colorScheme}`, async (t) => {
    const { page, expectMessage } = await openPage(t, server, { colorScheme });
    expectMessage(/status of 401/);
    await page.goto(`${server.url}/`);
    await page.getByLabel("API key").waitFor();
    await assertAccessible(page, "sign-in");
    await page.getByLabel("API key").fill("oc_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await assertAccessible(page, "a rejected key");
  });
}
