import { describe, expect, test } from "vitest";
import { listQuery, readList, writeList } from "../src/sandboxes/query.js";
import { withSelected } from "../src/sandboxes/selection.js";

const read = (query: string) => readList(new URLSearchParams(query));

describe("the URL of the list", () => {
  test("is read and written without a loss", () => {
    const query =
      "filter[tag:team]=payments,%22a,b%22&exclude[region]=&state=all&limit=25&cursor=eyJ0Ijoi";
    expect(writeList(read(query)).toString()).toBe(new URLSearchParams(query).toString());
  });

  test("leaves defaults out", () => {
    expect(writeList(read("state=running")).toString()).toBe("");
  });

  test("becomes a query of the client", () => {
    expect(listQuery(read("filter[tag:team]=a&exclude[status]=error&limit=25&cursor=c"))).toEqual({
      filter: { "tag:team": "a" },
      exclude: { status: "error" },
      state: "running",
      limit: 25,
      cursor: "c",
    });
  });

  test("keeps what the client will reject", () => {
    expect(listQuery(read("state=gone&limit=many"))).toMatchObject({
      state: "gone",
      limit: Number.NaN,
    });
  });
});

test("a selection is kept over pages, and in its order", () => {
  const sandbox = (sandboxID: string) => ({
    sandboxID,
    status: "running",
    region: null,
    workerID: null,
    template: null,
    startedAt: "2026-01-01T00:00:00Z",
  });
  const first = withSelected(new Map(), [sandbox("b"), { ...sandbox("a"), alias: "agent" }], true);
  const second = withSelected(first, [sandbox("c")], true);
  expect([...withSelected(second, [sandbox("b")], false).values()]).toEqual([
    { id: "a", alias: "agent" },
    { id: "c", alias: undefined },
  ]);
  expect([...first.keys()]).toEqual(["b", "a"]);
});
