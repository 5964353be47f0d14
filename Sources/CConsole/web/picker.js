import { session } from "./api.js";
import { actions, button, dialog, fail } from "./dialog.js";
import { h, replace } from "./dom.js";
import { fileURL } from "./format.js";
import { icon } from "./icons.js";
import { texts } from "./texts.js";

/** Folders of one level that are shown at once. */
const shown = 1000;

/** Asks for a folder. @returns its path; undefined when none was chosen. */
export function chooseFolder(title = texts.picker.title, yes = texts.picker.choose, start = "/") {
  return dialog(title, (close) => {
    let chosen = start;
    const tree = folderTree(chosen, (path) => { chosen = path; label.textContent = texts.picker.here(path); });
    const label = h("p", { class: "soft small", role: "status", text: texts.picker.here(start) });
    return h("div", { class: "stack" }, tree, label, actions(button(texts.app.cancel, () => close()), button(yes, () => close(chosen), "primary")));
  });
}

function folderTree(start, choose) {
  const list = h("ul", { class: "tree", role: "tree", "aria-label": texts.picker.tree });
  const pick = (row, path) => {
    list.querySelector("[aria-selected='true']")?.setAttribute("aria-selected", "false");
    row.setAttribute("aria-selected", "true");
    choose(path);
  };
  const make = (name, path, level) => {
    const children = h("ul", { role: "group", hidden: true });
    let isLoaded = false;
    const twist = h("button", { type: "button", class: "twist", "aria-label": texts.picker.expand(name), "aria-expanded": "false" }, icon("right", 16));
    const row = h("div", { class: "branch", role: "treeitem", "aria-level": level, "aria-selected": String(path === start) }, twist,
      h("button", { type: "button", on: { click: () => pick(row, path), dblclick: () => toggle() } }, icon("directory", 18), h("span", { text: name })));
    const toggle = async () => {
      const isOpen = children.hidden;
      children.hidden = !isOpen;
      twist.setAttribute("aria-expanded", String(isOpen));
      if (isLoaded || !isOpen) return;
      isLoaded = true;
      try {
        const folders = [];
        let next = null;
        do {
          const page = await session.get(fileURL(path, `?limit=10000${next ? `&after=${next}` : ""}`));
          folders.push(...page.items.filter((item) => item.kind === "directory"));
          next = page.next;
        } while (next && folders.length < shown);
        replace(children, folders.length ? folders.slice(0, shown).map((item) => make(item.name, item.path, level + 1)) : h("li", { class: "soft small", text: texts.picker.none }));
      } catch (error) {
        isLoaded = false;
        fail(error);
      }
    };
    twist.addEventListener("click", toggle);
    const item = h("li", { role: "none" }, row, children);
    if (level === 1) toggle();
    return item;
  };
  list.append(make(texts.picker.root, "/", 1));
  return list;
}
