// For resolvers that do not read `exports`: TypeScript's `node10`, Parcel's default, Metro.
export * from "./dist/esm/validate.js";
