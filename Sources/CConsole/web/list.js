import { h, replace } from "./dom.js";
import { bytes, when } from "./format.js";
import { icon, iconOf } from "./icons.js";
import { texts } from "./texts.js";

/** Rows beyond the edges of what is seen, so that a quick scroll shows no gap. */
const margin = 8;

/**
 * A list of any length, of which only the rows that are seen exist. Rows are of one height and go round: row `n` of the list is
 * shown by row `n % count` of the page.
 *
 * Events: `open` (detail: an item), `selection`, `sort` (detail: a key), `command` (detail: a name).
 */
class FileList extends HTMLElement {
  #items = [];
  #rows = [];
  #shown = [];
  #height = 40;
  #at = 0;
  #anchor = 0;
  #typed = "";
  #typedAt = 0;
  #frame = 0;
  #resize = new ResizeObserver(() => this.#measure());
  selected = new Set();
  showsPlaces = false;

  connectedCallback() {
    if (this.viewport) return;
    const head = (key, text, kind = "") => h("button", {
      type: "button", class: kind, data: { key }, on: { click: () => this.#emit("sort", key) },
    }, h("span", { text }), h("span", { class: "arrow", "aria-hidden": "true" }));
    this.all = h("input", { type: "checkbox", "aria-label": texts.files.selectAll, on: { change: () => this.selectAll(this.all.checked) } });
    this.heads = [head("name", texts.files.name), head("size", texts.files.size, "right"), head("modified", texts.files.modified, "right")];
    this.columns = h("div", { class: "columns" }, h("span", { class: "pick" }, this.all), this.heads);
    this.sizer = h("div", { class: "sizer", role: "presentation" });
    this.viewport = h("div", {
      class: "rows", role: "grid", tabindex: "0", "aria-multiselectable": "true", "aria-label": texts.files.list, "aria-description": texts.files.keys,
      on: {
        scroll: () => this.#schedule(), keydown: (event) => this.#key(event), click: (event) => this.#click(event),
        dblclick: (event) => { if (!event.target.closest(".pick")) this.#openAt(this.#indexOf(event.target)); },
      },
    }, this.sizer);
    this.append(this.columns, this.viewport);
    this.#resize.observe(this.viewport);
  }

  disconnectedCallback() { this.#resize.disconnect(); }

  get items() { return this.#items; }
  get current() { return this.#items[this.#at]; }
  get selection() { return this.#items.filter((item) => this.selected.has(item.path)); }

  /** Shows other items. What was selected stays so while it is there; the place stays, unless `isAnew`. */
  show(items, { isAnew = false } = {}) {
    const path = this.current?.path;
    this.#items = items;
    if (isAnew) {
      this.selected.clear();
      this.#at = this.#anchor = 0;
      this.viewport.scrollTop = 0;
    } else if (path !== undefined && items[this.#at]?.path !== path) {
      const index = items.findIndex((item) => item.path === path);
      this.#at = index < 0 ? Math.max(0, Math.min(this.#at, items.length - 1)) : index;
    }
    if (this.selected.size) {
      const paths = new Set(items.map((item) => item.path));
      for (const path of this.selected) if (!paths.has(path)) this.selected.delete(path);
    }
    this.viewport.setAttribute("aria-rowcount", items.length);
    this.#measure();
    this.#select();
  }

  markSort(key, isDescending) {
    for (const button of this.heads) {
      const isSorted = button.dataset.key === key;
      button.toggleAttribute("data-sorted", isSorted);
      button.lastChild.textContent = isSorted ? (isDescending ? "↓" : "↑") : "";
      button.setAttribute("aria-pressed", String(isSorted));
    }
  }

  selectAll(isSelected = true) {
    this.selected = new Set(isSelected ? this.#items.map((item) => item.path) : []);
    this.#select();
  }

  /** Moves to an item, and selects it alone. */
  moveTo(path) {
    const index = this.#items.findIndex((item) => item.path === path);
    if (index >= 0) this.#go(index, {});
  }

  focus() { this.viewport.focus(); }

  // MARK: Drawing

  #measure() {
    this.#height = parseFloat(getComputedStyle(this).getPropertyValue("--row")) || 40;
    this.sizer.style.height = `${this.#items.length * this.#height}px`;
    const wanted = Math.ceil(this.viewport.clientHeight / this.#height) + 2 * margin;
    while (this.#rows.length < wanted) {
      const row = makeRow();
      this.#rows.push(row);
      this.sizer.append(row.element);
    }
    while (this.#rows.length > wanted) this.#rows.pop().element.remove();
    this.#shown = [];
    this.#draw();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #draw() {
    const count = this.#rows.length;
    if (!count) return;
    const first = Math.max(0, Math.min(Math.floor(this.viewport.scrollTop / this.#height) - margin, this.#items.length - count));
    for (let index = first; index < first + count; index++) {
      const slot = index % count;
      const item = this.#items[index];
      if (this.#shown[slot] === index && this.#rows[slot].item === item) continue;
      this.#shown[slot] = index;
      fill(this.#rows[slot], item, index, this.#height, this.showsPlaces);
      if (item) this.#mark(this.#rows[slot], item, index);
    }
    this.#point();
  }

  #mark(row, item, index) {
    const isSelected = this.selected.has(item.path);
    row.element.setAttribute("aria-selected", String(isSelected));
    row.check.checked = isSelected;
    row.element.classList.toggle("at", index === this.#at);
  }

  #markAll() {
    this.#rows.forEach((row, slot) => { if (row.item) this.#mark(row, row.item, this.#shown[slot]); });
    this.#point();
  }

  /** Tells screen readers which row has the focus. */
  #point() {
    const row = this.#rows[this.#at % this.#rows.length];
    if (row?.item && this.#items[this.#at] === row.item) this.viewport.setAttribute("aria-activedescendant", row.element.id);
    else this.viewport.removeAttribute("aria-activedescendant");
  }

  #select() {
    this.#markAll();
    this.all.checked = this.#items.length > 0 && this.selected.size === this.#items.length;
    this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
    this.#emit("selection");
  }

  #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  // MARK: Moving

  #indexOf(target) {
    const element = target.closest(".item");
    const slot = this.#rows.findIndex((row) => row.element === element);
    return slot < 0 ? -1 : this.#shown[slot];
  }

  #openAt(index) { if (this.#items[index]) this.#emit("open", this.#items[index]); }

  #click(event) {
    const index = this.#indexOf(event.target);
    if (index < 0) return;
    if (event.target.closest(".pick")) {
      this.#at = index;
      if (event.shiftKey) this.#extend(index);
      else this.#toggle(index);
      return;
    }
    if (event.target.closest(".title") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      this.#at = index;
      return this.#openAt(index);
    }
    this.#go(index, { isExtending: event.shiftKey, isToggling: event.ctrlKey || event.metaKey });
  }

  #toggle(index) {
    const path = this.#items[index].path;
    if (!this.selected.delete(path)) this.selected.add(path);
    this.#anchor = index;
    this.#select();
  }

  #extend(index) {
    const [from, to] = [Math.min(this.#anchor, index), Math.max(this.#anchor, index)];
    this.selected = new Set(this.#items.slice(from, to + 1).map((item) => item.path));
    this.#select();
  }

  #go(index, { isExtending = false, isToggling = false }) {
    if (!this.#items.length) return;
    this.#at = Math.max(0, Math.min(index, this.#items.length - 1));
    const top = this.#at * this.#height;
    const { scrollTop, clientHeight } = this.viewport;
    if (top < scrollTop) this.viewport.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.viewport.scrollTop = top + this.#height - clientHeight;
    this.#draw();
    if (isExtending) this.#extend(this.#at);
    else if (isToggling) this.#toggle(this.#at);
    else {
      this.#anchor = this.#at;
      this.selected = new Set([this.#items[this.#at].path]);
      this.#select();
    }
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.viewport.clientHeight / this.#height) - 1);
    const steps = { ArrowDown: this.#at + 1, ArrowUp: this.#at - 1, PageDown: this.#at + page, PageUp: this.#at - page, Home: 0, End: this.#items.length - 1 };
    const isCommand = event.ctrlKey || event.metaKey;
    if (event.key in steps) this.#go(steps[event.key], { isExtending: event.shiftKey });
    else if (event.key === "Enter") this.#openAt(this.#at);
    else if (event.key === " " && this.#items.length) this.#toggle(this.#at);
    else if (isCommand && event.key.toLowerCase() === "a") this.selectAll();
    else if (event.key === "Escape" && this.selected.size) this.selectAll(false);
    else if (event.key === "Delete") this.#emit("command", "remove");
    else if (event.key === "F2") this.#emit("command", "rename");
    else if (event.key === "Backspace") this.#emit("command", "up");
    else if (event.key.length === 1 && !isCommand && !event.altKey && event.key !== "/") this.#typeAhead(event);
    else return;
    event.preventDefault();
  }

  #typeAhead(event) {
    this.#typed = (event.timeStamp - this.#typedAt < 800 ? this.#typed : "") + event.key.toLowerCase();
    this.#typedAt = event.timeStamp;
    const index = this.#items.findIndex((item) => item.name.toLowerCase().startsWith(this.#typed));
    if (index >= 0) this.#go(index, {});
  }
}

let rows = 0;

function makeRow() {
  const check = h("input", { type: "checkbox", tabindex: "-1" });
  const kind = h("span", { class: "kind" });
  const title = h("span", { class: "title" });
  const place = h("span", { class: "where" });
  const badge = h("span", { class: "badge" });
  const size = h("span", { class: "number", role: "gridcell" });
  const modified = h("span", { class: "number modified", role: "gridcell" });
  const element = h("div", { class: "item", role: "row", id: `row-${++rows}` },
    h("span", { class: "pick", role: "gridcell" }, check), h("span", { class: "name", role: "gridcell" }, kind, h("span", { class: "what" }, title, place), badge), size, modified);
  return { element, check, kind, title, place, badge, size, modified, item: undefined, icon: "" };
}

function fill(row, item, index, height, showsPlace) {
  row.item = item;
  row.element.hidden = !item;
  if (!item) return;
  row.element.style.transform = `translateY(${index * height}px)`;
  row.element.setAttribute("aria-rowindex", index + 1);
  row.element.dataset.kind = item.kind;
  const name = iconOf(item);
  if (row.icon !== name) replace(row.kind, icon(name));
  row.icon = name;
  row.title.textContent = item.name;
  row.title.title = item.name;
  const isNarrow = height > 50;
  const place = showsPlace ? item.path.slice(0, -item.name.length - 1) || "/" : "";
  row.place.textContent = [place, isNarrow ? when(item.modified_at) : ""].filter(Boolean).join("  ·  ");
  row.check.setAttribute("aria-label", texts.files.select(item.name));
  row.badge.hidden = !item.conflicts;
  row.badge.textContent = item.conflicts || "";
  row.badge.title = item.conflicts ? texts.files.conflicts(item.conflicts) : "";
  row.size.textContent = bytes(item.size);
  row.modified.textContent = when(item.modified_at);
}

customElements.define("file-list", FileList);
