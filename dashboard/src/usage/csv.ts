// CSV files that spreadsheets read without surprises.

/** The content of a cell. Null is an empty cell; an empty text is quoted, so that the two can be told apart. */
export type Cell = string | number | null;

/** Writes rows as RFC 4180. */
export const toCsv = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${row.map(writeCell).join(",")}\r\n`).join("");

function writeCell(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = neutralize(cell);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Puts an apostrophe before a text that a spreadsheet would run as a formula. One of a locale that separates cells by
 * semicolons splits a text there and at its line breaks. Signs of full width are formulas in East Asian locales.
 */
const neutralize = (text: string): string =>
  text.replace(/^(?=[\t\r\n])|(?<=^|[;\r\n])(?=[=+\-@＝＋－＠])/g, "'");

/** Offers a text for download. The mark at its start tells Excel that it is UTF-8. */
export function download(name: string, csv: string): void {
  const url = URL.createObjectURL(new Blob(["\ufeff", csv], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
