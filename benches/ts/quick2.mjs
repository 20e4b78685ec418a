import { validateTags } from "../../sdks/typescript/dist/esm/index.js";
import { handWritten, invalidTags, reporters, validTags } from "./peers.js";
for (const [n, tags] of [["10", validTags(10)], ["50", validTags(50)],["inv1", invalidTags(1)]]) {
  const fns = { ours: validateTags, hand: handWritten, ...reporters };
  const times = {};
  for (let r = 0; r < 9; r++) for (const [k, f] of Object.entries(fns)) {
    const N=20000; const s=performance.now(); for (let i=0;i<N;i++) f(tags); (times[k] ??= []).push((performance.now()-s)*1e6/N); }
  const med = Object.fromEntries(Object.entries(times).map(([k, t]) => [k, t.sort((a, b) => a - b)[4]]));
  console.log(n, Object.entries(med).map(([k, t]) => `${k} ${t.toFixed(0)}ns (${(t / med.ours).toFixed(2)}x)`).join("  "));
}
import { assertAgreement } from "./peers.js"; assertAgreement(validateTags);
