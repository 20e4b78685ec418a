import { expect, test } from "vitest";
import { toCsv } from "../src/usage/csv.js";

test("ends every line with CRLF and quotes as RFC 4180", () => {
  expect(
    toCsv([
      ["a", 'say "hi"'],
      ["x,y", "line\nbreak"],
    ]),
  ).toBe('a,"say ""hi"""\r\n"x,y","line\nbreak"\r\n');
});

test("tells an empty text from a missing one", () => {
  expect(toCsv([["", null, "x"]])).toBe('"",,x\r\n');
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "\nx", "＝1+1"])(
  "neutralizes %j, which a spreadsheet would run",
  (text) => {
    expect(
      toCsv([[text]])
        .replace(/^"/, "")
        .startsWith(`'${text}`),
    ).toBe(true);
  },
);

test.each([
  ["a;=1+1", "a;'=1+1"],
  ["a\n@SUM(A1)", '"a\n\'@SUM(A1)"'],
])("neutralizes what is a cell of its own in another locale in %j", (text, written) => {
  expect(toCsv([[text]])).toBe(`${written}\r\n`);
});

test("leaves signs inside a text and after a space alone", () => {
  expect(toCsv([["a=b", "e-mail", " =1"]])).toBe("a=b,e-mail, =1\r\n");
});

test("writes numbers as plain numbers", () => {
  expect(toCsv([[-0.25, 1234567.5, 0]])).toBe("-0.25,1234567.5,0\r\n");
});
