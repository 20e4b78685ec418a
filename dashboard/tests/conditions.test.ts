import { describe, expect, it } from "vitest";
import { condition, readConditions, withEdited, writeConditions } from "../src/conditions.js";

const team = condition("tag:team", "any", ["payments"]);
const env = condition("tag:env", "none", ["dev"]);

describe("edited conditions", () => {
  it("stay in their place, also when the kind changes", () => {
    const edited = condition("tag:team", "none", ["payments"]);
    expect(withEdited([team, env], team, edited)).toEqual([edited, env]);
  });

  it("replace another condition with the same parameter", () => {
    const notTeam = condition("tag:team", "none", ["ml"]);
    const edited = condition("tag:team", "none", ["payments"]);
    expect(withEdited([team, env, notTeam], team, edited)).toEqual([edited, env]);
  });
});

describe("conditions in a URL", () => {
  it("survive a round trip with quotes, commas and empty values", () => {
    const conditions = [
      condition("tag:team", "any", ["a,b", 'say "hi"', "", " padded "]),
      condition("tag:team", "present", []),
      condition("region", "missing", []),
    ];
    const params = new URLSearchParams();
    writeConditions(params, conditions);
    expect(readConditions(new URLSearchParams(params.toString()))).toEqual(conditions);
  });

  it("count once per parameter, the last one", () => {
    const params = new URLSearchParams("filter[tag:team]=a&filter[tag:team]=b");
    expect(readConditions(params)).toEqual([condition("tag:team", "any", ["b"])]);
  });
});
