// Programs from code blocks. A block is a program, and blocks that continue it are appended.
// Every line keeps its number in the page, so errors of compilers point to it.

/** @import { Block } from "./pages.js" */

/** Printed after each block of a program. */
export const END = "\u001e";

/**
 * Groups blocks of one language by program.
 *
 * @param {Block[]} blocks
 */
export function programs(blocks) {
  /** @type {Block[][]} */
  const grouped = [];
  for (const block of blocks) {
    const last = grouped.at(-1);
    if (!block.flags.has("continues")) grouped.push([block]);
    else if (last) last.push(block);
    else throw new Error(`${block.file}:${block.line}: there is no block that it could continue`);
  }
  return grouped;
}

/** Returns whether a program is only checked. @param {Block[]} program */
export const isChecked = (program) => program.some(({ flags }) => flags.has("check"));

/**
 * Returns the source of a program. A block that continues is in a scope of its own, so it may shadow names.
 *
 * @param {Block[]} program
 */
export function source(program) {
  return program[0]?.language === "python" ? python(program) : typescript(program);
}

/** @param {Block[]} program */
function typescript(program) {
  const head = ["export {};"];
  const lines = [];
  for (const [index, block] of program.entries()) {
    while (lines.length < block.line - 1) lines.push("");
    // Imports are only valid at the top; the first line of a page is never code.
    const body = block.text.replace(/^import\b[^;]*;/gm, (text) => {
      head.push(text.replaceAll("\n", " "));
      return text.replace(/[^\n]/g, "");
    });
    lines.push(index > 0 ? "{" : "", ...body.trimEnd().split("\n"), `console.log("${END}");`);
  }
  lines[0] = head.join(" ");
  return `${lines.join("\n")}\n${"}".repeat(program.length - 1)}\n`;
}

/** @param {Block[]} program */
function python(program) {
  const lines = [];
  for (const block of program) {
    while (lines.length < block.line) lines.push("");
    lines.push(...block.text.trimEnd().split("\n"), `print("${END}")`);
  }
  return `${lines.join("\n")}\n`;
}
