// The shared test vectors, as far as they can be typed into a field.

import { readFileSync } from "node:fs";

/** Makes the text that a vector describes. @param {any} text @returns {unknown} */
function made(text) {
  if (text?.$repeat) return text.$repeat[0].repeat(text.$repeat[1]);
  if (text?.$concat) return text.$concat.map(made).join("");
  return text;
}

/** A field holds neither line breaks nor, through the driver, lone surrogates. @param {unknown} text */
const canBeTyped = (text) =>
  typeof text === "string" && text.isWellFormed() && !/[\r\n]/.test(text);

/**
 * Returns the texts of a suite that can be typed, and the messages of their violations.
 *
 * @param {"key" | "value"} kind
 * @returns {{ name: string, text: string, messages: string[] }[]}
 */
export function typedCases(kind) {
  const file = new URL(`../vectors/tag-${kind}.json`, import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8"));
  return cases
    .map((/** @type {any} */ each) => ({
      name: each.name,
      text: made(each[kind]),
      messages: each.violations.map((/** @type {any} */ violation) => made(violation.message)),
    }))
    .filter((/** @type {any} */ { text }) => canBeTyped(text));
}
