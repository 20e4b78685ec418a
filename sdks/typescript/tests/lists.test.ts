// Pages of sandboxes and of the values of a tag.

import { InvalidRequestError, SandboxPage, TagValuePage } from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { expectOurs, failure, recorded, response } from "./support/calls.js";

const sandbox = (sandboxID: string) => ({
  sandboxID,
  status: "running",
  region: "use2",
  workerID: "w-1",
  template: "base",
  startedAt: "2026-04-19T14:00:00Z",
  tags: { team: "payments" },
  tagsLastUpdatedAt: null,
});

/** A list of one page. */
const one = (...ids: string[]) =>
  recorded(() => response({ status: 200, body: ids.map(sandbox) })).client();

const ids = (page: readonly { sandboxID: string }[]) => page.map(({ sandboxID }) => sandboxID);

describe("a page of sandboxes", () => {
  test("is an array", async () => {
    const page = await one("sb-1", "sb-2", "sb-3").sandboxes.list();
    expect(page).toBeInstanceOf(SandboxPage);
    expect(Array.isArray(page)).toBe(true);
    expect(page).toHaveLength(3);
    expect(ids([...page])).toEqual(["sb-1", "sb-2", "sb-3"]);
    expect(page[0]).toEqual(sandbox("sb-1"));
    expect(page.at(-1)?.sandboxID).toBe("sb-3");
    const [, ...others] = page;
    expect(ids(others)).toEqual(["sb-2", "sb-3"]);
    const found = page.find(({ sandboxID }) => sandboxID === "sb-2");
    expect(found).toBe(page[1]);
    expect(page).toEqual(["sb-1", "sb-2", "sb-3"].map(sandbox));
    expect(JSON.parse(JSON.stringify(page))).toEqual(["sb-1", "sb-2", "sb-3"].map(sandbox));
  });

  test("returns plain arrays from methods of arrays", async () => {
    const page = await one("sb-1", "sb-2").sandboxes.list();
    const parts = [page.slice(1), page.filter(() => true), page.map(String), page.concat([])];
    for (const part of parts) expect(part.constructor).toBe(Array);
  });

  test("keeps the order of its items when the page is sorted", async () => {
    const page = await one("sb-1", "sb-2").sandboxes.list();
    page.reverse();
    expect(ids(page.items)).toEqual(["sb-1", "sb-2"]);
  });

  test("may have one sandbox or none", async () => {
    expect(ids(await one("sb-1").sandboxes.list())).toEqual(["sb-1"]);
    const page = await one().sandboxes.list();
    expect(page).toHaveLength(0);
    expect(page.items).toEqual([]);
    expect(page.hasNextPage()).toBe(false);
    expect(page.nextCursor).toBeNull();
    expectOurs(await failure(() => page.getNextPage()), InvalidRequestError);
  });
});

describe("the options of a list", () => {
  test("are sent for sandboxes", async () => {
    const { client, sent } = recorded(() => response({ status: 200, body: [] }));
    await client().sandboxes.list({
      filter: { "tag:team": ["a,b"], region: "use2" },
      exclude: { "tag:env": null },
      state: "all",
      limit: 7,
    });
    const query = Object.fromEntries(sent[0]?.url.searchParams ?? []);
    expect(query).toEqual({
      "filter[tag:team]": '"a,b"',
      "filter[region]": "use2",
      "exclude[tag:env]": "",
      state: "all",
      limit: "7",
    });
  });

  test("are sent for tag values, with the key in the path", async () => {
    const body = { key: "team:x", values: [{ value: "pay", sandboxCount: 2 }], nextCursor: null };
    const { client, sent } = recorded(() => response({ status: 200, body }));
    const page = await client().tags.listValues("team:x", { prefix: "p y", limit: 7 });
    expect(page).toBeInstanceOf(TagValuePage);
    expect(page.toJSON()).toEqual({ key: "team:x", items: body.values, nextCursor: null });
    expect(sent[0]?.url.pathname).toBe("/api/tags/team%3Ax");
    expect(sent[0]?.url.search).toBe("?prefix=p%20y&limit=7");
  });

  test("reject the promise and send nothing if one is invalid", async () => {
    const { client, sent } = recorded(() => response({ status: 200, body: [] }));
    const { sandboxes, tags, usage } = client();
    for (const [code, call] of [
      ["invalid_state", () => sandboxes.list({ state: "stopped" as "all" })],
      ["invalid_limit", () => sandboxes.list({ limit: 501 })],
      ["unknown_parameter", () => sandboxes.list({ prefix: "sb" } as object)],
      ["invalid_prefix", () => tags.listValues("team", { prefix: "a\0" })],
      ["invalid_tag_key", () => tags.listValues("a b")],
      ["invalid_group_by", () => usage.by(["tag:team", "tag:team"])],
      ["missing_group_by", () => usage.by([])],
      ["invalid_interval", () => usage.by("region", { interval: "1y" as "1d" })],
      ["invalid_timezone", () => usage.byTag("team", { timeZone: "Mars/Olympus Mons" })],
      ["invalid_filter", () => usage.bySandbox({ exclude: { "tag:env": [] } })],
    ] as const) {
      const error = await failure(call);
      expectOurs(error, InvalidRequestError, code);
    }
    expect(sent).toEqual([]);
  });
});

test("the option timeZone is sent as timezone", async () => {
  const { client, sent } = recorded(() => response({ status: 418 }));
  const query = { from: "2026-03-01", to: "2026-04-01", timeZone: "Europe/Berlin", interval: "1d" };
  await failure(() => client().usage.by(["tag:team", "region"], query as object));
  expect(Object.fromEntries(sent[0]?.url.searchParams ?? [])).toEqual({
    groupBy: "tag:team,region",
    from: "2026-03-01",
    to: "2026-04-01",
    timezone: "Europe/Berlin",
    interval: "1d",
  });
  const both = { timeZone: "UTC", timezone: "UTC" } as object;
  expectOurs(await failure(() => client().usage.by("region", both)), InvalidRequestError);
  expect(sent).toHaveLength(1);
});
