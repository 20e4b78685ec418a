// Writes the main views of the demo fleet to docs/images/, light and dark.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch } from "./page.js";
import { startDemo } from "./server.js";

/** @typedef {import("playwright-core").Page} Page */

const images = fileURLToPath(new URL("../../docs/images", import.meta.url));
mkdirSync(images, { recursive: true });

/** @type {Record<string, { path: string, ready: (page: Page) => Promise<unknown> }>} */
const VIEWS = {
  usage: {
    path: "/?groupBy=tag:team",
    ready: (page) => page.locator(".usage-table .total .change:not(:empty)").waitFor(),
  },
  sandboxes: {
    path: "/sandboxes",
    ready: (page) => page.getByText(/on this page/).waitFor(),
  },
  sandbox: {
    path: "/sandboxes/sb-runaway?period=24h",
    ready: (page) => page.locator(".tag-section").waitFor(),
  },
  "tag-editor": {
    path: "/sandboxes/sb-runaway",
    ready: async (page) => {
      await page.getByRole("button", { name: "Edit tags" }).click();
      const add = page.getByRole("button", { name: "+ Add a tag" });
      await add.click();
      await page.getByRole("combobox", { name: /^Key/ }).last().fill("cost center");
      await page
        .getByRole("combobox", { name: /^Value/ })
        .last()
        .fill("4711");
      await page
        .getByRole("combobox", { name: /^Value/ })
        .last()
        .blur();
    },
  },
  "bulk-edit": {
    path: "/sandboxes?filter[tag:env]=dev",
    ready: async (page) => {
      await page.getByRole("checkbox", { name: "Select all on this page" }).check();
      await page.getByRole("button", { name: "Edit tags…" }).click();
      await page.getByRole("combobox", { name: "Key 1" }).fill("owner");
      await page.getByRole("combobox", { name: "Value 1" }).fill("ann");
      await page.getByRole("button", { name: "+ Add a change" }).click();
      await page.getByLabel("Action 2").selectOption({ label: "Remove" });
      await page.getByRole("combobox", { name: "Key 2" }).fill("customer");
      await page.getByRole("combobox", { name: "Key 2" }).blur();
      await page.getByRole("button", { name: "Preview changes" }).click();
      await page.getByText("Dry run: nothing is written yet").waitFor();
    },
  },
};

const server = await startDemo();
const browser = await launch();
try {
  for (const [name, { path, ready }] of Object.entries(VIEWS)) {
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const page = await browser.newPage({
        colorScheme,
        locale: "en-US",
        timezoneId: "UTC",
        viewport: { width: 1280, height: 860 },
      });
      await page.goto(`${server.url}${path}#key=${server.key}`);
      await ready(page);
      await page.evaluate(() => document.fonts.ready);
      const fullPage = (await page.getByRole("dialog").count()) === 0;
      await page.screenshot({
        fullPage,
        path: `${images}/${name}-${colorScheme}.png`,
        animations: "disabled",
      });
      await page.close();
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
