// Every picker and every chip ends in the URL, and the URL sets the picker.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HOSTILE } from "./fleet.js";
import { closeBrowser, openView, place } from "./page.js";
import { ENGINES, start } from "./server.js";

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page */
const settled = (page) => page.locator("[aria-busy=false]").first().waitFor();

/** Waits until the address bar has a place, and checks that it survives a reload. @param {Page} page @param {string} wanted */
async function assertPlace(page, wanted) {
  const decoded = () => decodeURIComponent(place(page));
  await page
    .waitForFunction(
      (wanted) => decodeURIComponent(location.pathname + location.search) === wanted,
      wanted,
    )
    .catch(() => assert.equal(decoded(), wanted));
}

/**
 * Changes a picker, checks the URL, and then checks the picker after a reload, and both after going back.
 *
 * @param {Page} page
 * @param {{ change: () => Promise<unknown>, to: string, shows: () => Promise<string | boolean>, before: string | boolean, after: string | boolean }} step
 */
async function assertPicker(page, { change, to, shows, before, after }) {
  const from = decodeURIComponent(place(page));
  await settled(page);
  assert.equal(await shows(), before);
  await change();
  await assertPlace(page, to);
  assert.equal(await shows(), after);
  await page.reload();
  await settled(page);
  await assertPlace(page, to);
  assert.equal(await shows(), after);
  await page.goBack();
  await assertPlace(page, from);
  await settled(page);
  assert.equal(await shows(), before);
}

after(closeBrowser);

for (const engine of ENGINES) {
  describe(engine, () => {
    /** @type {import("./server.js").Server} */
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server.remove());

    test("the period", async (t) => {
      const { page } = await openView(t, server, "/?groupBy=tag:team");
      const button = page.locator(".toolbar .period > button");
      const shows = () => button.innerText();
      for (const [name, period] of [
        ["Last 24 hours", "24h"],
        ["Last 7 days", "7d"],
        ["Last 90 days", "90d"],
        ["This month", "month"],
        ["Last month", "last-month"],
      ]) {
        const change = async () => {
          await button.click();
          await page.getByRole("button", { name, exact: true }).click();
        };
        const to = `/?period=${period}&groupBy=tag:team`;
        await assertPicker(page, { change, to, shows, before: "Last 30 days", after: name ?? "" });
      }
      const change = async () => {
        await button.click();
        await page.getByLabel("First day").fill("2026-01-05");
        await page.getByLabel("Last day").fill("2026-01-11");
        await page.getByRole("button", { name: "Apply" }).click();
      };
      const to = "/?from=2026-01-05&to=2026-01-12&groupBy=tag:team";
      const dates = "Jan 5, 2026 – Jan 11, 2026";
      await assertPicker(page, { change, to, shows, before: "Last 30 days", after: dates });
    });

    test("the interval, the time zone and the metric", async (t) => {
      const { page } = await openView(t, server, "/?period=7d&groupBy=tag:team");
      const interval = page.getByLabel("Interval");
      const chosen = () =>
        interval.evaluate((/** @type {HTMLSelectElement} */ field) => field.value);
      await assertPicker(page, {
        change: () => interval.selectOption("1h"),
        to: "/?period=7d&interval=1h&groupBy=tag:team",
        shows: chosen,
        before: "",
        after: "1h",
      });
      const zone = page.getByRole("button", { name: /^Time zone: / });
      await assertPicker(page, {
        change: async () => {
          await zone.click();
          await page.getByRole("combobox", { name: "Time zone" }).fill("tokyo");
          await page.getByRole("option", { name: "Asia/Tokyo" }).click();
        },
        to: "/?period=7d&timezone=Asia/Tokyo&groupBy=tag:team",
        shows: () => zone.innerText(),
        before: "UTC",
        after: "Asia/Tokyo",
      });
      const disk = page.getByRole("radio", { name: "Disk overage" });
      await assertPicker(page, {
        change: () => disk.check({ force: true }),
        to: "/?period=7d&groupBy=tag:team&sort=-diskOverageGbSeconds",
        shows: () => disk.isChecked(),
        before: false,
        after: true,
      });
      const memory = page.getByRole("columnheader", { name: /^Disk overage/ });
      await assertPicker(page, {
        change: () => memory.getByRole("button").click(),
        to: "/?period=7d&groupBy=tag:team&sort=-diskOverageGbSeconds",
        shows: async () => (await memory.getAttribute("aria-sort")) ?? "",
        before: "",
        after: "descending",
      });
    });

    test("the time zone of the browser is the default", async (t) => {
      const options = { timezoneId: "America/New_York" };
      const { page } = await openView(t, server, "/?period=7d&groupBy=tag:team", options);
      await settled(page);
      await page.getByRole("button", { name: "Time zone: America/New_York" }).waitFor();
      assert.ok(!place(page).includes("timezone"));
      assert.match(await page.locator(".check").innerText(), /E[SD]T/);
    });

    test("one to three dimensions, and the sandbox alone", async (t) => {
      const { page } = await openView(t, server, "/?period=7d&groupBy=tag:env");
      const button = page.locator(".group-by > button");
      const shows = () => button.innerText();
      const combine = (/** @type {string} */ name) =>
        page.getByRole("checkbox", { name: `Combine with ${name}` });
      await assertPicker(page, {
        change: async () => {
          await button.click();
          await combine("team").check();
        },
        to: "/?period=7d&groupBy=tag:env,tag:team",
        shows,
        before: "Group by env",
        after: "Group by env and team",
      });
      await page.goto(`${server.url}/?period=7d&groupBy=tag:env,tag:team,region`);
      await settled(page);
      await button.click();
      assert.equal(await combine("region").isChecked(), true);
      assert.equal(await combine("status").isDisabled(), true);
      await page.goto(`${server.url}/?period=7d&groupBy=tag:env`);
      for (const [name, dimension] of [
        ["sandbox", "sandbox"],
        ["template", "template"],
        ["status", "status"],
        ["job", "tag:job"],
      ]) {
        await assertPicker(page, {
          change: async () => {
            await button.click();
            await page
              .locator(".group-by .panel")
              .getByRole("button", { name: new RegExp(`^${name} `) })
              .click();
          },
          to: `/?period=7d&groupBy=${dimension}`,
          shows,
          before: "Group by env",
          after: `Group by ${name}`,
        });
      }
    });

    for (const path of ["/?period=7d&groupBy=tag:env", "/sandboxes?state=all&limit=25"]) {
      const [view, defaults] = path.split("?");
      const at = (/** @type {string} */ condition) =>
        view === "/" ? `/?${defaults}&${condition}` : `/sandboxes?${condition}&${defaults}`;

      test(`filters and exclusions with completed values, in ${view}`, async (t) => {
        const { page } = await openView(t, server, path);
        const chips = page.getByRole("group", { name: "Filters" });
        const shows = async () => {
          const texts = await chips.locator(":scope > .chip").allInnerTexts();
          return texts.map((text) => text.replace(/\s+/g, " ").trim()).join("; ");
        };
        const add = async (/** @type {string} */ key) => {
          await settled(page);
          await chips.getByRole("button", { name: "+ Filter" }).click();
          const dimension = page.getByRole("combobox", { name: "Dimension" });
          await dimension.fill(key.slice(0, 2));
          await page.getByRole("option", { name: new RegExp(`^${key}`) }).click();
        };
        const operator = (/** @type {string} */ name) =>
          page.locator(".condition select").selectOption({ label: name });
        const apply = () => page.getByRole("button", { name: "Apply" }).click();
        const value = page.getByRole("combobox", { name: "Value" });

        await assertPicker(page, {
          change: async () => {
            await add("team");
            await value.fill("gro");
            await page.getByRole("option", { name: /^growth/ }).click();
            await value.fill("pay");
            await page.getByRole("option", { name: /^payments/ }).waitFor();
            await value.press("ArrowDown");
            await value.press("Enter");
            await apply();
          },
          to: at("filter[tag:team]=growth,payments"),
          shows,
          before: "",
          after: "team is any of growth, payments ✕",
        });
        await assertPicker(page, {
          change: async () => {
            await add("region");
            await operator("is none of");
            await value.fill("euc1");
            await value.press("Enter");
            await apply();
          },
          to: at("exclude[region]=euc1"),
          shows,
          before: "",
          after: "region is none of euc1 ✕",
        });
        for (const [name, condition] of [
          ["has no value", "filter[tag:note]="],
          ["has a value", "exclude[tag:note]="],
        ]) {
          await assertPicker(page, {
            change: async () => {
              await add("note");
              await operator(name ?? "");
              await apply();
            },
            to: at(condition ?? ""),
            shows,
            before: "",
            after: `note ${name} ✕`,
          });
        }
        await page.goto(server.url + at("filter[tag:team]=growth,payments"));
        await settled(page);
        await chips.getByRole("button", { name: /^team is any of/ }).click();
        await page.getByRole("button", { name: "Remove payments" }).click();
        await apply();
        await assertPlace(page, at("filter[tag:team]=growth"));
        await page.goto(server.url + at("filter[tag:team]=growth&exclude[region]=euc1"));
        await page.getByRole("button", { name: "Remove the filter on region" }).click();
        await assertPlace(page, at("filter[tag:team]=growth"));
      });
    }

    test("the state of the list, its size and its pages", async (t) => {
      const { page } = await openView(t, server, "/sandboxes");
      const all = page.getByRole("radio", { name: "All" });
      await assertPicker(page, {
        change: () => all.check({ force: true }),
        to: "/sandboxes?state=all",
        shows: () => all.isChecked(),
        before: false,
        after: true,
      });
      const rows = page.getByLabel("Rows");
      await assertPicker(page, {
        change: () => rows.selectOption("25"),
        to: "/sandboxes?limit=25",
        shows: () => rows.inputValue(),
        before: "100",
        after: "25",
      });
    });

    test("the window and the interval of a sandbox", async (t) => {
      const { page } = await openView(t, server, "/sandboxes/sb-runaway");
      const period = page.locator(".period > button");
      await assertPicker(page, {
        change: async () => {
          await period.click();
          await page.getByRole("button", { name: "Last 7 days", exact: true }).click();
        },
        to: "/sandboxes/sb-runaway?period=7d",
        shows: () => period.innerText(),
        before: "Last 30 days",
        after: "Last 7 days",
      });
      const interval = page.getByLabel("Interval");
      await assertPicker(page, {
        change: () => interval.selectOption("1h"),
        to: "/sandboxes/sb-runaway?interval=1h",
        shows: () => interval.inputValue(),
        before: "",
        after: "1h",
      });
    });

    test("hostile values are completed and filtered by as they are", async (t) => {
      const { page } = await openView(t, server, "/sandboxes?state=all&limit=25");
      for (const value of Object.values(HOSTILE)) {
        await page.goto(`${server.url}/sandboxes?state=all&limit=25`);
        await settled(page);
        await page.getByRole("button", { name: "+ Filter" }).click();
        await page.getByRole("combobox", { name: "Dimension" }).fill("note");
        await page.getByRole("option", { name: /^note/ }).click();
        const prefix = [...value][0] ?? "";
        await page.getByRole("combobox", { name: "Value" }).fill(prefix);
        const options = page.getByRole("listbox", { name: "Value" }).getByRole("option");
        // The list of all values stays until that of the prefix arrives.
        await page.waitForFunction((prefix) => {
          const shown = [...document.querySelectorAll("[aria-label=Value] [role=option] bdi")];
          return shown.length > 0 && shown.every((value) => value.textContent?.startsWith(prefix));
        }, prefix);
        const texts = await options.locator("bdi").allTextContents();
        assert.ok(texts.includes(value), JSON.stringify([value, texts]));
        await options.nth(texts.indexOf(value)).click();
        await page.getByRole("button", { name: "Apply" }).click();
        await page.getByText("1 on this page").waitFor();
        assert.equal(await page.title(), "Sandboxes · Usage");
      }
    });
  });
}
