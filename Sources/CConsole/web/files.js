import { pages, session } from "./api.js";
import { context, go, linkTo } from "./app.js";
import { ask, broken, empty, fail, loading, notify } from "./dialog.js";
import { h, replace, settle } from "./dom.js";
import { exactly, fileURL, isWithin, join, nameOf, parent } from "./format.js";
import { pattern } from "./globs.js";
import { icon } from "./icons.js";
import "./list.js";
import { menu } from "./menu.js";
import { sorted } from "./sort.js";
import { texts } from "./texts.js";

const T = texts.files;
/** Loaded and shown before the rest: a screen full, and some. */
const firstPage = 500;

/** What is wrong with a name, or nothing. */
export function faultOfName(name) {
  const length = new TextEncoder().encode(name).length;
  return !length || length > 255 || name.includes("/") || name.includes("\0") || name === "." || name === ".." ? T.badName : "";
}

/** Before something is changed: what brings it back. A commit where the key may know it; else the node's time. */
async function mark() {
  if (!context.isOwner) return context.nodeTime();
  return (await session.get("/sync/status")).head;
}

export function open(main, route) {
  const page = new FilesPage(main);
  page.show(route);
  return page;
}

class FilesPage {
  constructor(main) {
    this.main = main;
    this.path = "/";
    this.at = "";
    this.search = "";
    this.items = [];
    this.sort = { key: "name", isDescending: false };
    this.crumbs = h("nav", { class: "crumbs", "aria-label": T.title });
    this.buttons = h("div", { class: "row" });
    this.strip = h("div", { class: "strip", hidden: true });
    this.list = document.createElement("file-list");
    this.foot = h("div", { class: "list-foot", role: "status" });
    this.stateArea = h("div", { class: "list-state" });
    this.body = h("div", { class: "list" }, this.list, this.stateArea, this.foot);
    replace(main, h("h1", { class: "visually-hidden", text: T.title }), h("div", { class: "bar" }, this.crumbs, h("span", { class: "spring" }), this.buttons), this.strip, this.body);
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": T.uploadFiles, on: { change: () => this.take(this.picker) } });
    this.folderPicker = h("input", { type: "file", webkitdirectory: true, hidden: true, "aria-label": T.uploadFolder, on: { change: () => this.take(this.folderPicker) } });
    main.append(this.picker, this.folderPicker);
    this.list.addEventListener("open", (event) => this.open(event.detail));
    this.list.addEventListener("selection", () => this.select());
    this.list.addEventListener("sort", (event) => this.sortBy(event.detail));
    this.list.addEventListener("command", (event) => this.command(event.detail));
    this.refresh = settle(250, () => this.load(false));
    this.watchDrops();
  }

  end() {
    this.loading?.abort();
    this.refresh.cancel();
    this.main.classList.remove("has-details");
  }

  get isReadOnly() { return this.at !== "" || this.path === "/.conflicts" || this.path.startsWith("/.conflicts/"); }

  /** What links within the same state have in common. */
  get past() { return this.at ? new URLSearchParams(this.when ? { at: this.at, when: this.when } : { at: this.at }) : ""; }

  /** A URL of this page's state, with a query. */
  url(path, query = "") {
    const at = this.at ? `${query ? "&" : "?"}at=${encodeURIComponent(this.at)}` : "";
    return fileURL(path, query + at);
  }

  show(route) {
    const query = new URLSearchParams(route.query);
    const isSame = route.path === this.path && (query.get("search") ?? "") === this.search && (query.get("at") ?? "") === this.at && this.items.length;
    this.path = route.path;
    this.search = query.get("search") ?? "";
    this.at = query.get("at") ?? "";
    this.when = query.get("when");
    if (isSame) return;
    // On a narrow page they lie over the list.
    if (this.details && matchMedia("(max-width: 1000px)").matches) this.toggleDetails();
    this.list.showsPlaces = this.search !== "";
    this.drawCrumbs();
    this.load(true);
  }

  drawCrumbs() {
    const query = this.past;
    const names = this.path.split("/").filter(Boolean);
    const links = [h("a", { href: linkTo("files", "/", query), text: T.root })];
    names.forEach((name, index) => links.push(icon("right", 16), h("a", { href: linkTo("files", "/" + names.slice(0, index + 1).join("/"), query), text: name })));
    links.at(-1).setAttribute("aria-current", "page");
    replace(this.crumbs, links);
  }

  // MARK: Loading

  async load(isAnew) {
    this.loading?.abort();
    this.isStale = false;
    const { signal } = this.loading = new AbortController();
    const began = performance.now();
    if (isAnew) {
      this.items = [];
      this.list.show([], { isAnew: true });
      this.list.hidden = true;
      this.foot.textContent = "";
      // Not for a wait that nobody notices.
      this.spinner = setTimeout(() => replace(this.stateArea, loading()), 200);
    }
    const query = this.search ? `?recursive=true&glob=${encodeURIComponent(pattern(this.search))}` : "";
    const items = [];
    let isFirst = isAnew;
    try {
      for await (const some of pages(this.url(this.path, query), { limit: isAnew ? firstPage : 10000, signal })) {
        for (const item of some) items.push(item);
        if (isAnew) {
          // Each page in the order that it came in, until all are there: sorting a hundred thousand for every page would stutter.
          this.draw(isFirst ? sorted(items, this.sort.key, this.sort.isDescending) : items, { isAnew: isFirst, isPart: true });
          isFirst = false;
        }
      }
      this.items = items;
      this.draw(sorted(items, this.sort.key, this.sort.isDescending), { isPart: false });
    } catch (error) {
      if (error.name === "AbortError") return;
      if (isAnew) {
        clearTimeout(this.spinner);
        this.list.hidden = true;
        replace(this.stateArea, this.at && (error.status === 404 || error.status === 410) ? empty("time", texts.time.unknown, texts.time.unknownHint) : broken(error, () => this.load(true)));
        this.drawButtons();
      }
      return;
    }
    // What takes long to load is not loaded at every change; what changed while it was loaded is.
    this.refresh.cancel();
    this.refresh = settle(Math.max(250, 4 * (performance.now() - began)), () => this.load(false));
    if (this.isStale) this.refresh();
  }

  draw(items, { isAnew = false, isPart }) {
    clearTimeout(this.spinner);
    if (isPart) this.items = items;
    const hasItems = items.length > 0;
    this.list.hidden = !hasItems;
    this.list.show(items, { isAnew });
    this.list.markSort(this.sort.key, this.sort.isDescending);
    if (hasItems || isPart) replace(this.stateArea);
    else if (this.search) replace(this.stateArea, empty("search", T.nothingFound, T.searchIn(pattern(this.search), this.path)));
    else replace(this.stateArea, empty("directory", T.empty, this.isReadOnly ? T.emptyReadOnly : T.emptyHint));
    this.foot.textContent = isPart ? T.loadingMore(items.length) : this.search ? T.found(items.length, false) : T.count(items.length);
    this.drawButtons();
  }

  sortBy(key) {
    this.sort = { key, isDescending: this.sort.key === key && !this.sort.isDescending };
    this.draw(sorted(this.items, key, this.sort.isDescending), { isPart: false });
  }

  event(type, data) {
    if (this.at) return;
    if (type === "resync" || type === "commit" && (data.more || (data.paths ?? []).some((path) => isWithin(path, this.path) || isWithin(this.path, path)))) {
      this.isStale = true;
      this.refresh();
      this.details?.refresh();
    }
  }

  // MARK: What can be done

  select() {
    this.drawButtons();
    if (this.details) this.details.show(this.list.selection);
  }

  drawButtons() {
    const count = this.list.selected.size;
    const make = (name, text, action, kind = "") => h("button", { type: "button", class: kind, title: text, "aria-label": text, on: { click: action } }, icon(name, 18), h("span", { class: "button-text", text }));
    const buttons = [];
    if (!this.isReadOnly) {
      buttons.push(make("folderAdd", T.newFolder, () => this.makeFolder()),
        menu(make("upload", T.upload, () => {}, "primary"), [[T.uploadFiles, () => this.picker.click()], [T.uploadFolder, () => this.folderPicker.click()]]));
    }
    buttons.push(h("button", { type: "button", class: "icon-only", "aria-label": T.details, title: T.details, "aria-pressed": String(!!this.details), on: { click: () => this.toggleDetails() } }, icon("info", 18)));
    const hadFocus = this.buttons.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    replace(this.buttons, buttons);
    if (hadFocus) [...this.buttons.querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === hadFocus)?.focus();

    const parts = [];
    if (this.at) {
      const name = this.when ? exactly(this.when) : /^\d{4}-\d\d-\d\dT/.test(this.at) ? exactly(this.at) : texts.time.snapshot(this.at);
      parts.push(icon("time", 18), h("span", { text: texts.time.as(name) }), h("a", { href: linkTo("files", this.path), text: texts.time.live }));
      if (!count) parts.push(h("span", { class: "grow" }), make("undo", texts.time.restoreFolder, () => import("./time.js").then(({ restore }) => restore(this.at, name, this.path))));
    }
    if (count) {
      parts.push(h("strong", { text: T.selected(count) }), h("span", { class: "grow" }));
      parts.push(menu(make("download", T.download, () => {}), [[`${T.download} ${T.zip}`, () => this.download("zip")], [`${T.download} ${T.tar}`, () => this.download("tar")]], count === 1 && this.list.selection[0]?.kind === "file" ? () => save(this.url(this.list.selection[0].path), this.list.selection[0].name) : null));
      if (!this.isReadOnly) {
        if (count === 1) parts.push(make("rename", T.rename, () => this.rename()));
        parts.push(make("move", T.move, () => this.relocate("move")), make("copy", T.copy, () => this.relocate("copy")), make("remove", T.remove, () => this.remove()));
      }
      parts.push(h("button", { type: "button", class: "quiet icon-only", "aria-label": T.clear, title: T.clear, on: { click: () => { this.list.selectAll(false); this.list.focus(); } } }, icon("close", 18)));
    }
    this.strip.hidden = parts.length === 0;
    replace(this.strip, parts);
  }

  open(item) {
    if (item.kind === "directory") return go("files", item.path, this.past);
    const items = this.list.items.filter((other) => other.kind !== "directory");
    import("./preview.js").then((module) => module.preview(item, items, (path, query) => this.url(path, query)));
  }

  command(name) {
    if (name === "up" && this.path !== "/") go("files", parent(this.path), this.past);
    if (this.isReadOnly || name === "up") return;
    if (!this.list.selected.size && this.list.current) this.list.moveTo(this.list.current.path);
    if (name === "remove" && this.list.selected.size) this.remove();
    if (name === "rename" && this.list.selected.size === 1) this.rename();
  }

  async toggleDetails() {
    if (this.details) {
      this.details.element.remove();
      this.details = null;
    } else {
      const { Details } = await import("./details.js");
      this.details = new Details(this);
      this.main.append(this.details.element);
      this.details.show(this.list.selection);
    }
    this.main.classList.toggle("has-details", !!this.details);
    this.drawButtons();
  }

  async makeFolder() {
    const name = await ask(T.newFolder, T.folderName, "", T.make, (name) => faultOfName(name.normalize("NFC")));
    if (!name) return;
    try {
      await session.send("PUT", fileURL(join(this.path, name.normalize("NFC"))) + "/", { headers: { "If-None-Match": "*" } });
      notify(T.made(name));
      await this.load(false);
      this.list.moveTo(join(this.path, name.normalize("NFC")));
    } catch (error) { fail(error); }
    this.list.focus();
  }

  async rename() {
    const [item] = this.list.selection;
    if (!item) return;
    const name = (await ask(T.rename, T.newName, item.name, T.rename, (name) => faultOfName(name.normalize("NFC"))))?.normalize("NFC");
    if (name && name !== item.name) {
      const to = join(parent(item.path), name);
      try {
        await session.json("PATCH", fileURL(item.path), { body: { to } });
        this.offer(T.renamed(name), [{ ...item, to }], moveBack);
        await this.load(false);
        this.list.moveTo(to);
      } catch (error) { fail(error); }
    }
    this.list.focus();
  }

  async relocate(kind) {
    const items = this.list.selection;
    const { chooseFolder } = await import("./picker.js");
    const isMove = kind === "move";
    const target = await chooseFolder(isMove ? T.moveTo(items.length) : T.copyTo(items.length), isMove ? T.moveHere : T.copyHere, this.path);
    if (target === undefined) return;
    const done = await each(items.map((item) => ({ ...item, to: join(target, item.name) })), ({ path, to }) => isMove
      ? session.json("PATCH", fileURL(path), { body: { to } })
      : session.post("/files/copy", { from: path, to }));
    if (done.length) this.offer(isMove ? T.moved(done.length, target) : T.copied(done.length, target), done, isMove ? moveBack : removeCopy);
    this.load(false);
  }

  /** Says what was done, and how it is taken back, item by item. */
  offer(text, done, undo, said = T.takenBack) {
    notify(text, {
      label: T.undo,
      action: async () => {
        // The last first: what was done may have built on what was done before.
        const back = await each(done.toReversed(), undo);
        if (back.length) notify(said(back.length, back[0].name));
        this.load(false);
      },
    });
  }

  async remove() {
    const items = this.list.selection;
    const next = this.list.items[this.list.items.indexOf(items.at(-1)) + 1];
    let before;
    try { before = await mark(); } catch (error) { return fail(error); }
    const done = await each(items, (item) => session.send("DELETE", fileURL(item.path, item.kind === "directory" ? "?recursive=true" : "")));
    await this.load(false);
    if (next) this.list.moveTo(next.path);
    this.list.focus();
    if (!done.length) return;
    this.offer(T.removed(done.length, done[0].name), done, (item) => session.post("/versions/restore", { path: item.path, at: before }), T.undone);
  }

  async download(format) {
    try {
      const archive = await session.post("/archives", { paths: this.list.selection.map((item) => item.path), format, ...(this.at ? { at: this.at } : {}) });
      save(archive.url);
    } catch (error) { fail(error); }
  }

  // MARK: Uploads

  async upload(entries) {
    const { uploads } = await import("./upload.js");
    const panel = uploads();
    panel.add(entries);
  }

  async take(input) {
    const { chosen } = await import("./upload.js");
    const entries = chosen(input.files, this.path);
    input.value = "";
    this.upload(entries);
  }

  watchDrops() {
    let depth = 0;
    let sign = null;
    const hasFiles = (event) => !this.isReadOnly && event.dataTransfer?.types.includes("Files");
    const clear = () => { depth = 0; sign?.remove(); sign = null; };
    this.body.addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth += 1;
      sign ??= this.body.appendChild(h("div", { class: "drop", text: T.drop(this.path === "/" ? T.root : nameOf(this.path)) }));
    });
    this.body.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
    this.body.addEventListener("dragleave", () => { if (--depth <= 0) clear(); });
    this.body.addEventListener("drop", async (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      clear();
      const directory = this.path;
      // At once: what was dropped is gone after the event.
      const roots = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const { dropped } = await import("./upload.js");
      try { this.upload(await dropped(roots, directory)); } catch (error) { fail(error); }
    });
  }
}

const moveBack = ({ path, to }) => session.json("PATCH", fileURL(to), { body: { to: path } });

/** A copy that was changed since stays. */
const removeCopy = ({ to, kind, content_hash: hash }) => (kind === "directory"
  ? session.send("DELETE", fileURL(to, "?recursive=true"))
  : session.send("DELETE", fileURL(to), { headers: hash ? { "If-Match": `"${hash}"` } : {} }));

/** Does something with each item, and tells how many it failed for. @returns those that it worked for. */
async function each(items, body) {
  const done = [];
  let failed = 0;
  let first;
  for (const item of items) {
    try {
      await body(item);
      done.push(item);
    } catch (error) {
      failed += 1;
      first ??= error;
      if (error.isOffline) break;
    }
  }
  if (first) fail(items.length === 1 ? first : { message: T.failed(failed, first.message) });
  return done;
}

/** Lets the browser save what is at a URL of this node; it shows the cookie of the session. */
export function save(url, name) {
  const link = h("a", { href: url, download: name ?? "" });
  document.body.append(link);
  link.click();
  link.remove();
}
