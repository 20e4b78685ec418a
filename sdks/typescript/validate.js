// For resolvers that do not read `exports`: Parcel's default, older versions of Metro.
export * from "./dist/esm/validate.js";
