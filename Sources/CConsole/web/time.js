import { session } from "./api.js";
import { context, linkTo } from "./app.js";
import { actions, ask, broken, button, confirm, dialog, empty, fail, loading, notify } from "./dialog.js";
import { h, replace, settle } from "./dom.js";
import { ago, bytes, exactly } from "./format.js";
import { icon } from "./icons.js";
import { chooseFolder } from "./picker.js";
import { texts } from "./texts.js";

const T = texts.time;
const page = 200;

export function open(main) {
  const view = new TimePage(main);
  view.load();
  return view;
}

class TimePage {
  constructor(main) {
    /** The oldest first; the last is the present. */
    this.states = [];
    this.next = null;
    this.body = h("div", {}, loading());
    this.make = h("button", { type: "button", class: "primary", on: { click: () => this.makeSnapshot() } }, icon("add", 18), T.make);
    replace(main, h("div", { class: "page-head" }, h("div", { class: "stack" }, h("h1", { text: T.title }), h("p", { text: T.intro })), context.isOwner && this.make), this.body);
    this.refresh = settle(400, () => this.load(true));
  }

  end() { this.refresh.cancel(); }

  event(type) { if (type === "commit" || type === "resync") this.refresh(); }

  async load(isRefresh = false) {
    let commits, snapshots;
    try {
      [commits, snapshots] = await Promise.all([context.isOwner ? session.get(`/versions/commits?limit=${page}`) : { items: [], next: null }, session.get("/versions/snapshots")]);
    } catch (error) {
      if (!isRefresh) replace(this.body, broken(error, () => this.load()));
      return;
    }
    const chosen = isRefresh && !this.isAtEnd ? this.state?.commit : null;
    this.states = commits.items.reverse();
    this.next = commits.next;
    this.snapshots = snapshots.items;
    this.index = this.states.findIndex((state) => state.commit === chosen);
    if (this.index < 0) this.index = this.states.length - 1;
    this.draw();
  }

  get state() { return this.states[this.index]; }
  get isAtEnd() { return this.index >= this.states.length - 1; }

  draw() {
    const date = h("input", { type: "datetime-local", step: "1", "aria-label": T.goTo, id: "go-to" });
    const goTo = h("form", {
      class: "row", on: {
        submit: (event) => {
          event.preventDefault();
          if (date.value) location.hash = this.link(new Date(date.value).toISOString());
        },
      },
    }, h("label", { for: "go-to", text: T.goTo }), h("span", {}, date), h("button", { text: T.look }));
    replace(this.body, h("div", { class: "stack" },
      this.states.length ? this.timeline() : context.isOwner && h("p", { class: "soft", text: T.none }), h("section", { class: "card" }, goTo), this.snapshotList()));
    if (this.states.length) this.point();
  }

  timeline() {
    this.slider = h("input", { type: "range", min: "0", max: String(this.states.length - 1), ".value": this.index, "aria-label": T.slider, on: { input: () => { this.index = Number(this.slider.value); this.point(); } } });
    this.what = h("div", { class: "stack", role: "status" });
    this.older = h("button", { type: "button", class: "icon-only", "aria-label": T.older, title: T.older, on: { click: () => this.step(-1) } }, icon("left", 18));
    this.newer = h("button", { type: "button", class: "icon-only", "aria-label": T.newer, title: T.newer, on: { click: () => this.step(1) } }, icon("right", 18));
    return h("section", { class: "card timeline", "aria-label": T.commits }, this.what,
      h("div", { class: "row" }, this.older, h("div", { class: "grow" }, this.slider), this.newer),
      h("div", { class: "ticks" }, h("span", { text: exactly(this.states[0].time) }), h("span", { text: T.current })));
  }

  point() {
    const state = this.state;
    this.slider.value = this.index;
    this.slider.setAttribute("aria-valuetext", exactly(state.time));
    this.older.disabled = this.index === 0 && !this.next;
    this.newer.disabled = this.isAtEnd;
    replace(this.what, h("div", { class: "row between" },
      h("div", {}, h("h2", { text: this.isAtEnd ? T.current : exactly(state.time) }), h("p", { class: "soft", text: `${ago(state.time)} · ${T.files(state.files)}, ${bytes(state.bytes)}${state.cause ? ` · ${state.cause}` : ""}` })),
      !this.isAtEnd && h("div", { class: "row" }, h("a", { class: "button", href: this.link(state.commit, state.time), text: T.look }), button(T.restore, () => restore(state.commit, state.time), "primary"))));
  }

  /** @param time what a state is called that has no name of its own. */
  link(at, time) { return linkTo("files", "/", new URLSearchParams(time ? { at, when: time } : { at })); }

  async step(by) {
    if (this.index + by < 0) {
      if (!this.next) return;
      try {
        const older = await session.get(`/versions/commits?limit=${page}&after=${this.next}`);
        this.next = older.next;
        this.states.unshift(...older.items.reverse());
        this.index += older.items.length;
        this.draw();
      } catch (error) { return fail(error); }
    }
    this.index = Math.max(0, Math.min(this.states.length - 1, this.index + by));
    this.point();
  }

  // MARK: Snapshots

  snapshotList() {
    const row = (snapshot) => h("li", { class: "row between" }, h("span", {}, h("strong", { text: snapshot.name }), h("span", { class: "soft small", text: exactly(snapshot.created_at) })),
      h("span", { class: "row" }, h("a", { class: "button", href: this.link(snapshot.name), text: T.look }),
        button(T.restore, () => restore(snapshot.name, snapshot.created_at)), context.isOwner && button(T.remove, () => this.removeSnapshot(snapshot.name))));
    return h("section", { class: "card stack", "aria-label": T.snapshots }, h("h2", { text: T.snapshots }),
      this.snapshots.length ? h("ul", { class: "choices" }, this.snapshots.map(row)) : h("p", { class: "soft", text: T.noSnapshots }));
  }

  async makeSnapshot() {
    const name = await ask(T.make, T.name, new Date().toISOString().slice(0, 10), T.make, (name) => (name.trim() ? "" : T.needsName));
    if (!name) return;
    try { await session.post("/versions/snapshots", { name: name.trim() }); notify(T.made(name.trim())); } catch (error) { fail(error); }
    this.load(true);
  }

  async removeSnapshot(name) {
    if (!await confirm(T.remove, T.sure(name), T.remove, { isDangerous: true })) return;
    try { await session.send("DELETE", `/versions/snapshots/${encodeURIComponent(name)}`); notify(T.removed(name)); } catch (error) { fail(error); }
    this.load(true);
  }
}

/** Brings a folder back to what it was, after a look at what that changes. */
export function restore(at, time) {
  return dialog(T.restoreTitle(exactly(time)), (close) => {
    let folder = "/";
    const place = h("code", { text: folder });
    const preview = h("div", { class: "stack", role: "status" });
    const yes = button(T.go, async () => {
      yes.disabled = true;
      try {
        const result = await session.post("/versions/restore", { path: folder, at });
        const target = folder;
        notify(T.done(count(result)), { label: T.undo, action: () => session.post("/versions/restore", { path: target, at: result.before }).then((result) => notify(T.done(count(result))), fail) });
        close(true);
      } catch (error) { yes.disabled = false; fail(error); }
    }, "primary");
    const look = async () => {
      place.textContent = folder;
      yes.disabled = true;
      replace(preview, loading());
      try {
        const result = await session.post("/versions/restore", { path: folder, at, preview: true });
        yes.disabled = count(result) === 0;
        replace(preview, count(result) ? [h("p", { class: "soft", text: T.sums(result) }), h("ul", { class: "history" }, result.paths.map(({ path, change }) => h("li", {}, h("span", { class: "grow", text: path }), h("span", { class: "soft", text: T.changes[change] }))),
          count(result) > result.paths.length && h("li", { class: "soft", text: T.andMore(count(result) - result.paths.length) }))] : empty("check", T.nothing, ""));
      } catch (error) { replace(preview, h("p", { class: "error", text: error.message })); }
    };
    look();
    return h("div", { class: "stack" },
      h("div", { class: "row" }, place, button(texts.keys.choose, async () => { folder = (await chooseFolder(undefined, undefined, folder)) ?? folder; look(); })),
      h("h3", { text: T.preview }), preview, actions(button(texts.app.cancel, () => close()), yes));
  }, { isWide: true });
}

const count = (result) => result.restored + result.reverted + result.deleted;
