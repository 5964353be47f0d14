import { digest, sha256 } from "./sha256.js";

// Cuts files as the node does (docs/format.md, "Chunks"): FastCDC, normalised. Cut in other places, a file would be stored again.

const minimum = 64 << 10, normal = 256 << 10, maximum = 1 << 20;
/** Of the high word: the hash is looked at by its first 20 or 16 bits. */
const hard = -1 << 12, easy = -1 << 16;
/** What objects of the kind "chunk" are hashed behind. */
const kind = 1;

/** The gear's numbers, in two words: the first eight bytes of SHA-256 of "pando gear " and the byte. */
const high = new Int32Array(256), low = new Int32Array(256);
const seed = new TextEncoder().encode("pando gear  ");
for (let byte = 0; byte < 256; byte++) {
  seed[seed.length - 1] = byte;
  const view = new DataView(sha256(seed).buffer);
  high[byte] = view.getInt32(0);
  low[byte] = view.getInt32(4);
}

/** Where the first chunk of `bytes` from `from` on ends: behind its last byte. */
export function cut(bytes, from = 0) {
  const limit = Math.min(bytes.length, from + maximum);
  const first = from + minimum, second = Math.min(from + normal, limit);
  if (limit <= first) return limit;
  let above = 0, below = 0;
  // The gear forgets after 64 bytes, and a chunk is never shorter than the minimum.
  for (let index = first - 64; index < limit; index++) {
    const byte = bytes[index], added = low[byte], sum = (below << 1) + added | 0;
    // The words' carries: the bit that leaves the low one, and that of the sum.
    above = (above << 1 | below >>> 31) + high[byte] + (((below << 1 & added) | ((below << 1 | added) & ~sum)) >>> 31) | 0;
    below = sum;
    if ((above & easy) === 0 && index >= first && (index >= second || (above & hard) === 0)) return index + 1;
  }
  return limit;
}

/**
 * The chunks of a file from a cut on, in order: `{offset, size, hash, bytes}`. Reads a few megabytes at a time, which the page hardly
 * notices.
 */
export async function* chunks(file, from = 0) {
  const window = 4 * maximum;
  let base = from, bytes = new Uint8Array(0), at = 0;
  while (base + at < file.size) {
    // A cut is known once the longest chunk is in sight, or the file's end.
    if (bytes.length - at < maximum && base + bytes.length < file.size) {
      base += at;
      bytes = new Uint8Array(await file.slice(base, base + window).arrayBuffer());
      at = 0;
      if (!bytes.length) throw new DOMException("", "NotReadableError");
    }
    const end = cut(bytes, at);
    const chunk = bytes.slice(at, end);
    yield { offset: base + at, size: chunk.length, hash: await chunkHash(chunk), bytes: chunk };
    at = end;
  }
}

/** The name that a chunk has as an object. */
export function chunkHash(bytes) {
  const tagged = new Uint8Array(bytes.length + 1);
  tagged[0] = kind;
  tagged.set(bytes, 1);
  return digest(tagged);
}

/** Chunks as `/bulk/objects` takes them: a frame each (docs/protocol.md, "Object frames"), and the end. */
export function frames(chunks) {
  const parts = [];
  for (const { hash, bytes } of chunks) {
    const head = new DataView(new ArrayBuffer(10));
    head.setUint8(0, kind);
    head.setUint32(2, bytes.length);
    head.setUint32(6, bytes.length);
    parts.push(head.buffer, hash, bytes);
  }
  return new Blob([...parts, new Uint8Array(1)]);
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
