import { measure } from "mitata";
import { validateTags } from "../../sdks/typescript/dist/esm/index.js";
import { assertAgreement, handWritten, invalidTags, reporters, validTags } from "./peers.js";
assertAgreement(validateTags);
for (const [n, tags] of [["10", validTags(10)], ["50", validTags(50)], ["inv1", invalidTags(1)], ["inv20", invalidTags(20)], ["10é", Object.fromEntries(Object.entries(validTags(10)).map(([k,v])=>[k,v+"é"]))]]) {
  const fns = { ours: validateTags, hand: handWritten, ...reporters };
  const times = {};
  for (let r = 0; r < 5; r++) for (const [k, f] of Object.entries(fns)) (times[k] ??= []).push((await measure(() => f(tags), { min_cpu_time: 50e6 })).p50);
  const med = Object.fromEntries(Object.entries(times).map(([k, t]) => [k, t.sort((a, b) => a - b)[2]]));
  console.log(n, Object.entries(med).map(([k, t]) => `${k} ${t.toFixed(0)}ns (${(t / med.ours).toFixed(2)}x)`).join("  "));
}
