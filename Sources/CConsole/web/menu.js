import { h } from "./dom.js";

/** A button with a menu below it. `whole`, if given, is what the button does itself. */
export function menu(opener, entries, whole) {
  if (whole) {
    opener.addEventListener("click", whole);
    return opener;
  }
  const list = h("div", { class: "menu-list", role: "menu", hidden: true }, entries.map(([text, action]) => h("button", {
    type: "button", role: "menuitem", text, on: { click: () => { close(); action(); } },
  })));
  const element = h("div", { class: "menu" }, opener, list);
  const close = () => {
    list.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside, true);
  };
  const outside = (event) => { if (!element.contains(event.target)) close(); };
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.addEventListener("click", () => {
    if (!list.hidden) return close();
    list.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    addEventListener("pointerdown", outside, true);
    list.firstChild.focus();
  });
  element.addEventListener("keydown", (event) => {
    const all = [...list.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !list.hidden) { close(); opener.focus(); event.stopPropagation(); }
    else if (step && !list.hidden) { all.at((all.indexOf(document.activeElement) + step) % all.length).focus(); event.preventDefault(); }
    else if (event.key === "Tab") close();
  });
  return element;
}
