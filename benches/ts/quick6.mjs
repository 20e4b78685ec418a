import { readFileSync } from "node:fs";
import { validTags, handWritten, reporters } from "./peers.js";
const inst=new WebAssembly.Instance(new WebAssembly.Module(readFileSync("../../sdks/typescript/src/wasm/core.wasm"))).exports;
inst.text(); const lengths=new Uint16Array(inst.memory.buffer, inst.lengths(),128), text=new Uint8Array(inst.memory.buffer, inst.text(), 32768);
const enc=new TextEncoder();
for (const n of [10,50]) { const tags=validTags(n); const entries=Object.entries(tags);
const cat=()=>{let all="",at=0; for(const [k,v] of entries){ if(typeof v!=="string") return; lengths[at++]=k.length; lengths[at++]=v.length; all+=k+v;} return all};
const cat2=()=>{let all="",at=0; for(let i=0;i<entries.length;i++){ const e=entries[i],k=e[0],v=e[1]; if(typeof v!=="string") return; lengths[at++]=k.length; lengths[at++]=v.length; all+=k; all+=v;} return all};
const a3=new Array(2*n); const joinarr=()=>{let at=0; for(let i=0;i<entries.length;i++){ const e=entries[i],k=e[0],v=e[1]; if(typeof v!=="string") return; a3[at]=k; lengths[at++]=k.length; a3[at]=v; lengths[at++]=v.length;} return a3.join("")};
const fns={
 isMap:()=>Object.prototype.toString.call(tags)==="[object Object]", sym:()=>Object.getOwnPropertySymbols(tags).length, proto:()=>Object.getPrototypeOf(tags)===Object.prototype,
 entries:()=>Object.entries(tags),
 cat, cat2, catenc:()=>enc.encodeInto(cat(),text), cat2enc:()=>enc.encodeInto(cat2(),text),joinarr,joinarrenc:()=>enc.encodeInto(joinarr(),text),
 acc:()=>inst.accepts(n),
 hand:()=>handWritten(tags), ajv:()=>reporters.ajv(tags) };
fns.catenc(); 
const times={}; for(let r=0;r<11;r++) for(const [k,f] of Object.entries(fns)){ const N=10000; const s=performance.now(); for(let i=0;i<N;i++) f(); (times[k]??=[]).push((performance.now()-s)*1e6/N);} 
console.log(n,Object.entries(times).map(([k,t])=>k+" "+t.sort((a,b)=>a-b)[3].toFixed(0)).join("  ")); }
