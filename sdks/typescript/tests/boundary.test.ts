import * as sdk from "@opencomputer/usage";
import {
  InvalidRequestError,
  LIMITS,
  OpenComputerError,
  TagValidationError,
  UsageClient,
  validateTags,
  validateTagValue,
} from "@opencomputer/usage";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answering, call, failure, METHODS } from "./support/calls.js";

const FUNCTIONS = [
  sdk.validateTags,
  sdk.validateTagKey,
  sdk.validateTagValue,
  sdk.parseGroupBy,
  sdk.formatGroupBy,
  sdk.parseFilter,
  sdk.formatFilter,
  sdk.encodeCursor,
  sdk.decodeCursor,
] as readonly ((value: never) => unknown)[];

/** Runs a function that may work or fail with an OpenComputerError. */
function worksOrIsRefused(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof OpenComputerError)) throw error;
  }
}

/** Checks that the core still works. */
function expectSound(): void {
  expect(validateTags({ team: "payments" })).toEqual([]);
  expect(validateTags({ "oc:team": "é" })).toMatchObject([{ code: "key_reserved_prefix" }]);
}

const units = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units));
const key = fc.oneof(
  units,
  fc.constantFrom("__proto__", "constructor", "toString", "toJSON", "then", "length", "kind", "v"),
);
const thrown = fc.constantFrom<unknown>(new Error("no"), "no", null, undefined, 7, Symbol("no"));
/** Makes a value with getters, proxies, maps and symbols in it, which throw only inside the function under test. */
type Make = () => unknown;
const made = (makes: Readonly<Record<string, Make>>) =>
  Object.fromEntries(Object.entries(makes).map(([key, make]) => [key, make()]));
const property = (key: string, get: () => unknown) =>
  Object.defineProperty({}, key, { enumerable: true, get });
const raise = (error: unknown) => () => {
  throw error;
};
const { trap } = fc.letrec<{ trap: Make }>((tie) => ({
  trap: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc
      .anything({ key, withBigInt: true, withDate: true, withMap: true, withSparseArray: true })
      .map((value) => () => value),
    fc
      .constantFrom<unknown>(Symbol("s"), () => {}, new Map([["a", "b"]]), new Date(Number.NaN))
      .map((value) => () => value),
    fc.dictionary(key, tie("trap")).map((makes) => () => Object.freeze(made(makes))),
    fc.tuple(key, thrown).map(
      ([key, error]) =>
        () =>
          property(key, raise(error)),
    ),
    fc.tuple(key, fc.array(tie("trap"))).map(([key, makes]) => () => {
      const values = makes.map((make) => make());
      return property(key, () => values.pop());
    }),
    thrown.map((error) => () => new Proxy([], { get: raise(error) })),
    fc.array(key).map((keys) => () => {
      const shown = { enumerable: true, configurable: true, value: "x" };
      return new Proxy(
        {},
        { ownKeys: () => [...new Set(keys)], getOwnPropertyDescriptor: () => shown },
      );
    }),
  ),
}));

describe("any value", () => {
  test("as an argument of a function works or is rejected, and the core keeps working", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          trap,
          fc.dictionary(key, trap).map((makes) => () => made(makes)),
        ),
        (make) => {
          for (const run of FUNCTIONS) worksOrIsRefused(() => run(make() as never));
        },
      ),
      { numRuns: 2_000 },
    );
    expectSound();
  }, 60_000);

  test("as an argument of a method is rejected before anything is sent, or works", async () => {
    const names = fc.constantFrom(...Object.keys(METHODS));
    await fc.assert(
      fc.asyncProperty(names, fc.dictionary(key, trap), trap, async (name, makes, make) => {
        const { client } = answering({});
        const option = make();
        const params = { key: option, sandboxId: option, ...made(makes) };
        const error = await call(client(), name, params)
          .then(() => undefined)
          .catch((error: unknown) => error);
        if (error !== undefined) expect(error).toBeInstanceOf(OpenComputerError);
        worksOrIsRefused(() => new UsageClient(option as object));
      }),
      { numRuns: 500 },
    );
    expectSound();
  }, 60_000);
});

describe("keys named like members of Object.prototype", () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf"];

  test("are ordinary keys", () => {
    const tags = Object.fromEntries(names.map((name) => [name, "x"]));
    expect(Object.keys(tags)).toEqual(names);
    expect(validateTags(tags)).toEqual([]);
    const nothing = Object.create(null) as Record<string, string>;
    expect(validateTags(Object.assign(nothing, { team: "a" }))).toEqual([]);
  });

  test("are ignored if they are inherited", () => {
    const tags = Object.create({ "oc:inherited": "x" }) as Record<string, string>;
    tags["team"] = "payments";
    expect(validateTags(tags)).toEqual([]);
  });
});

describe("values that are not maps of strings", () => {
  const odd: [string, unknown][] = [
    ["a Map", new Map([["team", "payments"]])],
    ["a list", ["team"]],
    ["a date", new Date()],
    ["a key that is a symbol", { team: "payments", [Symbol("env")]: "prod" }],
  ];
  test.for(odd)("%s is invalid_body", async ([, tags]) => {
    const error = await failure(() => validateTags(tags));
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(error).toHaveProperty("code", "invalid_body");
    const { client, sent } = answering({});
    const refused = await failure(() => client().tags.set("sb", tags as Record<string, string>));
    expect(refused).toHaveProperty("code", "invalid_body");
    expect(sent).toEqual([]);
  });

  test("a symbol key that is not enumerable is ignored", () => {
    expect(validateTags(Object.defineProperty({ a: "b" }, Symbol("s"), { value: 1 }))).toEqual([]);
  });
});

test("members of an array besides its items are ignored", () => {
  expect(sdk.formatFilter("a team".match(/(t)eam/))).toBe("team,t");
});

describe("getters", () => {
  test("are called once, so the reported value is the checked one", () => {
    let asked = 0;
    const tags = {
      get team() {
        return asked++ === 0 ? "\0" : "fine";
      },
    };
    expect(validateTags(tags)).toMatchObject([{ code: "value_contains_nul" }]);
    expect(asked).toBe(1);
  });

  test("may call the package", () => {
    const inner: unknown[] = [];
    const tags = {
      a: "x",
      get b() {
        inner.push(validateTags({ "oc:inner": "é".repeat(300) }));
        return "y";
      },
      "oc:c": "z",
    };
    expect(validateTags(tags)).toMatchObject([{ code: "key_reserved_prefix", key: "oc:c" }]);
    expect(inner).toMatchObject([[{ code: "key_reserved_prefix" }, { code: "value_too_long" }]]);
  });

  test("that recurse forever cause an OpenComputerError, and the core keeps working", async () => {
    const endless: unknown = {
      get a(): unknown {
        return validateTags(endless);
      },
    };
    for (let i = 0; i < 20; i++) {
      expect(await failure(() => validateTags(endless))).toBeInstanceOf(OpenComputerError);
    }
    expectSound();
  });
});

describe("large input", () => {
  test("tags longer than the core's buffer are not truncated", () => {
    let point = 0x4e00;
    const wide = (n: number) => String.fromCharCode(...Array.from({ length: n }, () => point++));
    // The tags up to the end of the buffer have as many bytes as all of them have units, so counting bytes alone would
    // accept the rest unread.
    const sizes = Array.from({ length: 50 }, (_, i) => (i < 49 ? 652 : 670));
    const fine = sizes.map((size) => `key${wide((size - 1) / 3)}x`).join("");
    let rest = fine + wide(32 * 1024 - fine.length);
    const tags = Object.fromEntries(
      sizes.map((size) => {
        const [key, value] = [rest.slice(0, 3), rest.slice(3, 3 + size)];
        rest = rest.slice(3 + size);
        return [key, value];
      }),
    );
    expect([Object.keys(tags).length, rest]).toEqual([50, ""]);
    const codes = validateTags(tags).map(({ code }) => code);
    expect(codes.filter((code) => code === "value_too_long")).toHaveLength(50);
  });

  test.for(["x", "é", "😀"])("a value of ten million %s is measured", (character) => {
    const [violation] = validateTagValue(character.repeat(10_000_000));
    expect(violation?.message).toContain("10000000 characters");
    expectSound();
  });

  test("a million tags are too many", () => {
    const tags = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, "v"]));
    const violations = validateTags(tags);
    expect(violations).toMatchObject([{ code: "too_many_tags" }]);
    expect(violations[0]?.message).toContain("1000000 tags");
    expectSound();
  }, 120_000);

  test("the longest string causes an OpenComputerError", async () => {
    const longest = "x".repeat(2 ** 29 - 24);
    expect(await failure(() => validateTagValue(longest))).toBeInstanceOf(OpenComputerError);
    expectSound();
  });

  test("a client keeps working after options too large for memory", async () => {
    const { client, sent } = answering({ keys: [] });
    const survivor = client();
    const half = "x".repeat(2 ** 28);
    const error = await failure(() => survivor.tags.listKeys({ headers: { a: half, b: half } }));
    expect(error).toBeInstanceOf(OpenComputerError);
    expect(await survivor.tags.listKeys()).toEqual([]);
    expect(sent).toHaveLength(1);
  });
});

test("the core rejects values beyond LIMITS", () => {
  expect(validateTagValue("v".repeat(LIMITS.maxTagValueCharacters))).toEqual([]);
  expect(validateTagValue("v".repeat(LIMITS.maxTagValueCharacters + 1))).toHaveLength(1);
  expect(new TagValidationError("x").violations).toEqual([]);
});
