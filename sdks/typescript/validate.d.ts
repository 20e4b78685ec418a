export * from "./dist/esm/validate.js";
