import { readFileSync } from "node:fs";
import { validTags, handWritten, reporters } from "./peers.js";
const enc=new TextEncoder(); const bytes=new Uint8Array(65536);
for (const n of [10,50]) { const tags=validTags(n); const keys=Object.keys(tags), values=keys.map(k=>tags[k]); const joined=keys.join("\0")+values.join("\0");
const fns={
 snap:()=>{const ks=Object.keys(tags);return ks.map(k=>tags[k])},
 snapfor:()=>{const ks=Object.keys(tags);const vs=[];for(let i=0;i<ks.length;i++)vs.push(tags[ks[i]]);return vs},
 values:()=>Object.values(tags),
 entries:()=>Object.entries(tags),
 forin:()=>{let c=0; for(const k in tags) c+=tags[k].length; return c},
 concat:()=>{let j=""; for(let i=0;i<keys.length;i++) j+=keys[i]+"\0"+values[i]+"\0"; return j},
 join:()=>keys.join("\0"), join2:()=>values.join("\0"),
 encInto:()=>enc.encodeInto(joined,bytes),
 concatenc:()=>{let j=""; for(let i=0;i<keys.length;i++) j+=keys[i]+"\0"+values[i]+"\0"; return enc.encodeInto(j,bytes)},
 joinenc:()=>enc.encodeInto(keys.join("\0")+"\0"+values.join("\0"),bytes),
 json:()=>JSON.stringify(tags), jsonenc:()=>enc.encodeInto(JSON.stringify(tags),bytes),
 hand:()=>handWritten(tags), ajv:()=>reporters.ajv(tags) };
const times={}; for(let r=0;r<11;r++) for(const [k,f] of Object.entries(fns)){ const N=10000; const s=performance.now(); for(let i=0;i<N;i++) f(); (times[k]??=[]).push((performance.now()-s)*1e6/N);} 
console.log(n,Object.entries(times).map(([k,t])=>k+" "+t.sort((a,b)=>a-b)[3].toFixed(0)).join("  ")); }
