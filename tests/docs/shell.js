// Commands of `console` and `sh` blocks.

import { END } from "./programs.js";

/** @import { Block } from "./pages.js" */

/** Makes curl print only the body, and fail on an error status. */
const PRELUDE = 'curl() { command curl -s --fail-with-body "$@"; }';

/**
 * Returns the commands of a block, each with the output that the block shows below it.
 *
 * @param {Block} block
 * @returns {{ command: string, shown: string, exact: boolean }[]}
 */
export function commands({ language, flags, text, file, line }) {
  const exact = flags.has("exact");
  if (language === "sh") return [{ command: text, shown: "", exact }];
  const found = [];
  let open = false;
  for (const row of text.trimEnd().split("\n")) {
    const last = found.at(-1);
    if (row.startsWith("$ ")) found.push({ command: row.slice(2), shown: "", exact });
    else if (!last) throw new Error(`${file}:${line}: a console block starts with \`$ \``);
    else if (open) last.command += `\n${row}`;
    else last.shown += `${row}\n`;
    open = row.endsWith("\\") && (row.startsWith("$ ") || open);
  }
  return found;
}

/**
 * Returns a script of the blocks that continue each other, and the output that is shown for each of its commands. A
 * command fails if and only if an error is shown.
 *
 * @param {Block[]} blocks
 */
export function script(blocks) {
  const all = blocks.flatMap((block) => {
    const found = commands(block);
    const last = found.at(-1);
    if (last && block.output) Object.assign(last, shownBy(block.output));
    return found;
  });
  const lines = all.map(({ command, shown }) => {
    if (!isError(shown)) return `${command}\nprintf '${END}'`;
    return `if ${command}\nthen echo "this succeeds, but an error is shown"; exit 1; fi\nprintf '${END}'`;
  });
  return { text: `set -eu; exec 2>&1\n${PRELUDE}\n${lines.join("\n")}\n`, outputs: all };
}

/** Returns the output that a block shows. @param {Block | undefined} block */
export const shownBy = (block) => ({
  shown: block?.text ?? "",
  exact: block?.flags.has("exact") ?? false,
});

/** @param {string} shown */
const isError = (shown) => /^error: /.test(shown) || /^\{\s*"error"/.test(shown);
