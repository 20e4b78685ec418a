// The pages of a folder, for the sidebar.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const docs = fileURLToPath(new URL("..", import.meta.url));

/**
 * Returns the pages of a folder by the `order` of their front matter, then by name. The title of a page is its first
 * heading.
 *
 * @param {string} folder
 */
export function section(folder) {
  const names = readdirSync(docs + folder).filter((name) => name.endsWith(".md"));
  const pages = names.sort().map((name) => {
    const text = readFileSync(`${docs}${folder}/${name}`, "utf8");
    const order = Number(/^order: (\d+)$/m.exec(text)?.[1] ?? (name === "index.md" ? 0 : 1000));
    const title = /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? name;
    return { order, text: title, link: `/${folder}/${name.replace(/(index)?\.md$/, "")}` };
  });
  return pages.sort((a, b) => a.order - b.order).map(({ text, link }) => ({ text, link }));
}
