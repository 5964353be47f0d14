import { session } from "./api.js";
import { context, linkTo } from "./app.js";
import { copyable, fail, notify } from "./dialog.js";
import { h, replace } from "./dom.js";
import { bytes, encode, exactly, number, when } from "./format.js";
import { icon, iconOf } from "./icons.js";
import { isImage, picture, preview } from "./preview.js";
import { texts } from "./texts.js";

const T = texts.details;
/** Larger pictures are shown when they are asked for. */
const thumbLimit = 24 << 20;

/** What is known of the selected file: facts and history. */
export class Details {
  constructor(page) {
    this.page = page;
    this.body = h("div", { class: "stack" });
    this.element = h("aside", { class: "details stack", "aria-label": T.title },
      h("header", {}, this.heading = h("h2", { text: T.title }), h("button", { type: "button", class: "quiet icon-only", "aria-label": texts.app.close, on: { click: () => page.toggleDetails() } }, icon("close", 18))), this.body);
  }

  refresh() { if (this.item) this.loadHistory(this.item); }

  show(items) {
    const [item] = items;
    if (items.length !== 1) {
      this.item = null;
      this.heading.textContent = T.title;
      replace(this.body, h("p", { class: "soft", text: items.length ? T.many(items.length, bytes(items.reduce((sum, item) => sum + (item.size ?? 0), 0))) : T.nothing }));
      return;
    }
    if (this.item?.path === item.path && this.item.version === item.version) return;
    this.item = item;
    this.heading.textContent = item.name;
    const url = (path, query) => this.page.url(path, query);
    const open = () => preview(item, this.page.list.items.filter((other) => other.kind !== "directory"), url);
    const isShown = isImage(item) && item.size < thumbLimit;
    const thumb = item.kind === "file" && h("button", { type: "button", class: "thumb", "aria-label": `${T.preview}: ${item.name}`, on: { click: open } },
      isShown ? picture(item, url(item.path)) : icon(iconOf(item), 44));
    const facts = [
      [T.path, item.path], [T.kind, item.kind === "directory" ? texts.files.directory : item.kind === "symlink" ? texts.files.symlink : item.content_type],
      [T.size, item.size === null ? "–" : item.size < 1000 ? bytes(item.size) : `${bytes(item.size)} (${number(item.size)} B)`],
      item.kind === "directory" && item.files !== null && [T.files, number(item.files)],
      [T.modified, exactly(item.modified_at)],
      item.node && [T.node, context.labelOf(item.node)],
      item.target && [T.target, item.target],
      item.executable && [T.executable, T.yes],
      item.content_hash && [T.hash, copyable(item.content_hash, T.hash)],
      item.version && [T.version, h("code", { class: "small", text: item.version })],
    ].filter(Boolean);
    this.history = h("ul", { class: "history" });
    replace(this.body, thumb, h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", { text: name }), h("dd", {}, value)])),
      item.conflicts > 0 && h("a", { class: "pill attention", href: linkTo("conflicts", item.path), text: texts.files.conflicts(item.conflicts) }),
      item.kind !== "directory" && [h("h3", { text: T.history }), this.history]);
    if (item.kind !== "directory") this.loadHistory(item);
  }

  async loadHistory(item) {
    try {
      const { items } = await session.get(`/versions/history${encode(item.path)}?limit=100`);
      if (this.item !== item) return;
      replace(this.history, items.length ? items.map((version) => this.row(item, version)) : h("li", { class: "soft", text: T.noHistory }));
    } catch (error) {
      if (this.item === item) replace(this.history, h("li", { class: "soft", text: error.message }));
    }
  }

  row(item, version) {
    const isCurrent = version.version === item.version;
    const restore = h("button", { type: "button", text: T.restore, "aria-label": `${T.restore}: ${exactly(version.timestamp)}`, on: { click: () => this.restore(item, version) } });
    return h("li", {}, h("span", {}, h("span", { text: when(version.timestamp), title: exactly(version.timestamp) }), h("br"),
      h("span", { class: "soft", text: `${version.deleted ? T.deleted : bytes(version.size)} · ${context.labelOf(version.node)}` })),
    isCurrent ? h("span", { class: "pill", text: T.current }) : !version.deleted && !this.page.isReadOnly && restore);
  }

  async restore(item, version) {
    try {
      await session.post("/versions/restore", { path: item.path, version: version.version });
      notify(T.restored);
    } catch (error) { fail(error); }
  }
}
