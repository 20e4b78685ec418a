// The pages of the documentation and their code blocks.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import MarkdownIt from "markdown-it";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** The words after the language. `exact` compares the output that is shown character by character. */
const FLAGS = ["continues", "check", "exact"];

/**
 * A code block. `line` is the line of its fence. `output` is the block that shows what it prints.
 *
 * @typedef {{ file: string, line: number, language: string, flags: Set<string>, text: string, output?: Block }} Block
 */

/** Returns every page, by its path below the root. */
export function pages() {
  const sdks = readdirSync(`${root}sdks`).map((sdk) => `sdks/${sdk}/README.md`);
  const docs = readdirSync(`${root}docs`, { recursive: true, encoding: "utf8" });
  const written = docs.filter((file) => file.endsWith(".md") && !file.includes("node_modules/"));
  return ["README.md", ...sdks, ...written.map((file) => `docs/${file}`)].sort();
}

/**
 * Returns the code blocks of a page, in order.
 *
 * @param {string} file
 * @returns {Block[]}
 */
export function blocks(file) {
  return parse(readFileSync(`${root}${file}`, "utf8"), file);
}

/**
 * @param {string} text
 * @param {string} file
 * @returns {Block[]}
 */
export function parse(text, file) {
  const found = [];
  /** The blocks since the last other text, to which a `json` or `text` block may be the output. @type {Block[]} */
  let before = [];
  const tokens = new MarkdownIt().parse(text, {});
  for (const token of tokens) {
    if (token.type === "fence") {
      const line = (token.map?.[0] ?? 0) + 1;
      const [language = "", ...words] = token.info
        .replace(/[[{].*?[\]}]/g, " ")
        .trim()
        .split(/[\s,]+/);
      const unknown = language === "rust" ? undefined : words.find((word) => !FLAGS.includes(word));
      if (unknown)
        throw new Error(`${file}:${line}: unknown word \`${unknown}\` after the language`);
      const block = { file, line, language, flags: new Set(words), text: token.content };
      const source = block.flags.has("check") ? undefined : shown(block, before);
      if (source) source.output = block;
      else found.push(block);
      before = source ? [] : [...before, block];
    } else if (token.type === "inline" && !token.content.startsWith(":::")) {
      before = [];
    }
  }
  return found;
}

/**
 * Returns the block whose output a block shows.
 *
 * @param {Block} block
 * @param {Block[]} before
 */
function shown({ language }, before) {
  if (language === "json")
    return before.find(({ language, text }) => isShell(language) && /\bcurl\b/.test(text));
  const last = before.at(-1);
  return language === "text" && last && (isShell(last.language) || isProgram(last.language))
    ? last
    : undefined;
}

/** @param {string} language */
export const isShell = (language) => language === "console" || language === "sh";

/** @param {string} language */
const isProgram = (language) => language === "ts" || language === "python";

/** Returns a name for the file of a block. @param {Block} block */
export const nameOf = ({ file, line }) =>
  `${file.replace(/\.md$/, "").replaceAll("/", ".")}.L${line}`;

/** Returns where a block is. @param {Block} block */
export const placeOf = ({ file, line }) => `${file}:${line}`;
