const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const keys = {
  name: (left, right) => collator.compare(left.name, right.name),
  size: (left, right) => (left.size ?? 0) - (right.size ?? 0),
  modified: (left, right) => (left.modified_at ?? "").localeCompare(right.modified_at ?? "", "en"),
  kind: (left, right) => (left.content_type ?? "").localeCompare(right.content_type ?? "", "en"),
  path: (left, right) => collator.compare(left.path, right.path),
};

/** Directories first, then by the key, then by name; whatever the direction, equal names stand in the order of their bytes. */
export function sorted(items, key, isDescending = false) {
  const compare = keys[key] ?? keys.name;
  const sign = isDescending ? -1 : 1;
  return items.slice().sort((left, right) =>
    (right.kind === "directory") - (left.kind === "directory")
    || sign * compare(left, right)
    || sign * keys.name(left, right)
    || (left.path < right.path ? -1 : 1));
}
