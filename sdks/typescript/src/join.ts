// The parts of a module: its code by kind, then the sections before and after the code.
const OPCODES = 0;
const LOCALS = 1;
const CONSTANTS = 2;
const OFFSETS = 3;
const CALLS = 4;
const BEFORE = 5;
const AFTER = 6;

/** The id of the section of code. */
const CODE = 10;

/**
 * Joins the parts of a module, which `split.rs` separates so that they compress better. They are the package's own, so
 * they are not validated.
 *
 * @param ends where each part ends.
 */
export function join(
  parts: Uint8Array,
  ends: readonly number[],
  functions: number,
): Uint8Array<ArrayBuffer> {
  // The parts lack the header of the code section, the size of each function, and the alignments. There is one byte of
  // alignment for each offset, and an offset takes at least one byte.
  const offsets = (ends[OFFSETS] as number) - (ends[CONSTANTS] as number);
  const out = new Uint8Array(parts.length + 11 + 3 * functions + offsets);
  const next = [0, ...ends];
  let written = 0;

  const copy = (part: number, end: number) => {
    const start = next[part] as number;
    out.set(parts.subarray(start, end), written);
    written += end - start;
    next[part] = end;
  };
  const byte = (part: number = OPCODES): number => {
    const at = next[part] as number;
    next[part] = at + 1;
    const byte = parts[at] as number;
    out[written++] = byte;
    return byte;
  };
  /** Copies a LEB128 number. Returns it, if it is below 2¹⁴ and not negative. */
  const number = (part: number = OPCODES): number => {
    const low = byte(part);
    if (low < 128) return low;
    let last = byte(part);
    const number = (low & 127) | (last << 7);
    while (last > 127) last = byte(part);
    return number;
  };
  const numbers = (count: number) => {
    for (let i = 0; i < count; i++) number();
  };
  /** Writes a number as LEB128 of a fixed length. */
  const write = (at: number, length: number, value: number) => {
    for (let i = 0; i < length; i++) {
      out[at + i] = ((value >> (7 * i)) & 127) | (i < length - 1 ? 128 : 0);
    }
  };

  copy(BEFORE, ends[BEFORE] as number);
  const code = written;
  out[code] = CODE;
  write(code + 6, 5, functions);
  written += 11;
  for (let i = 0; i < functions; i++) {
    const start = written;
    written += 3;
    // The groups of local variables: their number and type.
    numbers(2 * number());
    for (let depth = 1; depth > 0; ) {
      const opcode = byte();
      if (opcode >= 0x20 && opcode <= 0x22) number(LOCALS);
      else if (opcode >= 0x41 && opcode <= 0x42) number(CONSTANTS);
      else if (opcode >= 0x28 && opcode <= 0x3e) {
        // The alignment is only a hint, which engines ignore.
        out[written++] = 0;
        number(OFFSETS);
      } else if (opcode === 0x10) number(CALLS);
      else if (opcode === 0x0b) depth--;
      else if (opcode >= 0x02 && opcode <= 0x04) {
        depth++;
        number();
      } else if (opcode === 0x44) for (let i = 0; i < 8; i++) byte();
      else if (opcode === 0x0e) numbers(number() + 1);
      else if (opcode === 0x11) numbers(2);
      else if (opcode === 0xfc) {
        const other = number();
        numbers(other < 8 ? 0 : 12 - other);
      } else if (ONE_NUMBER.includes(opcode)) number();
    }
    write(start, 3, written - start - 3);
  }
  write(code + 1, 5, written - code - 6);
  copy(AFTER, ends[AFTER] as number);
  return out.subarray(0, written);
}

/** Branches, globals, and the size of the memory. */
const ONE_NUMBER = [0x0c, 0x0d, 0x23, 0x24, 0x3f, 0x40];
