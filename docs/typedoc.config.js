// The API documentation of the npm package.

/** @type {Partial<import("typedoc").TypeDocOptions>} */
export default {
  name: "@opencomputer/usage",
  entryPoints: ["../sdks/typescript/src/index.ts", "../sdks/typescript/src/validate.ts"],
  tsconfig: "../sdks/typescript/tsconfig.build.json",
  out: "../target/docs/api/typescript",
  basePath: "..",
  displayBasePath: "../sdks/typescript/src",
  disableGit: true,
  sourceLinkTemplate: "https://github.com/opencomputer/usage/blob/main/{path}#L{line}",
  readme: "../sdks/typescript/README.md",
  favicon: "../dashboard/src/icon.svg",
  hideGenerator: true,
  navigationLinks: {
    Documentation: process.env.DOCS_BASE ?? "/",
    GitHub: "https://github.com/opencomputer/usage",
  },
  treatWarningsAsErrors: true,
};
