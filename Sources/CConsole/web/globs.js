/** The pattern that a search means: what has no wildcard is looked for anywhere in a name. */
export function pattern(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  return /[*?/]/.test(trimmed) ? trimmed : `*${trimmed}*`;
}

/** A pattern that matches exactly what is at a path and below it. Names with `*` or `?` match themselves, and a little more. */
export const below = (path) => (path === "/" ? "/**" : `${path}/**`);

/** Whether a pattern matches a path, by the rules of the server: `?`, `*` within a name, `**` any run of names. */
export function matches(glob, path) {
  const parts = glob.split("/").filter((part) => part !== "");
  if (!glob.startsWith("/")) parts.unshift("**");
  const names = path.split("/").filter((name) => name !== "");
  let states = new Set([0]);
  const close = (states) => {
    const all = new Set(states);
    for (let state of states) while (parts[state] === "**") all.add(++state);
    return all;
  };
  states = close(states);
  for (const name of names) {
    const next = new Set();
    for (const state of states) {
      if (state >= parts.length) continue;
      if (parts[state] === "**") next.add(state);
      else if (matchesName([...parts[state]], [...name])) next.add(state + 1);
    }
    states = close(next);
  }
  return states.has(parts.length);
}

function matchesName(pattern, name) {
  let position = 0, index = 0, star = -1, back = 0;
  while (index < name.length) {
    if (pattern[position] === "*") { star = position++; back = index; }
    else if (position < pattern.length && (pattern[position] === "?" || pattern[position] === name[index])) { position++; index++; }
    else if (star >= 0) { position = star + 1; index = ++back; }
    else return false;
  }
  while (pattern[position] === "*") position++;
  return position === pattern.length;
}
