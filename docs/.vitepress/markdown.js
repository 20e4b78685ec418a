// Makes pages that are written for GitHub work on the site.

import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = "https://github.com/opencomputer/usage";

const docs = fileURLToPath(new URL("..", import.meta.url));

/** Returns the anchor that GitHub gives to a heading. @param {string} heading */
export const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");

/** @param {import("vitepress").MarkdownRenderer} md */
export function extend(md) {
  md.core.ruler.push("github", ({ tokens, env }) => {
    for (const token of tokens) {
      if (token.type === "fence") showFence(token);
      else if (token.type === "html_block") token.content = themed(token.content);
      for (const link of token.children ?? []) {
        if (link.type === "link_open")
          link.attrSet("href", target(link.attrGet("href") ?? "", env.relativePath));
      }
    }
  });
}

/** Hides the lines of a Rust example that only its test needs. @param {{ info: string, content: string }} token */
function showFence(token) {
  // The highlighter does not know this language.
  if (token.info === "promql") token.info = "txt";
  if (!token.info.startsWith("rust")) return;
  token.info = "rust";
  token.content = token.content.replace(/^#( .*)?\n/gm, "").trimStart();
}

/** Turns a picture with a dark source into two images, which follow the theme of the site. @param {string} html */
function themed(html) {
  const picture =
    /<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*<img src="([^"]+)" alt="([^"]*)">\s*<\/picture>/g;
  const image = (
    /** @type {string} */ theme,
    /** @type {string} */ source,
    /** @type {string} */ alt,
  ) =>
    `<img class="in-${theme}" src="${/^\.\.?\//.test(source) ? source : `./${source}`}" alt="${alt}">`;
  return html.replace(
    picture,
    (_, dark, light, alt) => `<p>${image("dark", dark, alt)}${image("light", light, alt)}</p>`,
  );
}

/**
 * Returns the target of a link. A file of the repository that is not on the site is on GitHub.
 *
 * @param {string} href
 * @param {string} page
 */
function target(href, page) {
  if (/^([a-z]+:|#|\/)/.test(href)) return href;
  const [path = "", anchor] = href.split("#");
  const file = join(dirname(page), decodeURI(path));
  if (!file.startsWith("../") && !file.startsWith("examples")) return href;
  const full = join(docs, file);
  if (!existsSync(full)) throw new Error(`docs/${page}: ${href} does not exist`);
  const kind = statSync(full).isDirectory() ? "tree" : "blob";
  return `${REPOSITORY}/${kind}/main/${join("docs", file)}${anchor ? `#${anchor}` : ""}`;
}
