import { InvalidRequestError } from "@opencomputer/usage";
import { describe, expect, test } from "vitest";
import { addMonths, midnightDate, periodWindow, windowBefore } from "../src/usage/window.js";

const BERLIN = "Europe/Berlin";

describe("periodWindow", () => {
  test.each([
    ["24h", "2026-03-14T11:00:00.000Z"],
    ["7d", "2026-03-09"],
    ["30d", "2026-02-14"],
    ["month", "2026-03-01"],
  ])("starts %s with a local hour, day or month and ends now", (period, from) => {
    const now = new Date("2026-03-15T10:42:07.123Z");
    expect(periodWindow(period, now, BERLIN)).toEqual({ from, to: now.toISOString() });
  });

  test("takes the local day, not that of UTC", () => {
    const now = new Date("2026-03-15T23:30:00Z");
    expect(periodWindow("7d", now, BERLIN).from).toBe("2026-03-10");
    expect(periodWindow("7d", now, "America/New_York").from).toBe("2026-03-09");
  });

  test("starts an hour of a zone with half-hour offsets at its own boundary", () => {
    const now = new Date("2026-03-15T10:42:00Z");
    expect(periodWindow("24h", now, "Asia/Kolkata").from).toBe("2026-03-14T11:30:00.000Z");
  });

  test("returns the whole month before for the last month, across a year too", () => {
    expect(periodWindow("last-month", new Date("2026-01-31T12:00:00Z"), BERLIN)).toEqual({
      from: "2025-12-01",
      to: "2026-01-01",
    });
  });

  test("cuts 90 days that an hour of autumn makes too long", () => {
    // Clocks went back on 25 October, so 90 days back from 23:30 are in the day that 90 calendar days start with.
    const late = new Date("2026-11-29T22:30:00Z");
    expect(periodWindow("90d", late, BERLIN).from).toBe("2026-08-31T22:30:00.000Z");
    const early = new Date("2026-11-29T21:30:00Z");
    expect(periodWindow("90d", early, BERLIN).from).toBe("2026-09-01");
  });

  test("rejects an unknown preset", () => {
    expect(() => periodWindow("8d", new Date(), BERLIN)).toThrow(InvalidRequestError);
    expect(() => periodWindow("toString", new Date(), BERLIN)).toThrow(InvalidRequestError);
  });
});

describe("windowBefore", () => {
  test("has the same length as a window of instants", () => {
    const window = { from: "2026-03-14T11:00:00Z", to: "2026-03-15T10:42:00Z" };
    expect(windowBefore(window, BERLIN, "24h")).toEqual({
      from: "2026-03-13T11:18:00.000Z",
      to: "2026-03-14T11:00:00Z",
    });
  });

  test("has as many whole days, whatever their hours are", () => {
    // 29 March has 23 hours.
    const window = { from: "2026-03-25T23:00:00Z", to: "2026-03-29T22:00:00Z" };
    expect(windowBefore(window, BERLIN, null)).toEqual({ from: "2026-03-22", to: "2026-03-26" });
  });

  test("is the month before the last month", () => {
    const march = { from: "2026-02-28T23:00:00Z", to: "2026-03-31T22:00:00Z" };
    expect(windowBefore(march, BERLIN, "last-month")).toEqual({
      from: "2026-02-01",
      to: "2026-03-01",
    });
    expect(windowBefore(march, BERLIN, null)).toEqual({ from: "2026-01-29", to: "2026-03-01" });
  });
});

test("finds the date that starts at an instant", () => {
  expect(midnightDate("2026-06-30T22:00:00Z", BERLIN)).toBe("2026-07-01");
  expect(midnightDate("2026-06-30T22:00:00.5Z", BERLIN)).toBeUndefined();
  expect(midnightDate("2026-06-30T23:00:00Z", BERLIN)).toBeUndefined();
});

test("adds months to the first of a month", () => {
  expect(addMonths("2026-01-01", -1)).toBe("2025-12-01");
  expect(addMonths("2026-12-01", 1)).toBe("2027-01-01");
});
