// For resolvers that do not read `exports`: TypeScript's `node10`, Parcel's default, older versions of Metro.
export * from "./dist/esm/validate.js";
