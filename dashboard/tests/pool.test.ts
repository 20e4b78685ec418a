import { expect, test } from "vitest";
import { runPool } from "../src/tags/pool.js";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

test("runs every item once, in order and never more than the limit at a time", async () => {
  const items = Array.from({ length: 25 }, (_, index) => index);
  const started: number[] = [];
  let running = 0;
  let most = 0;
  await runPool(items, 4, new AbortController().signal, async (item) => {
    started.push(item);
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
  });
  expect(started).toEqual(items);
  expect(most).toBe(4);
});

test("finishes what runs and starts no more after an abort", async () => {
  const abort = new AbortController();
  const finished: number[] = [];
  await runPool([1, 2, 3, 4, 5], 2, abort.signal, async (item) => {
    if (item === 2) abort.abort();
    await turn();
    finished.push(item);
  });
  expect(finished).toEqual([1, 2]);
});
