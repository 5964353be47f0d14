// What the console computes without a page: difference, patterns, order, names. Run by `node --test`; run.py runs it in the browser too.
import { another } from "../../Sources/CConsole/web/names.js";
import { difference, lines } from "../../Sources/CConsole/web/diff.js";
import { below, matches, pattern } from "../../Sources/CConsole/web/globs.js";
import { sorted } from "../../Sources/CConsole/web/sort.js";
import assert from "node:assert/strict";
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
