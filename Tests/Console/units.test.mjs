// What the console computes without a page: difference, patterns, order, names. Run by `node --test`; run.py runs it in the browser too.
import { chunks, cut, frames } from "../../Sources/CConsole/web/chunker.js";
import { sha256 } from "../../Sources/CConsole/web/sha256.js";
import { another } from "../../Sources/CConsole/web/names.js";
import { difference, lines } from "../../Sources/CConsole/web/diff.js";
import { below, matches, pattern } from "../../Sources/CConsole/web/globs.js";
import { sorted } from "../../Sources/CConsole/web/sort.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

/** mulberry32: the same numbers for the same seed. */
function random(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 4294967296) * below);
  };
}

test("a difference leads from one text to the other by the fewest lines", () => {
  const seed = Number(process.env.PANDO_SEED ?? Date.now() % 1e6);
  console.log(`seed ${seed}`);
  const next = random(seed);
  const some = () => Array.from({ length: next(14) }, () => "abc"[next(3)]);
  for (let round = 0; round < 2000; round++) {
    const left = some(), right = some();
    const runs = difference(left, right);
    assert.deepEqual(runs.filter((run) => run.kind !== "added").flatMap((run) => run.lines), left);
    assert.deepEqual(runs.filter((run) => run.kind !== "gone").flatMap((run) => run.lines), right);
    const table = Array.from({ length: left.length + 1 }, () => Array(right.length + 1).fill(0));
    for (let x = 1; x <= left.length; x++) for (let y = 1; y <= right.length; y++) {
      table[x][y] = left[x - 1] === right[y - 1] ? table[x - 1][y - 1] + 1 : Math.max(table[x - 1][y], table[x][y - 1]);
    }
    assert.equal(runs.filter((run) => run.kind === "same").flatMap((run) => run.lines).length, table[left.length][right.length]);
    for (const run of runs) {
      if (run.kind !== "added") assert.equal(left[run.left - 1], run.lines[0]);
      if (run.kind !== "gone") assert.equal(right[run.right - 1], run.lines[0]);
    }
  }
});

test("texts that have nothing in common are shown one in the place of the other, in time", () => {
  const many = (letter) => Array.from({ length: 9000 }, (_, at) => letter + at);
  assert.deepEqual(difference(many("a"), many("b")).map((run) => [run.kind, run.lines.length]), [["gone", 9000], ["added", 9000]]);
});

test("lines", () => {
  assert.deepEqual(lines("a\r\nb\n"), ["a", "b"]);
  assert.deepEqual(lines(""), []);
  assert.deepEqual(lines("\n\n"), ["", ""]);
});

test("patterns match as the node's do", () => {
  for (const [glob, path, isMatch] of [
    ["/a/**", "/a", true], ["/a/**", "/a/b/c", true], ["/a/*", "/a/b", true], ["/a/*", "/a/b/c", false], ["*.jpg", "/x/y.jpg", true], ["*.jpg", "/x/y.png", false],
    ["/**/b", "/b", true], ["/**/b", "/x/y/b", true], ["/a?c", "/abc", true], ["/a?c", "/ac", false], ["**", "/anything/at/all", true], ["/é*", "/éa", true], ["/a/**/b/**/c", "/a/x/b/y/z/c", true],
  ]) assert.equal(matches(glob, path), isMatch, `${glob} ${path}`);
  assert.equal(pattern("tree"), "*tree*");
  assert.equal(pattern(" *.jpg "), "*.jpg");
  assert.equal(pattern("a/b"), "a/b");
  assert.equal(pattern("  "), "");
  assert.equal(below("/"), "/**");
  assert.equal(below("/a"), "/a/**");
});

test("order: folders first, numbers as numbers, and no two orders of one list", () => {
  const item = (name, kind = "file", size = 0) => ({ name, path: `/${name}`, kind, size, modified_at: "2026-01-01T00:00:00.000Z" });
  const names = (items) => items.map((item) => item.name);
  const items = [item("b10"), item("b9"), item("Z", "directory"), item("a", "directory"), item("B9"), item("c", "file", 5)];
  assert.deepEqual(names(sorted(items, "name")), ["a", "Z", "B9", "b9", "b10", "c"]);
  assert.deepEqual(names(sorted(items.slice().reverse(), "name")), names(sorted(items, "name")));
  assert.deepEqual(names(sorted(items, "name", true)), ["Z", "a", "c", "b10", "B9", "b9"]);
  assert.equal(sorted(items, "size", true)[2].name, "c");
});

test("a free name", () => {
  assert.equal(another("/x/a.txt"), "/x/a (2).txt");
  assert.equal(another("/x/a (2).txt"), "/x/a (3).txt");
  assert.equal(another("/.profile"), "/.profile (2)");
  assert.equal(another("/x.d/a"), "/x.d/a (2)");
});

test("hashes of all lengths", () => {
  for (let length = 0; length < 300; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 7 + length);
    assert.equal(Buffer.from(sha256(bytes)).toString("hex"), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
  }
});

test("chunks: cut by content alone, as long as they may be, whole, and as the node takes them", async () => {
  const next = random(7);
  const noise = Uint8Array.from({ length: 6 << 20 }, () => next(256));
  const file = new Blob([noise, new Uint8Array(3 << 20), noise.subarray(100)]);
  const found = [];
  for await (const chunk of chunks(file)) found.push(chunk);
  assert.deepEqual(Buffer.concat(found.map(({ bytes }) => bytes)), Buffer.from(await file.arrayBuffer()));
  for (const { size } of found.slice(0, -1)) assert.ok(size > 64 << 10 && size <= 1 << 20, `${size} bytes`);
  assert.deepEqual(found.map(({ offset }) => offset), found.map((_, at) => found.slice(0, at).reduce((sum, { size }) => sum + size, 0)));
  for (const { bytes, hash } of found) assert.equal(Buffer.from(hash).toString("hex"), createHash("sha256").update("\x01").update(bytes).digest("hex"));
  // After the zeros the cuts are found again, and from a cut on they are the same.
  assert.deepEqual(found.at(-2).hash, found.findLast(({ offset, size }) => offset + size < 6 << 20).hash);
  const rest = [];
  for await (const chunk of chunks(file, found[3].offset)) rest.push(chunk.hash);
  assert.deepEqual(rest, found.slice(3).map(({ hash }) => hash));
  assert.equal(cut(new Uint8Array(3 << 20)), 1 << 20);
  assert.equal(cut(noise.subarray(0, 1000)), 1000);
  // The cuts of a noise that anyone can make: the node's own, found once with `GET ?chunks=true`.
  const sizes = [];
  const known = new Uint8Array(3 << 20);
  for (let at = 0; at < known.length; at += 32) known.set(createHash("sha256").update(`grove ${at}`).digest(), at);
  for (let at = 0; at < known.length; at = cut(known, at)) sizes.push(cut(known, at) - at);
  assert.deepEqual(sizes, [274085, 294819, 604977, 396800, 263338, 284127, 273737, 300639, 343631, 109575]);
  const frame = new Uint8Array(await frames([found[0]]).arrayBuffer());
  assert.equal(frame.length, 42 + found[0].size + 1);
  assert.deepEqual([...frame.subarray(0, 2)], [1, 0]);
  assert.equal(new DataView(frame.buffer).getUint32(2), found[0].size);
  assert.deepEqual(frame.subarray(10, 42), found[0].hash);
});
