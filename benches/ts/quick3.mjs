// parts
import { readFileSync } from "node:fs";
import { validTags } from "./peers.js"; import { handWritten } from "./peers.js";
const inst=new WebAssembly.Instance(new WebAssembly.Module(readFileSync("../../sdks/typescript/src/wasm/core.wasm"))).exports;
inst.scratch(); const bytes=new Uint8Array(inst.memory.buffer, inst.scratch(), inst.scratch_bytes());
const isMap=(v)=>Object.prototype.toString.call(v)==="[object Object]" && Object.getOwnPropertySymbols(v).every((k)=>!Object.prototype.propertyIsEnumerable.call(v,k));
function fill(keys, values){ let at=0, all=0; for(let i=0;i<keys.length;i++){const key=keys[i], value=values[i]; if(typeof value!=="string"||at+key.length+value.length+4>bytes.length) return -1; bytes[at++]=key.length;bytes[at++]=key.length>>8;bytes[at++]=value.length;bytes[at++]=value.length>>8; for(let j=0;j<key.length;j++) all|=bytes[at++]=key.charCodeAt(j); for(let j=0;j<value.length;j++) all|=bytes[at++]=value.charCodeAt(j);} return all<128?at:-1;}
for (const n of [10,50]) { const tags=validTags(n); const keys=Object.keys(tags), values=keys.map(k=>tags[k]); const at=fill(keys,values); console.log("bytes",at);
const fns={ isMap:()=>isMap(tags), keys:()=>Object.keys(tags), snap:()=>{const ks=Object.keys(tags);return ks.map(k=>tags[k])}, fill:()=>fill(keys,values), accepts:()=>inst.accepts(at), hand:()=>handWritten(tags) };
const times={}; for(let r=0;r<9;r++) for(const [k,f] of Object.entries(fns)){ const N=20000; const s=performance.now(); for(let i=0;i<N;i++) f(); (times[k]??=[]).push((performance.now()-s)*1e6/N);} 
console.log(n,Object.entries(times).map(([k,t])=>k+" "+t.sort((a,b)=>a-b)[4].toFixed(0)).join("  ")); }
