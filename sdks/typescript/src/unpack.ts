// Offsets of the probabilities of LZMA, for lc = 1, lp = 0 and pb = 0.
const IS_MATCH = 0;
const IS_REP = 12;
const IS_REP_0 = 24;
const IS_REP_1 = 36;
const IS_REP_2 = 48;
const IS_REP_0_LONG = 60;
const SLOT = 72;
const SPECIAL = SLOT + 4 * 64;
const ALIGN = SPECIAL + 115;
const LENGTH = ALIGN + 16;
const REP_LENGTH = LENGTH + 2 + 8 + 8 + 256;
const LITERAL = REP_LENGTH + 2 + 8 + 8 + 256;

/**
 * Decompresses an LZMA stream without a header. The stream is the package's own, so it is not validated.
 * `docs/decisions/0022-compressed-module.md` compares the alternatives.
 */
export function unpack(packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size);
  const probabilities = new Uint16Array(LITERAL + 2 * 768).fill(1024);
  // 32 bits each, as signed integers, which engines store unboxed.
  let range = -1;
  let code = 0;
  let read = 0;
  let written = 0;

  const normalize = () => {
    if (range >>> 24) return;
    range <<= 8;
    code = (code << 8) | (packed[read++] as number);
  };
  const bit = (at: number): number => {
    normalize();
    const probability = probabilities[at] as number;
    const bound = (range >>> 11) * probability;
    if (code >>> 0 < bound) {
      range = bound | 0;
      probabilities[at] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    range = (range - bound) | 0;
    code = (code - bound) | 0;
    probabilities[at] = probability - (probability >> 5);
    return 1;
  };
  const tree = (at: number, bits: number): number => {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | bit(at + node);
    return node - (1 << bits);
  };
  const reverseTree = (at: number, bits: number): number => {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const one = bit(at + node);
      node = (node << 1) | one;
      value |= one << i;
    }
    return value;
  };
  const length = (at: number): number => {
    if (!bit(at)) return tree(at + 1, 3);
    return bit(at + 1) ? 16 + tree(at + 17, 8) : 8 + tree(at + 9, 3);
  };
  const distance = (length: number): number => {
    const slot = tree(SLOT + Math.min(length, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const start = (2 | (slot & 1)) << bits;
    if (slot < 14) return start + reverseTree(SPECIAL + start - slot, bits);
    let direct = 0;
    for (let i = 4; i < bits; i++) {
      normalize();
      range = (range >>> 1) | 0;
      const one = code >>> 0 >= range >>> 0 ? 1 : 0;
      if (one) code = (code - range) | 0;
      direct = (direct << 1) | one;
    }
    return start + (direct << 4) + reverseTree(ALIGN, 4);
  };

  // The first byte is always zero.
  for (let i = 0; i < 5; i++) code = (code << 8) | (packed[read++] as number);
  let state = 0;
  let [last, second, third, fourth] = [0, 0, 0, 0];
  while (written < size) {
    if (!bit(IS_MATCH + state)) {
      const at = LITERAL + 768 * ((out[written - 1] ?? 0) >> 7);
      let node = 1;
      if (state >= 7) {
        let expected = out[written - last - 1] as number;
        for (let same = true; same && node < 256; expected <<= 1) {
          const wanted = (expected >> 7) & 1;
          const one = bit(at + ((1 + wanted) << 8) + node);
          node = (node << 1) | one;
          same = one === wanted;
        }
      }
      while (node < 256) node = (node << 1) | bit(at + node);
      out[written++] = node;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    let count = 1;
    if (!bit(IS_REP + state)) {
      count = length(LENGTH) + 2;
      fourth = third;
      third = second;
      second = last;
      last = distance(count - 2);
      state = state < 7 ? 7 : 10;
    } else if (bit(IS_REP_0 + state)) {
      let again = second;
      if (bit(IS_REP_1 + state)) {
        again = third;
        if (bit(IS_REP_2 + state)) {
          again = fourth;
          fourth = third;
        }
        third = second;
      }
      second = last;
      last = again;
      count = length(REP_LENGTH) + 2;
      state = state < 7 ? 8 : 11;
    } else if (bit(IS_REP_0_LONG + state)) {
      count = length(REP_LENGTH) + 2;
      state = state < 7 ? 8 : 11;
    } else {
      state = state < 7 ? 9 : 11;
    }
    const from = written - last - 1;
    for (let i = 0; i < count; i++) out[written++] = out[from + i] as number;
  }
  return out;
}
