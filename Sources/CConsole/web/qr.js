// QR codes (ISO/IEC 18004) of model 2 in byte mode, with error correction of level M and versions 1 to 20: 666 bytes.

/** For each version: codewords for correction in a block, and blocks of level M. */
const correction = [[10, 1], [16, 1], [26, 1], [18, 2], [24, 2], [16, 4], [18, 4], [22, 4], [22, 5], [26, 5], [30, 5], [22, 8], [22, 9], [24, 9], [24, 10], [28, 10], [28, 11], [26, 13], [26, 14], [26, 16]];

/** The modules of a code as rows of booleans, true for dark. */
export function qr(text) {
  const data = new TextEncoder().encode(text);
  const version = correction.findIndex((_, at) => capacity(at + 1) >= data.length) + 1;
  if (!version) throw new RangeError("too long for a code");
  const codewords = interleave(bits(data, version), version);
  let best;
  for (let mask = 0; mask < 8; mask++) {
    const grid = draw(version, codewords, mask);
    const score = penalty(grid);
    if (!best || score < best.score) best = { grid, score };
  }
  return best.grid;
}

const sizeOf = (version) => 17 + 4 * version;

/** Centres of the alignment patterns. */
function alignment(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => sizeOf(version) - 7 - at * step).reverse()];
}

/** Codewords of a version, data and correction together. */
function total(version) {
  let modules = (16 * version + 128) * version + 64;
  if (version > 1) {
    const count = Math.floor(version / 7) + 2;
    modules -= (25 * count - 10) * count - 55;
    if (version >= 7) modules -= 36;
  }
  return Math.floor(modules / 8);
}

const dataCodewords = (version) => total(version) - correction[version - 1][0] * correction[version - 1][1];
const lengthBits = (version) => (version < 10 ? 8 : 16);
const capacity = (version) => Math.floor((dataCodewords(version) * 8 - 4 - lengthBits(version)) / 8);

function bits(data, version) {
  const out = [];
  const put = (value, count) => { for (let bit = count - 1; bit >= 0; bit--) out.push((value >> bit) & 1); };
  put(4, 4);
  put(data.length, lengthBits(version));
  for (const byte of data) put(byte, 8);
  const room = dataCodewords(version) * 8;
  put(0, Math.min(4, room - out.length));
  while (out.length % 8) out.push(0);
  for (let pad = 0xec; out.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Uint8Array.from({ length: room / 8 }, (_, at) => out.slice(8 * at, 8 * at + 8).reduce((byte, bit) => (byte << 1) | bit, 0));
}

// MARK: Correction: Reed-Solomon over GF(256) with the polynomial 0x11d

function multiply(left, right) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((right >> bit) & 1) * left;
  }
  return product;
}

function divisor(degree) {
  const result = new Uint8Array(degree);
  result[degree - 1] = 1;
  let root = 1;
  for (let round = 0; round < degree; round++) {
    for (let at = 0; at < degree; at++) result[at] = multiply(result[at], root) ^ (result[at + 1] ?? 0);
    root = multiply(root, 2);
  }
  return result;
}

function remainder(data, divisor) {
  const result = Array(divisor.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ result.shift();
    result.push(0);
    divisor.forEach((value, at) => { result[at] ^= multiply(value, factor); });
  }
  return result;
}

function interleave(data, version) {
  const [degree, count] = correction[version - 1];
  const short = Math.floor(data.length / count);
  const long = data.length % count;
  const generator = divisor(degree);
  const blocks = [];
  let at = 0;
  for (let block = 0; block < count; block++) {
    const length = short + (block >= count - long ? 1 : 0);
    const bytes = data.slice(at, at += length);
    blocks.push({ bytes, check: remainder(bytes, generator) });
  }
  const out = [];
  for (let index = 0; index <= short; index++) for (const { bytes } of blocks) if (index < bytes.length) out.push(bytes[index]);
  for (let index = 0; index < degree; index++) for (const { check } of blocks) out.push(check[index]);
  return out;
}

// MARK: Drawing

const masks = [
  (x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0, (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function draw(version, codewords, mask) {
  const size = sizeOf(version);
  const grid = Array.from({ length: size }, () => Array(size).fill(null));
  const set = (x, y, isDark) => { if (y >= 0 && y < size && x >= 0 && x < size) grid[y][x] = isDark; };
  for (const [left, top] of [[0, 0], [size - 7, 0], [0, size - 7]]) {
    for (let y = -1; y <= 7; y++) for (let x = -1; x <= 7; x++) {
      const ring = Math.max(Math.abs(x - 3), Math.abs(y - 3));
      set(left + x, top + y, ring !== 2 && ring !== 4);
    }
  }
  for (let at = 8; at < size - 8; at++) { set(at, 6, at % 2 === 0); set(6, at, at % 2 === 0); }
  const centres = alignment(version);
  for (const cy of centres) for (const cx of centres) {
    const last = size - 7;
    if ((cx === 6 && cy === 6) || (cx === 6 && cy === last) || (cx === last && cy === 6)) continue;
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) set(cx + x, cy + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
  }
  format(set, size, mask);
  if (version >= 7) {
    const code = (version << 12) | bch(version, 12, 0x1f25);
    for (let bit = 0; bit < 18; bit++) {
      const [a, b] = [size - 11 + (bit % 3), Math.floor(bit / 3)];
      set(a, b, (code >> bit) & 1);
      set(b, a, (code >> bit) & 1);
    }
  }
  let index = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (grid[y][x] !== null) continue;
        const bit = index < codewords.length * 8 ? (codewords[index >> 3] >> (7 - (index & 7))) & 1 : 0;
        index += 1;
        grid[y][x] = Boolean(bit) !== masks[mask](x, y);
      }
    }
  }
  return grid.map((row) => row.map(Boolean));
}

/** What is left of `value` shifted by `shift` bits after division by a generator. */
function bch(value, shift, generator) {
  let rest = value << shift;
  while (rest >= 1 << shift) rest ^= generator << (31 - Math.clz32(rest) - shift);
  return rest;
}

function format(set, size, mask) {
  // Level M is 0.
  const code = ((mask << 10) | bch(mask, 10, 0x537)) ^ 0x5412;
  const bit = (at) => (code >> at) & 1;
  for (let at = 0; at <= 5; at++) set(8, at, bit(at));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let at = 9; at < 15; at++) set(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at++) set(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at++) set(8, size - 15 + at, bit(at));
  set(8, size - 8, true);
}

/** How badly a code reads: long runs, blocks, what looks like a corner, and too much of one colour. */
function penalty(grid) {
  const size = grid.length;
  let score = 0, dark = 0;
  const corner = "10111010000", mirrored = "00001011101";
  const column = (x) => grid.map((row) => row[x]);
  for (const line of [...grid, ...grid.map((_, x) => column(x))]) {
    let run = 1;
    for (let at = 1; at <= size; at++) {
      if (line[at] === line[at - 1]) { run += 1; continue; }
      if (run >= 5) score += run - 2;
      run = 1;
    }
    const text = line.map(Number).join("");
    for (const pattern of [corner, mirrored]) for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) score += 40;
  }
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
    dark += grid[y][x];
    if (x && y && grid[y][x] === grid[y][x - 1] && grid[y][x] === grid[y - 1][x] && grid[y][x] === grid[y - 1][x - 1]) score += 3;
  }
  return score + 10 * Math.floor(Math.abs((dark * 20) / (size * size) - 10));
}
