// Compares output with the output that a page shows.

/** Maps whose members differ between sandboxes. */
const MAPS = ["tags", "group"];

/**
 * Returns the first difference between the shown and the actual output, if there is one.
 *
 * @param {{ shown: string, exact: boolean }} shown
 * @param {string} actual
 */
export function difference({ shown, exact }, actual) {
  const value = exact ? undefined : parsed(shown);
  if (value === undefined) return textDifference(shown, actual, exact ? trimmed : normal);
  const found = parsed(actual);
  return found === undefined ? `no JSON: ${actual}` : memberDifference([value], [found], "");
}

/** Returns the array or object of a JSON text, if it is one. @param {string} text */
function parsed(text) {
  try {
    return /^\s*[[{]/.test(text) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Compares texts. `…` stands for any text.
 *
 * @param {string} shown
 * @param {string} actual
 * @param {(text: string) => string} normal
 */
function textDifference(shown, actual, normal) {
  const text = normal(actual);
  const parts = normal(shown).split(/(?:^|\n)…(?:\n|$)|…/);
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^]*");
  return new RegExp(`^${pattern}$`).test(text)
    ? undefined
    : `shown:\n${shown}\nprinted:\n${actual}`;
}

/** @param {string} text */
const trimmed = (text) => text.replace(/[^\S\n]+$/gm, "").trim();

/** Makes every run of digits equal to any other, and collapses white space. @param {string} text */
const normal = (text) =>
  text
    .replace(/\d[\d.,:TZ-]*/g, "0")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n/g, "\n")
    .trim();

/**
 * Compares the members of values at one path. The elements of a list count together.
 *
 * @param {unknown[]} shown
 * @param {unknown[]} actual
 * @param {string} path
 * @returns {string | undefined}
 */
function memberDifference(shown, actual, path) {
  const [wanted, found] = [kinds(shown), kinds(actual)];
  const other = [...wanted].find((kind) => !found.has(kind));
  // Null stands for any kind, and a list without elements for one of any elements.
  if (other && other !== "null" && !found.has("null") && actual.length > 0)
    return `${path || "the body"} is no ${other}`;
  const [left, right] = [members(shown), members(actual)];
  if (MAPS.some((map) => path.endsWith(`.${map}`)) || left.size === 0 || right.size === 0)
    return undefined;
  const objects = actual.flat().length;
  for (const [name, values] of right) {
    // A member that only some elements of a list have is optional.
    if (!left.has(name) && values.length === objects)
      return `\`${path}.${name}\` is missing in the page`;
  }
  for (const [name, values] of left) {
    const real = right.get(name);
    if (!real) return `\`${path}.${name}\` is missing in the response`;
    const found = memberDifference(values, real, `${path}.${name}`);
    if (found) return found;
  }
  return undefined;
}

/** @param {unknown[]} values */
function kinds(values) {
  return new Set(
    values.map((value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value)),
  );
}

/** Returns the values of each member of objects, and of the elements of lists. @param {unknown[]} values */
function members(values) {
  /** @type {Map<string, unknown[]>} */
  const found = new Map();
  for (const value of values.flat()) {
    for (const [name, member] of Object.entries(typeof value === "object" && value ? value : {})) {
      found.set(name, [...(found.get(name) ?? []), member]);
    }
  }
  return found;
}
