// Figures with their bars: a table on standard output and a JSON file.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";

/**
 * @typedef {object} Figure
 * @property {string} figure
 * @property {number} value
 * @property {string} unit
 * @property {string | null} bar the bar; null if the figure is only reported
 * @property {boolean | null} holds
 * @property {number[]} samples
 */

/** @type {Figure[]} */
const figures = [];

/** @param {readonly number[]} samples */
export function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  return (low + high) / 2;
}

/**
 * Adds the median of samples.
 *
 * @param {string} figure @param {readonly number[]} samples @param {string} unit
 * @param {{ least?: number, most?: number }} [bar]
 */
export function add(figure, samples, unit, { least, most } = {}) {
  const value = median(samples);
  const bar = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : null;
  const holds = bar === null ? null : value >= (least ?? value) && value <= (most ?? value);
  figures.push({ figure, value, unit, bar, holds, samples: [...samples] });
}

/** @param {number} value */
const shown = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Returns the versions of Node.js, of the package and of its peers. */
function versions() {
  /** @param {string} path */
  const manifest = (path) =>
    JSON.parse(readFileSync(new URL(`../../${path}/package.json`, import.meta.url), "utf8"));
  return {
    "Node.js": process.versions.node,
    "@opencomputer/usage": manifest("sdks/typescript").version,
    ...manifest("benches/ts").devDependencies,
  };
}

function machine() {
  const [processor] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GB`;
  const system = `${type().toLowerCase()} ${release()}`;
  return [processor?.model, `${cpus().length} cores`, memory, system].join(", ");
}

/** Prints the figures, lists missed bars last, and writes them to a file. @param {string} file */
export function report(file) {
  const rows = figures.map(({ figure, value, unit, bar, holds }) => [
    figure,
    `${shown(value)} ${unit}`,
    bar === null ? "reported" : `${bar} ${unit}`,
    holds === null ? "" : holds ? "holds" : "MISSED",
  ]);
  const table = [["figure", "value", "bar", ""], ...rows];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );

  mkdirSync(new URL(".", `file://${file}`).pathname, { recursive: true });
  const written = {
    command: "make bench-ts",
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: versions(),
    notes: [],
    figures,
  };
  writeFileSync(file, `${JSON.stringify(written, null, 2)}\n`);
  console.log(`\nwritten to ${file}`);
  const missed = figures.filter(({ holds }) => holds === false);
  console.log(missed.length === 0 ? "every bar holds" : "missed:");
  for (const { figure, value, unit, bar } of missed)
    console.log(`  ${figure}: ${shown(value)} ${unit}, wanted ${bar} ${unit}`);
}
