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
    /** Commits and snapshots, the oldest first; the last is the present. */
    this.states = [];
    this.commits = [];
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
    const chosen = isRefresh && !this.isAtEnd ? this.state?.at : null;
    this.commits = commits.items.reverse();
    this.next = commits.next;
    this.snapshots = snapshots.items;
    this.order();
    this.index = this.states.findIndex((state) => state.at === chosen);
    if (this.index < 0) this.index = this.states.length - 1;
    this.draw();
  }

  /** Snapshots stand among the commits, where there are any: those from before the first one that is loaded come with the older ones. */
  order() {
    const commits = this.commits.map((commit) => ({ ...commit, at: commit.commit, name: exactly(commit.time) }));
    const oldest = this.next ? commits[0].time : "";
    const snapshots = commits.length ? this.snapshots.filter((snapshot) => snapshot.created_at >= oldest)
      .map((snapshot) => ({ ...snapshot, at: snapshot.name, name: T.snapshot(snapshot.name), time: snapshot.created_at, bytes: snapshot.size, isSnapshot: true })) : [];
    const time = (state) => Date.parse(state.time);
    // The present stays the last one, whatever clock a snapshot was made by.
    const present = commits.pop();
    this.states = [...[...commits, ...snapshots].sort((one, other) => time(one) - time(other)), ...(present ? [present] : [])];
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
    }, h("label", { for: "go-to", text: T.goTo }), h("span", {}, date), h("button", { text: T.look }), h("span", { class: "row jumps" },
      T.jumps.map(([text, seconds]) => h("button", { type: "button", text, on: { click: () => { location.hash = this.link(new Date(Date.parse(context.nodeTime()) - seconds * 1000).toISOString()); } } }))));
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
      h("div", { class: "row" }, this.older, h("div", { class: "grow slider" }, this.slider, this.marks()), this.newer),
      h("div", { class: "ticks" }, h("span", { text: exactly(this.states[0].time) }), h("span", { text: T.current })));
  }

  /** Where the snapshots are on the slider. */
  marks() {
    const last = Math.max(this.states.length - 1, 1);
    return h("div", { class: "marks", "aria-hidden": "true" }, this.states.map((state, index) => {
      if (!state.isSnapshot) return null;
      const mark = h("span");
      mark.style.left = `${(100 * index) / last}%`;
      return mark;
    }));
  }

  point() {
    const state = this.state;
    this.slider.value = this.index;
    this.slider.setAttribute("aria-valuetext", state.name);
    this.older.disabled = this.index === 0 && !this.next;
    this.newer.disabled = this.isAtEnd;
    replace(this.what, h("div", { class: "row between" },
      h("div", {}, h("h2", { text: this.isAtEnd ? T.current : state.name }), h("p", { class: "soft", text: [ago(state.time), state.files !== null && `${T.files(state.files)}, ${bytes(state.bytes)}`, named(state.cause)].filter(Boolean).join(" · ") })),
      // Always there, so that the slider does not jump from under the hand.
      h("div", { class: this.isAtEnd ? "row unseen" : "row" }, h("a", { class: "button", href: this.link(state.at, state.isSnapshot ? null : state.time), text: T.look }), button(T.restore, () => restore(state.at, state.name), "primary"))));
  }

  /** @param time what a state is called that has no name of its own. */
  link(at, time) { return linkTo("files", "/", new URLSearchParams(time ? { at, when: time } : { at })); }

  async step(by) {
    if (this.index + by < 0) {
      if (!this.next) return;
      try {
        const older = await session.get(`/versions/commits?limit=${page}&after=${this.next}`);
        this.next = older.next;
        const { length } = this.states;
        this.commits.unshift(...older.items.reverse());
        this.order();
        this.index += this.states.length - length;
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
        button(T.restore, () => restore(snapshot.name, T.snapshot(snapshot.name))), context.isOwner && button(T.remove, () => this.removeSnapshot(snapshot.name))));
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

/** What made a state, with nodes by their names. */
const named = (cause) => cause?.replace(/\b[0-9a-f]{12}\b/g, (start) => [...context.labels].find(([id]) => id.startsWith(start))?.[1] ?? start);

/**
 * Brings a folder back to what it was, after a look at what that changes.
 * @param name what the state is called.
 */
export function restore(at, name, folder = "/") {
  return dialog(T.restoreTitle(name), (close) => {
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
