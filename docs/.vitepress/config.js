import { copyFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { extend, REPOSITORY, slugify } from "./markdown.js";
import { section } from "./pages.js";

const TITLE = "OpenComputer usage";
const DESCRIPTION =
  "Attribute the spend of cloud sandboxes to your own tags, with sums that add up to the bill.";
const SCREENSHOT =
  "https://raw.githubusercontent.com/opencomputer/usage/main/docs/images/usage-light.png";
// The path of the site on its host, such as `/usage/`.
const base = process.env.DOCS_BASE ?? "/";

/** @param {string} property @param {string} content @returns {[string, Record<string, string>]} */
const meta = (property, content) => ["meta", { property, content }];
/** A page outside of the router of the site. @param {string} text @param {string} link */
const generated = (text, link) => ({ text, link, target: "_self" });
/** @param {string} text @param {string} link */
const page = (text, link) => ({ text, link });

export default defineConfig({
  title: TITLE,
  description: DESCRIPTION,
  lang: "en",
  base,
  cleanUrls: true,
  outDir: "../target/docs",
  cacheDir: "../target/vitepress",
  srcExclude: ["examples/**"],
  // Built after the pages. The test of the site checks these links.
  ignoreDeadLinks: [/^\/api\/(typescript|python|rust)\//],
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `${base}icon.svg` }]],
  markdown: { anchor: { slugify }, config: extend },
  transformHead: ({ pageData }) => [
    meta("og:site_name", TITLE),
    meta("og:type", "website"),
    meta("og:title", pageData.title || TITLE),
    meta("og:description", pageData.description || DESCRIPTION),
    meta("og:image", SCREENSHOT),
  ],
  buildEnd({ outDir, srcDir }) {
    copyFileSync(`${srcDir}/openapi.json`, `${outDir}/openapi.json`);
    copyFileSync(
      fileURLToPath(new URL("../../dashboard/src/icon.svg", import.meta.url)),
      `${outDir}/icon.svg`,
    );
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path` },
    socialLinks: [{ icon: "github", link: REPOSITORY }],
    nav: [
      page("Start", "/start"),
      page("API", "/api/"),
      page("Server", "/operating"),
      page("Changelog", "/changelog"),
    ],
    sidebar: [
      { text: "Start", items: [page("Overview", "/"), page("Start in five minutes", "/start")] },
      { text: "Concepts", items: section("concepts") },
      {
        text: "How-to guides",
        items: [
          ...section("guides"),
          page("Move from the platform's SDK", "/sdk/moving"),
          page("Use the dashboard", "/dashboard"),
          page("Operate the server", "/operating"),
        ],
      },
      {
        text: "HTTP API",
        items: [
          page("Endpoints", "/api/"),
          page("Usage", "/api/usage"),
          page("Usage of one sandbox", "/api/sandbox-usage"),
          page("Time zones and intervals", "/api/time"),
          page("Sandboxes", "/api/sandboxes"),
          page("Tags of a sandbox", "/api/sandbox-tags"),
          page("Tag keys and values", "/api/tags"),
          page("Errors", "/api/errors"),
          page("Limits", "/api/limits"),
        ],
      },
      {
        text: "SDKs",
        items: [
          page("TypeScript", "/sdk/typescript"),
          page("Python", "/sdk/python"),
          page("Rust", "/sdk/rust"),
          generated("TypeScript API", "/api/typescript/"),
          generated("Python API", "/api/python/opencomputer_usage.html"),
          generated("Rust API", "/api/rust/opencomputer_usage/"),
        ],
      },
      {
        text: "Server",
        items: [
          page("Command line", "/reference/cli"),
          page("Configuration", "/reference/configuration"),
          page("Import format", "/reference/imports"),
          page("Limits of the server", "/reference/server-limits"),
          page("Logs and metrics", "/reference/metrics"),
        ],
      },
      { text: "Decisions", collapsed: true, items: section("decisions") },
      {
        text: "Project",
        items: [page("Benchmarks", "/benchmarks"), page("Changelog", "/changelog")],
      },
    ],
  },
});
