import { readFileSync } from "node:fs";

/** An expected error. Absent members are not compared. */
export interface ExpectedError {
  code?: string | null;
  kind?: string;
  status?: number;
  requestId?: string | null;
  violations?: unknown[];
  message?: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  text?: string;
}

/** A case. Its members depend on the suite. */
export interface Case {
  name: string;
  [member: string]: unknown;
}

/** Loads the cases of a suite of `tests/vectors` and expands their special forms. */
export function load<T extends Case>(suite: string): T[] {
  const file = new URL(`../../../../tests/vectors/${suite}.json`, import.meta.url);
  return (expand(JSON.parse(readFileSync(file, "utf8"))) as { cases: T[] }).cases;
}

const FORMS: Record<string, (...parts: never[]) => unknown> = {
  $repeat: (text: string, times: number) => text.repeat(times),
  $concat: (...texts: string[]) => texts.join(""),
  $numbered: (prefix: string, n: number, value: unknown) =>
    map(Array.from({ length: n }, (_, i) => [`${prefix}${i}`, value])),
  $entries: (...entries: [string, unknown][]) => map(entries),
};

/** Expands `$repeat`, `$concat`, `$numbered` and `$entries` at any depth. */
export function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, value]) => [key, expand(value)] as const);
  const [name, parts] = entries[0] ?? [];
  const form = entries.length === 1 && name?.startsWith("$") ? FORMS[name] : undefined;
  return form ? form(...(parts as never[])) : map(entries);
}

/** Makes an object, in which `__proto__` is an ordinary key, unlike in a literal. */
function map(entries: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(entries);
}
