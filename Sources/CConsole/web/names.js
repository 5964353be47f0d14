// Paths and names, without a page.

export const parent = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
export const nameOf = (path) => path.slice(path.lastIndexOf("/") + 1);
export const join = (directory, name) => (directory === "/" ? "/" + name : directory + "/" + name);
/** A path as URLs have it. `encodeURIComponent` leaves what URLs allow in a name, and `.` and `..` are no names here. */
export const encode = (path) => path.split("/").map(encodeURIComponent).join("/");
export const isWithin = (path, directory) => directory === "/" || path === directory || path.startsWith(directory + "/");
export const fileURL = (path, query = "") => "/files" + (path === "/" ? "/" : encode(path)) + query;

/** `a.txt` becomes `a (2).txt`, and that `a (3).txt`. */
export function another(path) {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".") > 0 ? name.lastIndexOf(".") : name.length;
  const [, stem, number] = /^(.*?)(?: \((\d+)\))?$/s.exec(name.slice(0, dot));
  return join(parent(path), `${stem} (${Number(number ?? 1) + 1})${name.slice(dot)}`);
}
