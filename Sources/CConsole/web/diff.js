/** Lines of a text; a newline at its end begins no further line. */
export function lines(text) {
  const all = text.split(/\r?\n/);
  if (all.at(-1) === "") all.pop();
  return all;
}

/** More edits than this are not looked for, but shown as one text in the place of the other: the search takes their square. */
const maximumEdits = 4000;

/**
 * The difference of two lists of lines by the algorithm of Myers ("An O(ND) Difference Algorithm and Its Variations", 1986).
 * @returns runs `{kind: "same" | "gone" | "added", lines, left, right}`, where `left` and `right` are the numbers of the first line.
 */
export function difference(left, right) {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const a = left.slice(start, left.length - end), b = right.slice(start, right.length - end);
  const edits = [...Array(start).fill("same"), ...path(a, b), ...Array(end).fill("same")];
  const runs = [];
  let x = 0, y = 0;
  for (const kind of edits) {
    if (runs.at(-1)?.kind !== kind) runs.push({ kind, lines: [], left: x + 1, right: y + 1 });
    runs.at(-1).lines.push(kind === "added" ? right[y] : left[x]);
    if (kind !== "added") x += 1;
    if (kind !== "gone") y += 1;
  }
  return runs;
}

/** The shortest way from one list to the other. */
function path(a, b) {
  const whole = () => [...Array(a.length).fill("gone"), ...Array(b.length).fill("added")];
  if (!a.length || !b.length) return whole();
  const limit = Math.min(a.length + b.length, maximumEdits);
  const offset = limit + 1;
  const furthest = new Int32Array(2 * limit + 3);
  const trace = [];
  for (let edits = 0; edits <= limit; edits++) {
    // Only this many diagonals have been reached.
    trace.push(furthest.slice(offset - edits - 1, offset + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      let x = k === -edits || (k !== edits && furthest[offset + k - 1] < furthest[offset + k + 1]) ? furthest[offset + k + 1] : furthest[offset + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest[offset + k] = x;
      if (x >= a.length && x - k >= b.length) return back(trace, a.length, b.length);
    }
  }
  return whole();
}

function back(trace, x, y) {
  const edits = [];
  for (let count = trace.length - 1; count >= 0; count--) {
    const row = trace[count];
    const at = (k) => row[k + count + 1];
    const k = x - y;
    const before = k === -count || (k !== count && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const fromX = count === 0 ? 0 : at(before);
    const fromY = count === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) { edits.push("same"); x -= 1; y -= 1; }
    if (count > 0) {
      edits.push(x === fromX ? "added" : "gone");
      x = fromX;
      y = fromY;
    }
  }
  return edits.reverse();
}
