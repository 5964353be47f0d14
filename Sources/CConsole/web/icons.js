import { svg } from "./dom.js";

// Drawn on 24 by 24, as strokes.
const paths = {
  files: "M3 6.5A1.5 1.5 0 0 1 4.5 5h4.6l2 2.5h8.4A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z",
  directory: "M3 6.5A1.5 1.5 0 0 1 4.5 5h4.6l2 2.5h8.4A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z",
  file: "M6 3.5h8L19 8v12.5H6zM14 3.5V8h5",
  symlink: "M6 3.5h8L19 8v12.5H6zM9 16c0-3 2-4 5-4m-2-2 2 2-2 2",
  image: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l2.5-2.5L20 18M15.5 9.5h.01",
  video: "M3.5 6h12v12h-12zM15.5 10l5-3v10l-5-3",
  audio: "M9 17.500a2.5 2.5 0 1 1-2.5-2.500A2.5 2.5 0 0 1 9 17.500V6l10-2v11.500a2.5 2.5 0 1 1-2.5-2.5 2.5 2.5 0 0 1 2.5 2.5",
  text: "M6 3.5h8L19 8v12.500H6zM14 3.500V8h5M9 12h7M9 15h7M9 18h4",
  archive: "M4 5h16v4H4zM5 9v10.500h14V9M10 13h4",
  conflicts: "M12 20v-6M12 14c0-4-5-3-5-8V4M12 14c0-4 5-3 5-8V4M4.5 6.5 7 4l2.5 2.500M14.5 6.5 17 4l2.5 2.5",
  cluster: "M12 7.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM5.5 21a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM18.5 21a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM11 7.5 6.5 16M13 7.500l4.5 8.500M8 18.500h8",
  time: "M12 21a9 9 0 1 0-9-9M3 12V7M3 12h5M12 7v5.500l3.5 2",
  keys: "M14.5 13.500a5 5 0 1 0-4.2-2.300L3.5 18v2.500H7V18h2.500v-2.500l2-2c.9.5 1.9.8 3 0zM15.5 8.500h.01",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20.5 20.5",
  upload: "M12 16V4.500M7 9l5-5 5 5M4 16v4h16v-4",
  download: "M12 4v11.500M7 11l5 5 5-5M4 16v4h16v-4",
  add: "M12 5v14M5 12h14",
  folderAdd: "M3 6.500A1.5 1.5 0 0 1 4.5 5h4.600l2 2.500h8.400A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.500h-15A1.5 1.5 0 0 1 3 18zM12 10.500v6M9 13.500h6",
  remove: "M4.5 7h15M9.5 7V4.500h5V7M6.5 7l1 13h9l1-13M10.5 10.500v6M13.5 10.500v6",
  rename: "M4 20l1-4.500L16 4.500l3.5 3.500L8.5 19zM13.5 7l3.5 3.5",
  move: "M4 12h15M13.5 6.5 19 12l-5.5 5.5",
  copy: "M8.5 8.500h11v11h-11zM15.5 8.500v-4h-11v11h4",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.500l4.5 4.500L19 7.5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  up: "M12 19V5.500M6 11l6-6 6 6",
  pause: "M8.5 5v14M15.5 5v14",
  play: "M7.5 5l11 7-11 7z",
  undo: "M4 9h10.500a5 5 0 0 1 0 10H8M4 9l4.5-4.500M4 9l4.5 4.5",
  exit: "M14 4h5.500v16H14M4 12h11M11 8l4 4-4 4",
  theme: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 3.5v17M12 7.500h5M12 12h8M12 16.500h5",
  info: "M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5.500M12 8h.01",
  warning: "M12 4 2.5 20h19zM12 10v5M12 17.500h.01",
  refresh: "M20 11a8 8 0 1 0-1.5 6M20 5v6h-6",
};

export function icon(name, size = 20) {
  return svg("svg", {
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor", "stroke-width": 1.6,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", class: "icon",
  }, svg("path", { d: paths[name] ?? paths.file }));
}

/** The picture that stands for a file, by what it says that it is. */
export function iconOf(item) {
  if (item.kind !== "file") return item.kind;
  const type = item.content_type ?? "";
  for (const kind of ["image", "video", "audio", "text"]) if (type.startsWith(kind + "/")) return kind;
  if (/(zip|tar|gzip|zstd|rar|7z|bzip|xz)/.test(type)) return "archive";
  if (/(json|xml|yaml|toml|javascript)/.test(type)) return "text";
  return "file";
}
