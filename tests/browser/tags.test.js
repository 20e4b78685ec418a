// The tag editor and the bulk edit, against the server's tags.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HOSTILE } from "./fleet.js";
import { closeBrowser, openView } from "./page.js";
import { ENGINES, start } from "./server.js";
import { typedCases } from "./vectors.js";

/** @typedef {import("playwright-core").Page} Page */

/** Opens the editor of a sandbox. @param {import("node:test").TestContext} t @param {import("./server.js").Server} server @param {string} sandbox */
async function openEditor(t, server, sandbox) {
  const opened = await openView(t, server, `/sandboxes/${sandbox}`);
  const { page } = opened;
  await page.getByRole("button", { name: "Edit tags" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit tags" });
  await dialog.getByRole("button", { name: "+ Add a tag" }).waitFor();
  const field = (/** @type {string} */ name) => dialog.getByRole("combobox", { name, exact: true });
  const save = dialog.getByRole("button", { name: "Save", exact: true });
  return { ...opened, dialog, field, save };
}

/** The violations beside a field. @param {import("playwright-core").Locator} field */
const messagesOf = (field) =>
  field.evaluate((field) => {
    const described = document.getElementById(field.getAttribute("aria-describedby") ?? "");
    return [...(described?.querySelectorAll(".fault") ?? [])].map(({ textContent }) => textContent);
  });

after(closeBrowser);

for (const engine of ENGINES) {
  describe(engine, () => {
    /** @type {import("./server.js").Server} */
    let server;
    before(async () => {
      server = await start(engine);
    });
    after(() => server.remove());

    /** @param {string} sandbox */
    const tagsOf = async (sandbox) => (await server.api(`/api/sandboxes/${sandbox}/tags`)).tags;

    for (const kind of /** @type {const} */ (["key", "value"])) {
      test(`each ${kind} of the vectors has their messages beside the field as it is typed`, async (t) => {
        const { page, dialog, field, save } = await openEditor(t, server, "sb-untagged");
        await dialog.getByRole("button", { name: "+ Add a tag" }).click();
        await field("Key 1").fill("team");
        await field("Value 1").fill("v");
        const typed = field(kind === "key" ? "Key 1" : "Value 1");
        const cases = typedCases(kind);
        assert.ok(cases.some(({ messages }) => messages.length > 0));
        for (const { name, text, messages } of cases) {
          await typed.fill(text);
          await page.evaluate(() => new Promise(requestAnimationFrame));
          assert.deepEqual(await messagesOf(typed), messages, name);
          assert.equal(await save.isDisabled(), messages.length > 0, name);
          assert.equal(await typed.getAttribute("aria-invalid"), String(messages.length > 0), name);
        }
      });
    }

    test("a violation appears with the keystroke that causes it", async (t) => {
      const { dialog, field, save } = await openEditor(t, server, "sb-untagged");
      await dialog.getByRole("button", { name: "+ Add a tag" }).click();
      await field("Key 1").pressSequentially("cost center");
      assert.deepEqual(await messagesOf(field("Key 1")), [
        "tag key contains ` ` (U+0020), allowed: letters `A-Z a-z`, digits and `_ . - :`",
      ]);
      assert.equal(await save.isDisabled(), true);
      for (let count = 0; count < 7; count++) await field("Key 1").press("Backspace");
      assert.deepEqual(await messagesOf(field("Key 1")), []);
      assert.equal(await save.isDisabled(), false);
    });

    test("tags are counted, and more than the limit are refused", async (t) => {
      const full = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, "v"]));
      await server.setTags("sb-gone", full);
      const { dialog, field, save } = await openEditor(t, server, "sb-gone");
      await dialog.getByText("50 of 50 tags").waitFor();
      await dialog.getByRole("button", { name: "+ Add a tag" }).click();
      await field("Key 51").fill("one-more");
      await dialog.getByText("51 of 50 tags").waitFor();
      await dialog.getByRole("alert").getByText("51 tags, at most 50 are allowed").waitFor();
      assert.equal(await save.isDisabled(), true);
    });

    test("keys and values are completed, and a save replaces the tags it has read", async (t) => {
      const { page, dialog, field, save } = await openEditor(t, server, "sb-payments-0");
      const { headers } = await fetch(`${server.url}/api/sandboxes/sb-payments-0/tags`, {
        headers: { "x-api-key": server.key },
      });
      assert.equal(await save.isDisabled(), true);
      assert.match(
        await dialog.getByRole("region", { name: "System tags" }).innerText(),
        /oc:plan/,
      );
      await dialog.getByRole("button", { name: "+ Add a tag" }).click();
      await field("Key 3").fill("jo");
      await dialog.getByRole("option", { name: /^job/ }).click();
      await field("Value 3").fill("job-01");
      await dialog.getByRole("option", { name: /^job-017/ }).click();
      await dialog.getByRole("button", { name: "Remove tag 1" }).click();
      const [request] = await Promise.all([
        page.waitForRequest((request) => request.method() === "PUT"),
        save.click(),
      ]);
      assert.equal(request.headers()["if-match"], headers.get("etag"));
      await dialog.waitFor({ state: "hidden" });
      assert.deepEqual(await tagsOf("sb-payments-0"), {
        job: "job-017",
        team: "payments",
        "oc:plan": "pro",
      });
      await page.locator(".tag-section").getByText("job-017").waitFor();
      await page.getByText(/These tags changed inside the window/).waitFor();
    });

    test("a conflict shows base, mine and theirs, and saves what the reader chooses", async (t) => {
      const { dialog, field, save, expectMessage } = await openEditor(t, server, "sb-search-0");
      expectMessage(/status of 412/);
      await field("Value 1").fill("mine-env");
      await field("Value 2").fill("mine-team");
      await dialog.getByRole("button", { name: "+ Add a tag" }).click();
      await field("Key 3").fill("added");
      await field("Value 3").fill("by-me");
      await server.setTags("sb-search-0", { team: "their-team", env: "their-env", owner: "them" });
      await save.click();
      await dialog.getByText("These tags were changed while you edited them").waitFor();
      const difference = (/** @type {string} */ key) =>
        dialog.getByRole("radiogroup", { name: key, exact: true });
      for (const [key, base, mine, theirs, origin] of [
        ["added", "no tag", "by-me", "no tag", "Only you changed it"],
        ["env", "prod", "mine-env", "their-env", "Both changed it"],
        ["owner", "no tag", "no tag", "them", "Only they changed it"],
        ["team", "search", "mine-team", "their-team", "Both changed it"],
      ]) {
        const text = (await difference(key ?? "").innerText()).replace(/\s+/g, " ");
        for (const part of [key, base, mine, theirs, origin])
          assert.ok(text.includes(part ?? ""), text);
      }
      const saveResult = dialog.getByRole("button", { name: "Save the result" });
      assert.equal(await saveResult.isDisabled(), true);
      await dialog.getByText("2 keys need a choice").waitFor();
      await difference("env").getByRole("radio", { name: /Mine/ }).check();
      await difference("team")
        .getByRole("radio", { name: /Theirs/ })
        .check();
      await saveResult.click();
      await dialog.waitFor({ state: "hidden" });
      assert.deepEqual(await tagsOf("sb-search-0"), {
        added: "by-me",
        env: "mine-env",
        owner: "them",
        team: "their-team",
        "oc:plan": "pro",
      });
    });

    test("changes are not lost by a stopped server or by closing the dialog", async (t) => {
      const { page, dialog, field, save, expectMessage } = await openEditor(
        t,
        server,
        "sb-search-1",
      );
      expectMessage(/ERR_CONNECTION/);
      await field("Value 1").fill("kept");
      // Otherwise the key may close the suggestions.
      await field("Value 1").blur();
      await page.keyboard.press("Escape");
      await dialog.getByText("Discard your changes?").waitFor();
      await dialog.getByRole("button", { name: "Keep editing" }).click();
      await server.stop();
      await save.click();
      await dialog.getByText("The tags were not saved.").waitFor({ timeout: 30_000 });
      await server.restart();
      await dialog.getByRole("button", { name: "Try again" }).click();
      await dialog.waitFor({ state: "hidden" });
      assert.equal((await tagsOf("sb-search-1")).env, "kept");
    });

    test("a double click on the preview does not skip the dry run", async (t) => {
      const { page } = await openView(t, server, "/sandboxes");
      await page.getByRole("checkbox", { name: "Select sb-search-2" }).check();
      await page.getByRole("button", { name: "Edit tags…" }).click();
      const dialog = page.getByRole("dialog");
      for (const [name, text] of [
        ["Key 1", "reviewed"],
        ["Value 1", "no"],
      ]) {
        await dialog.getByRole("combobox", { name, exact: true }).fill(text ?? "");
      }
      const preview = dialog.getByRole("button", { name: "Preview changes" });
      await preview.focus();
      await preview.click();
      const apply = dialog.getByRole("button", { name: "Apply to 1 sandbox" });
      await apply.waitFor();
      // The second click of a double click, at the place of the first or wherever the dialog has moved.
      await apply.dispatchEvent("click", { detail: 2 });
      await dialog.getByRole("heading", { name: "Dry run: nothing is written yet" }).waitFor();
      assert.equal((await server.api("/api/sandboxes/sb-search-2/tags")).tags.reviewed, undefined);
    });

    test("going back or forward asks before changes are lost", async (t) => {
      const { page } = await openView(t, server, "/sandboxes?state=all");
      await page.getByRole("radio", { name: "Running" }).check({ force: true });
      await page.getByRole("link", { name: "sb-search-2" }).click();
      await page.getByRole("link", { name: "Sandboxes" }).last().click();
      await page.goBack();
      const shown = `${server.url}/sandboxes/sb-search-2`;
      await page.getByRole("button", { name: "Edit tags" }).click();
      const dialog = page.getByRole("dialog", { name: "Edit tags" });
      const value = dialog.getByRole("combobox", { name: "Value 1", exact: true });
      const asksAndStays = async () => {
        await dialog.getByText("Discard your changes?").waitFor();
        // Of the page itself: `page.url()` may not have heard of the way there and back.
        await page.waitForFunction((shown) => location.href === shown, shown);
        await dialog.getByRole("button", { name: "Keep editing" }).click();
        assert.equal(await value.inputValue(), "unsaved");
      };
      // Types and goes back in one task: not even a frame lies between them.
      await value.evaluate((input) => {
        if (!(input instanceof HTMLInputElement)) throw new TypeError("not a field");
        input.value = "unsaved";
        input.dispatchEvent(new InputEvent("input", { bubbles: true }));
        history.back();
      });
      await asksAndStays();
      await page.evaluate(() => history.forward());
      await asksAndStays();
      await page.goBack();
      await dialog.getByRole("button", { name: "Discard" }).click();
      await dialog.waitFor({ state: "hidden" });
      await page.goBack();
      await page.waitForURL(`${server.url}/sandboxes`);
    });

    test("hostile values are text, and survive an edit of another tag", async (t) => {
      const { page } = await openView(t, server, "/sandboxes?state=all&exclude[tag:note]=");
      await page.getByText(`${Object.keys(HOSTILE).length} on this page`).waitFor();
      const shown = await page.locator(".sandbox-table bdi").allTextContents();
      for (const [name, value] of Object.entries(HOSTILE)) {
        assert.ok(shown.includes(value), name);
        await page.goto(`${server.url}/sandboxes/sb-hostile-${name}`);
        await page.locator(".tag-section bdi").getByText(value.slice(0, 9)).first().waitFor();
        assert.ok((await page.locator(".tag-section bdi").allTextContents()).includes(value), name);
        await page.getByRole("button", { name: "Edit tags" }).click();
        await page.getByRole("button", { name: "+ Add a tag" }).click();
        await page.getByRole("combobox", { name: "Key 2" }).fill("more");
        await page.getByRole("button", { name: "Save", exact: true }).click();
        await page.getByRole("dialog").waitFor({ state: "hidden" });
        assert.deepEqual(await tagsOf(`sb-hostile-${name}`), { note: value, more: "" });
        assert.ok(!(await page.title()).includes("owned"));
        assert.equal(await page.locator("#app :is(img, script, a[href^='javascript'])").count(), 0);
      }
    });

    test("a bulk edit is planned, applied and retried per sandbox", async (t) => {
      const [done, changed, full] = ["sb-platform-0", "sb-platform-1", "sb-platform-2"];
      const many = Object.fromEntries(Array.from({ length: 49 }, (_, index) => [`k${index}`, "v"]));
      await server.setTags(full, { ...many, team: "platform" });
      const { page, expectMessage } = await openView(
        t,
        server,
        "/sandboxes?filter[tag:team]=platform",
      );
      expectMessage(/status of 412/);
      await page.getByRole("checkbox", { name: "Select all on this page" }).check();
      await page.getByRole("button", { name: "Edit tags…" }).click();
      const dialog = page.getByRole("dialog", { name: "Edit tags of 3 sandboxes" });
      await dialog.getByRole("combobox", { name: "Key 1" }).fill("owner");
      await dialog.getByRole("combobox", { name: "Value 1" }).fill("ann");
      await dialog.getByRole("button", { name: "+ Add a change" }).click();
      await dialog.getByLabel("Action 2").selectOption({ label: "Remove" });
      await dialog.getByRole("combobox", { name: "Key 2" }).fill("env");
      await dialog.getByRole("combobox", { name: "Key 2" }).blur();
      await dialog.getByRole("button", { name: "Preview changes" }).click();

      const item = (/** @type {string} */ sandbox) =>
        dialog.locator("li, tr", { hasText: sandbox }).first();
      await dialog.getByText("Dry run: nothing is written yet").waitFor();
      assert.match(await item(done).innerText(), /added\s+owner\s+ann.*removed\s+env\s+prod/s);
      assert.match(await item(full).innerText(), /Refused.*51 tags, at most 50 are allowed/s);
      assert.equal((await tagsOf(done)).owner, undefined);

      await server.setTags(changed, { team: "platform", env: "other" });
      await dialog.getByRole("button", { name: "Apply to 2 sandboxes" }).click();
      await dialog.getByText("Result", { exact: true }).waitFor();
      assert.match(await item(done).innerText(), /Done/);
      assert.match(await item(changed).innerText(), /Conflict/);
      assert.match(await item(full).innerText(), /Refused/);
      assert.deepEqual(await tagsOf(done), { team: "platform", owner: "ann", "oc:plan": "pro" });
      assert.equal((await tagsOf(changed)).env, "other");
      assert.equal((await tagsOf(full)).owner, undefined);

      await dialog.getByRole("button", { name: "Retry 1" }).click();
      await dialog.getByRole("button", { name: "Apply to 1 sandbox" }).click();
      await dialog.getByText("2 done").waitFor();
      assert.deepEqual(await tagsOf(changed), { team: "platform", owner: "ann", "oc:plan": "pro" });
      await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
      await page.locator(".sandbox-table").getByText("ann").first().waitFor();
    });
  });
}
