import { pages, session } from "./api.js";
import { context, linkTo } from "./app.js";
import { compare } from "./compare.js";
import { actions, broken, button, dialog, empty, fail, loading, notify } from "./dialog.js";
import { h, replace, settle } from "./dom.js";
import { bytes, encode, exactly, fileURL, isWithin, nameOf, parent, span } from "./format.js";
import { chooseFolder } from "./picker.js";
import { texts } from "./texts.js";

const T = texts.conflicts;
/** Conflicts that are listed. Beyond, they are settled by the folder. */
const maximumShown = 2000;

export function open(main, route) {
  const page = new ConflictsPage(main);
  page.show(route);
  return page;
}

async function all(prefix, limit = Infinity) {
  const items = [];
  for await (const some of pages(`/sync/conflicts?prefix=${encodeURIComponent(prefix)}`)) {
    items.push(...some);
    if (items.length >= limit) break;
  }
  return items;
}

class ConflictsPage {
  constructor(main) {
    this.list = h("ul", { class: "choices", "aria-label": T.list });
    this.view = h("div", { class: "stack view" });
    this.body = h("div");
    this.under = button(T.all, () => this.pickUnder());
    replace(main, h("div", { class: "page-head" }, h("div", { class: "stack" }, h("h1", { text: T.title }), h("p", { text: T.intro })), this.under), this.body);
    this.refresh = settle(250, () => this.load());
    replace(this.body, loading());
  }

  end() {
    this.refresh.cancel();
    this.comparing?.abort();
  }

  show(route) {
    this.path = route.path === "/" ? null : route.path;
    this.load();
  }

  event(type) { if (["conflict", "resolved", "resync", "commit"].includes(type)) this.refresh(); }

  async load() {
    try {
      this.items = await all("/", maximumShown);
    } catch (error) {
      return replace(this.body, broken(error, () => this.load()));
    }
    this.under.hidden = !this.items.length;
    if (!this.items.length) {
      this.shown = null;
      return replace(this.body, empty("check", T.none, T.noneHint));
    }
    const chosen = this.items.find((item) => item.path === this.path)
      ?? this.items.find((item) => this.path && isWithin(item.path, this.path)) ?? this.items[0];
    replace(this.list, this.items.map((item) => h("li", {}, h("a", {
      href: linkTo("conflicts", item.path), "aria-current": item === chosen ? "true" : null,
    }, h("strong", { text: nameOf(item.path) }), h("span", { class: "soft small", text: `${parent(item.path)} · ${T.kinds[item.kind]}` })))));
    if (!this.body.contains(this.view)) replace(this.body, h("div", { class: "split" }, h("nav", { "aria-label": T.list }, this.list), this.view));
    const state = JSON.stringify(chosen);
    if (this.shown !== state) {
      this.shown = state;
      this.draw(chosen);
    }
  }

  draw(conflict, at = 0) {
    this.comparing?.abort();
    const { signal } = this.comparing = new AbortController();
    const { winner, losers } = conflict;
    const loser = losers[at];
    const place = h("div", { class: "comparison" }, h("div", { class: "spinner" }));
    const choices = losers.length > 1 && h("div", { class: "segmented" }, losers.map((_, index) => h("button", {
      type: "button", text: String(index + 1), "aria-label": T.others(index, losers.length), "aria-pressed": String(index === at), on: { click: () => this.draw(conflict, index) },
    })));
    replace(this.view, h("div", {}, h("h2", {}, nameOf(conflict.path)), h("a", { class: "small", href: linkTo("files", parent(conflict.path)), text: parent(conflict.path) })),
      h("p", { class: "why", text: reason(conflict, loser) }), choices,
      h("div", { class: "pair" }, this.version(conflict, winner, T.current, T.pickCurrent, true), this.version(conflict, loser, T.others(at, losers.length), T.pickThis, false)), place);
    const shown = winner ? compare(winner, loser, signal) : Promise.resolve(null);
    shown.then((element) => { if (!signal.aborted) replace(place, element ?? h("p", { class: "soft small", text: T.facts })); },
      (error) => { if (!signal.aborted) replace(place, h("p", { class: "error", text: error.message })); });
  }

  version(conflict, version, title, pick, isCurrent) {
    const name = version?.version ?? "winner";
    const what = !version || version.kind === "directory" ? T.directory : version.deleted ? T.deleted : version.content_type ?? texts.files.symlink;
    return h("section", { class: isCurrent ? "card version current" : "card version", "aria-label": title },
      h("div", { class: "row between" }, h("h3", { text: title }), h("button", { type: "button", class: isCurrent ? "primary" : "", text: pick, on: { click: () => this.pick(conflict, isCurrent ? "winner" : name) } })),
      h("dl", { class: "facts" }, [
        [T.who, version ? context.labelOf(version.node) : "–"], [T.when, version ? exactly(version.timestamp) : "–"], [texts.files.kind, what],
        [T.size, version && !version.deleted ? bytes(version.size) : "–"], version?.content_hash && [T.hash, h("code", { text: version.content_hash.slice(0, 16), title: version.content_hash })],
        version?.target && [texts.details.target, version.target],
      ].filter(Boolean).map(([name, value]) => [h("dt", { text: name }), h("dd", {}, value)])),
      version && !version.deleted && version.kind === "file" && h("a", { href: fileURL(version.path), download: nameOf(conflict.path), class: "small", text: T.downloadBoth }));
  }

  async pick(conflict, pick) {
    try {
      const done = await settleOne(conflict, pick);
      notify(T.resolved(nameOf(conflict.path)), done.undo ? { label: T.undo, action: () => undo([{ conflict, done }]) } : {});
    } catch (error) { fail(error); }
    this.shown = null;
    this.load();
  }

  /** Settles all conflicts under a folder. */
  async pickUnder() {
    const start = this.path ? parent(this.path) : "/";
    const answer = await dialog(T.allTitle, (close) => {
      let folder = start;
      const count = h("p", { class: "soft", role: "status" });
      const place = h("code", { text: folder });
      const look = async () => {
        place.textContent = folder;
        try { count.textContent = T.preview((await all(folder)).length); } catch (error) { count.textContent = error.message; }
      };
      const choose = button(texts.keys.choose, async () => { folder = (await chooseFolder(T.under, texts.picker.choose, folder)) ?? folder; look(); });
      const option = (value, text, isChecked) => h("label", { class: "check" }, h("input", { type: "radio", name: "which", value, ".checked": isChecked }), text);
      const form = h("form", { class: "stack", on: { submit: (event) => { event.preventDefault(); close({ folder, which: new FormData(form).get("which") }); } } },
        h("div", { class: "row" }, h("strong", { text: `${T.under}:` }), place, choose),
        h("fieldset", { class: "rule stack" }, h("legend", { text: T.which }), option("winner", T.winners, true), option("loser", T.losers, false), h("p", { class: "soft small", text: T.latest })),
        count, actions(button(texts.app.cancel, () => close()), h("button", { class: "primary", text: T.go })));
      look();
      return form;
    });
    if (!answer) return;
    const settled = [];
    try {
      for (const conflict of await all(answer.folder)) {
        const pick = answer.which === "winner" ? "winner" : conflict.losers.reduce((latest, other) => (other.timestamp > latest.timestamp ? other : latest)).version;
        settled.push({ conflict, done: await settleOne(conflict, pick) });
      }
    } catch (error) { fail(error); }
    const undoable = settled.filter(({ done }) => done.undo);
    if (settled.length) notify(T.resolvedMany(settled.length), undoable.length ? { label: T.undo, action: () => undo(undoable) } : {});
    this.shown = null;
    this.load();
  }
}

const settleOne = (conflict, pick) => session.post(`/sync/conflicts${encode(conflict.path)}`, { pick });

/** Why the winner won: the rules of the registers, in the words of this case. */
function reason({ kind, winner }, loser) {
  if (kind === "file-directory" || !winner) return T.why.directory;
  if (loser.deleted && !winner.deleted) return T.why.deletion;
  const gap = (new Date(winner.timestamp) - new Date(loser.timestamp)) / 1000;
  if (gap <= 0) return T.why.node;
  return T.why.later(context.labelOf(winner.node), context.labelOf(loser.node), gap < 1 ? `${Math.round(gap * 1000)} ms` : span(gap));
}

/** Takes picks back: the versions are there again as they were, on all nodes. A path that was written since is left alone. */
async function undo(settled) {
  let failed = null;
  let count = 0;
  for (const { conflict, done } of settled) {
    try {
      await session.post(`/sync/conflicts${encode(conflict.path)}`, { undo: done.undo });
      count += 1;
    } catch (error) { failed ??= error; }
  }
  if (failed) fail(failed);
  if (count) notify(T.undone);
}
