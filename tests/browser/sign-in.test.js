// The sign-in, and where the key is kept.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { closeBrowser, openPage, openView, place } from "./page.js";
import { ENGINES, start } from "./server.js";

const STORED = "opencomputer-usage.key";
const UNAUTHORIZED = /status of 401/;

after(closeBrowser);

for (const engine of ENGINES) {
  describe(engine, () => {
    /** @type {import("./server.js").Server} */
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server.remove());

    test("every view asks for the key first, and shows itself after the sign-in", async (t) => {
      for (const path of [
        "/",
        "/?period=7d&groupBy=tag:env",
        "/sandboxes",
        "/sandboxes/sb-runaway",
      ]) {
        const { page } = await openPage(t, server);
        await page.goto(server.url + path);
        await page.getByLabel("API key").fill(server.key);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByRole("navigation", { name: "Views" }).waitFor();
        assert.equal(place(page), path);
        assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
      }
    });

    test("a wrong key is rejected and not kept", async (t) => {
      const { page, expectMessage } = await openPage(t, server);
      expectMessage(UNAUTHORIZED);
      await page.goto(`${server.url}/`);
      for (const wrong of ["oc_wrong", `${server.key}0`, "ключ 🔑"]) {
        await page.getByLabel("API key").fill(wrong);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByRole("alert").waitFor();
        assert.equal(await page.evaluate((name) => sessionStorage.getItem(name), STORED), null);
        await page.getByLabel("API key").fill("");
      }
    });

    test("a key that the server no longer knows ends in the sign-in, with the reason", async (t) => {
      const { page, expectMessage } = await openPage(t, server);
      expectMessage(UNAUTHORIZED);
      await page.goto(`${server.url}/#key=oc_expired`);
      await page.getByLabel("API key").waitFor();
      assert.match(await page.getByRole("alert").innerText(), /rejected this key/);
      assert.equal(await page.evaluate((name) => sessionStorage.getItem(name), STORED), null);
    });

    test("a key in the fragment leaves the address bar, the history and the entries of the page", async (t) => {
      const { page } = await openPage(t, server);
      await page.goto("about:blank");
      const path = "/?groupBy=tag:env";
      await page.goto(`${server.url}${path}#key=${server.key}`);
      await page.getByRole("navigation", { name: "Views" }).waitFor();
      assert.equal(page.url(), server.url + path);
      await page.getByRole("link", { name: "Sandboxes" }).click();
      await page.waitForURL(`${server.url}/sandboxes`);
      await page.goBack();
      assert.equal(page.url(), server.url + path);
      await page.goForward();
      assert.equal(page.url(), `${server.url}/sandboxes`);
      await page.reload();
      await page.getByRole("navigation", { name: "Views" }).waitFor();
      const { texts, length } = await page.evaluate(() => ({
        texts: [
          document.documentElement.outerHTML,
          document.referrer,
          document.cookie,
          JSON.stringify(history.state),
          JSON.stringify(localStorage),
          ...performance.getEntriesByType("resource").map(({ name }) => name),
        ],
        length: history.length,
      }));
      for (const text of texts) assert.ok(!text.includes(server.key), text.slice(0, 200));
      // The blank page and the two views: the link itself has no entry.
      assert.equal(length, 3);
      const cdp = await page.context().newCDPSession(page);
      const { entries } = await cdp.send("Page.getNavigationHistory");
      assert.deepEqual(
        entries.map(({ url }) => url),
        ["about:blank", server.url + path, `${server.url}/sandboxes`],
      );
    });

    test("a browser that keeps nothing shows the views, until they are loaded again", async (t) => {
      for (const area of ["sessionStorage", "localStorage"]) {
        const { page } = await openPage(t, server);
        await page.addInitScript((area) => {
          Object.defineProperty(window, area, {
            get: () => {
              throw new DOMException("The storage is denied.", "SecurityError");
            },
          });
        }, area);
        await page.goto(`${server.url}/#key=${server.key}`);
        await page.getByRole("combobox", { name: "Theme" }).selectOption("dark");
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.getByLabel("API key").fill(server.key);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByRole("navigation", { name: "Views" }).waitFor();
      }
    });

    test("a link with another key that is opened in the tab replaces the session", async (t) => {
      const { page } = await openView(t, server, "/sandboxes");
      await page.getByRole("link", { name: "sb-payments-0" }).waitFor();
      await page.goto(`${server.url}/sandboxes#key=${server.otherKey}`);
      await page.getByRole("link", { name: "sb-payments-0" }).waitFor({ state: "detached" });
      await page.getByText("the-other-org").first().waitFor();
      assert.equal(page.url(), `${server.url}/sandboxes`);
    });

    test("the key is kept for its tab only", async (t) => {
      const { page } = await openView(t, server, "/");
      await page.getByRole("navigation", { name: "Views" }).waitFor();
      const state = await page.context().storageState({ indexedDB: true });
      assert.ok(!JSON.stringify(state).includes(server.key));
      const other = await page.context().newPage();
      await other.goto(`${server.url}/`);
      await other.getByLabel("API key").waitFor();
      await page.reload();
      await page.getByRole("navigation", { name: "Views" }).waitFor();
    });

    test("signing out forgets the key", async (t) => {
      const { page } = await openView(t, server, "/sandboxes");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("API key").waitFor();
      assert.equal(await page.evaluate((name) => sessionStorage.getItem(name), STORED), null);
      await page.reload();
      await page.getByLabel("API key").waitFor();
    });

    test("a server that is stopped during the sign-in is named, and the key works when it is back", async (t) => {
      const { page, expectMessage } = await openPage(t, server);
      expectMessage(/ERR_CONNECTION/);
      await page.goto(`${server.url}/`);
      await page.getByLabel("API key").fill(server.key);
      await server.stop();
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      await server.restart();
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("navigation", { name: "Views" }).waitFor();
    });
  });
}
