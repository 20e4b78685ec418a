import { describe, expect, test } from "vitest";
import { readWindow, windowQuery } from "../src/sandboxes/window.js";

const read = (query: string) => readWindow(new URLSearchParams(query), "Europe/Berlin");
const now = new Date("2026-01-31T23:30:00Z");

describe("readWindow", () => {
  test("has 30 days of days in the browser's time zone by default", () => {
    expect(read("")).toEqual({
      period: "30d",
      from: undefined,
      to: undefined,
      timeZone: "Europe/Berlin",
      interval: "1d",
    });
  });

  test("keeps dates of a link and text that the API will reject", () => {
    expect(read("from=2026-01-01&to=x&interval=2h&period=7d")).toMatchObject({
      period: undefined,
      from: "2026-01-01",
      to: "x",
      interval: "2h",
    });
    expect(read("period=constructor").period).toBe("30d");
  });
});

describe("windowQuery", () => {
  test("ends now and starts days before", () => {
    expect(windowQuery(read("period=24h"), now)).toEqual({
      from: new Date("2026-01-30T23:30:00Z"),
      to: now,
      timeZone: "Europe/Berlin",
      interval: "1h",
    });
  });

  test("takes months of the time zone", () => {
    // Already February in Berlin, still January in UTC.
    expect(windowQuery(read("period=month"), now).from).toBe("2026-02-01");
    expect(windowQuery(read("period=month&timezone=UTC"), now).from).toBe("2026-01-01");
    expect(windowQuery(read("period=last-month&timezone=UTC"), now)).toMatchObject({
      from: "2025-12-01",
      to: "2026-01-01",
    });
  });
});
