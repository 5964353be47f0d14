import { all, pages, session } from "./api.js";
import { context, learnLabels } from "./app.js";
import "./chart.js";
import { actions, broken, button, confirm, copyable, dialog, fail, loading, notify } from "./dialog.js";
import { h, replace, settle, svg } from "./dom.js";
import { ago, bytes, exactly, fileURL, microseconds, number, span } from "./format.js";
import { below } from "./globs.js";
import { icon } from "./icons.js";
import { chooseFolder } from "./picker.js";
import { qr } from "./qr.js";
import { texts } from "./texts.js";

const T = texts.cluster;
/** Files that a preview of patterns counts. */
const maximumCounted = 50_000;
/** Files up to which copies are looked at without being asked to: the members walk through all of them. */
const maximumLookedAt = 100_000;

export function open(main) {
  const page = new ClusterPage(main);
  page.load();
  return page;
}

class ClusterPage {
  constructor(main) {
    this.charts = new Map();
    /** Who holds all files: the answers by member, of which root, and when. */
    this.copies = { byID: new Map(), root: null, time: -Infinity };
    this.summary = h("p", { role: "status" });
    this.own = h("section", { class: "card stack", "aria-label": T.status });
    this.cards = h("div", { class: "cards" });
    this.body = h("div", {}, loading());
    replace(main, h("div", { class: "page-head" }, h("div", { class: "stack" }, h("h1", { text: T.title }), this.summary),
      h("div", { class: "row" }, button(T.sync, () => this.sync()), this.verify = button(T.verify, () => this.lookAtCopies(true)), h("button", { type: "button", class: "primary", on: { click: () => invite(this) } }, icon("add", 18), T.invite))), this.body);
    this.refresh = settle(200, () => this.load());
    // Offsets and delays move without an event.
    this.ticker = setInterval(() => { if (!document.hidden) this.load(); }, 2000);
  }

  end() {
    clearInterval(this.ticker);
    this.refresh.cancel();
  }

  event(type) { if (["peer", "progress", "commit", "resync", "ready"].includes(type)) this.refresh(); }

  async load() {
    let status, members, peers;
    try {
      [status, members, peers] = await Promise.all([session.get("/sync/status"), all("/sync/members"), all("/sync/peers")]);
    } catch (error) {
      if (!this.isShown) replace(this.body, broken(error, () => this.load()));
      return;
    }
    if (!this.isShown) replace(this.body, h("div", { class: "stack" }, this.own, this.cards));
    this.isShown = true;
    this.status = status;
    this.members = members;
    for (const { node_id: id, label } of members) if (label) context.labels.set(id, label);
    this.drawOwn();
    if (this.copies.root !== status.root && performance.now() - this.copies.time > 20_000 && status.files <= maximumLookedAt) this.lookAtCopies(false);
    const byID = new Map(peers.map((peer) => [peer.node_id, peer]));
    const others = members.filter((member) => !member.is_self);
    const unknown = peers.filter((peer) => !members.some((member) => member.node_id === peer.node_id));
    const active = peers.filter((peer) => peer.state === "active");
    const behind = active.filter((peer) => !peer.in_sync).length;
    this.summary.textContent = !others.length && !unknown.length ? T.alone : behind ? T.rootsDiffer(behind) : active.length ? T.rootsEqual : "";
    const entries = [...others.map((member) => [member, byID.get(member.node_id)]), ...unknown.map((peer) => [null, peer])];
    const kept = new Set();
    for (const [member, peer] of entries) {
      const id = member?.node_id ?? peer.node_id ?? peer.address;
      kept.add(id);
      let card = this.charts.get(id);
      if (!card) {
        card = new MemberCard(this);
        this.charts.set(id, card);
        this.cards.append(card.element);
      }
      card.show(member, peer);
    }
    for (const [id, card] of this.charts) if (!kept.has(id)) { card.element.remove(); this.charts.delete(id); }
  }

  /** Asks the members what they hold. @param isVerified whether they are to read all of it again, which takes as long as it takes. */
  async lookAtCopies(isVerified) {
    if (this.isVerifying) return;
    this.isVerifying = isVerified;
    this.copies.time = performance.now();
    this.verify.disabled = isVerified;
    if (isVerified) this.verify.textContent = T.verifying;
    try {
      const report = await session.get(`/sync/copies?path=/${isVerified ? "&verify=true" : ""}`);
      this.copies = { byID: new Map(report.copies.map((copy) => [copy.node_id, copy])), root: report.root, time: performance.now() };
      if (isVerified) notify(T.verifiedCopies(report.copies.filter((copy) => copy.held).length, report.copies.length));
    } catch (error) {
      // Not asked for: it is asked again.
      if (isVerified) fail(error);
    }
    if (isVerified) {
      this.isVerifying = false;
      this.verify.disabled = false;
      this.verify.textContent = T.verify;
    }
    this.load();
  }

  /** What a member holds of the files that are here, in words. */
  copyOf(id, isPartial) {
    const copy = this.copies.byID.get(id);
    if (isPartial) return T.copyPart;
    if (!copy) return T.copyUnknown;
    if (!copy.held) return copy.reason ?? T.copyNone;
    return copy.verified_at ? T.copyVerified(ago(copy.verified_at)) : T.copyHeld;
  }

  drawOwn() {
    const { status } = this;
    const { last_scrub_at: scrubbed, lost_objects: lost, running } = status.care ?? {};
    const scrub = running?.find((task) => task.kind === "scrub");
    const held = [...this.copies.byID.values()].filter((copy) => copy.held);
    const fact = (name, value) => [h("dt", { text: name }), h("dd", {}, value)];
    const figure = (name, value) => h("div", {}, h("span", { class: "soft small", text: name }), h("strong", { text: value }));
    replace(this.own, h("div", { class: "row between" }, h("h2", { text: status.label ?? status.node_id.slice(0, 8) }), h("span", { class: status.clock_settled ? "pill good" : "pill attention", text: `${T.clock}: ${status.clock_settled ? T.settled : T.unsettled}` })),
      h("div", { class: "figures" }, figure(T.files, number(status.files)), figure(T.bytes, bytes(status.bytes)), figure(T.uptime, span(status.uptime_seconds)), figure(T.version, status.version),
        figure(T.copies, this.copies.byID.size ? T.of(held.length, this.members.length) : "–"), figure(T.verified, this.copies.byID.size ? T.of(held.filter((copy) => copy.verified_at).length, this.members.length) : "–"),
        figure(T.scrub, scrub ? T.scrubbing(scrub.total_bytes ? scrub.bytes / scrub.total_bytes : 0) : scrubbed ? ago(scrubbed) : T.neverScrubbed)),
      lost > 0 && h("p", { class: "error", text: T.lost(lost) }),
      h("dl", { class: "facts" }, fact(T.root, copyable(status.root, T.root))));
  }

  async sync() {
    try {
      const { peers } = await session.post("/sync/trigger", {});
      const failed = peers.filter((peer) => !peer.ok);
      if (failed.length) for (const peer of failed) fail({ message: T.syncFailed(context.labelOf(peer.node_id), peer.error) });
      else notify(T.synced);
    } catch (error) { fail(error); }
    this.load();
  }
}

/** A member, and the connection to it. Kept from one look to the next, for its charts. */
class MemberCard {
  constructor(page) {
    this.page = page;
    const chart = (label) => Object.assign(document.createElement("live-chart"), { label, format: microseconds });
    this.offset = chart(T.offset);
    this.delay = chart(T.delay);
    this.charts = h("div", { class: "charts" }, this.offset, this.delay);
    this.head = h("div", { class: "row between" });
    this.facts = h("dl", { class: "facts" });
    this.buttons = h("div", { class: "row" });
    this.element = h("section", { class: "card stack" }, this.head, this.charts, this.facts, this.buttons);
  }

  show(member, peer) {
    const name = member?.label ?? peer?.label ?? (member ?? peer).node_id?.slice(0, 8) ?? peer.address;
    this.element.setAttribute("aria-label", name);
    const state = peer?.state ?? "disconnected";
    replace(this.head, h("h2", { text: name }), h("span", { class: "state" }, h("span", { class: `dot ${state}` }), T.states[state],
      state === "active" && h("span", { class: peer.in_sync ? "pill good" : "pill attention", text: peer.in_sync ? T.inSync : T.behind })));
    this.charts.hidden = state === "disconnected";
    this.offset.add(peer?.offset_us);
    this.delay.add(peer?.delay_us);
    const facts = [
      peer?.reason && [T.states[state], peer.reason],
      [T.address, peer?.address || member?.address || T.noAddress],
      peer && [T.lastSync, ago(peer.last_sync_at)],
      peer?.lag_seconds > 0 && [T.lag, span(peer.lag_seconds)],
      peer?.error_us != null && [T.error, `± ${microseconds(peer.error_us)}`],
      [T.holds, this.page.copyOf(member?.node_id, peer?.sync_paths?.length > 0)],
      peer && [T.scrub, peer.last_scrub_at ? ago(peer.last_scrub_at) : T.neverScrubbed],
      peer?.lost_objects > 0 && [T.damage, T.lost(peer.lost_objects)],
      peer && [`${T.received} / ${T.sent}`, `${bytes(peer.bytes_received)} / ${bytes(peer.bytes_sent)}`],
      [T.syncs, peer?.sync_paths?.length ? peer.sync_paths.join(", ") : T.everything],
      member && [T.joined, exactly(member.joined_at)],
    ].filter(Boolean);
    replace(this.facts, facts.map(([name, value]) => [h("dt", { text: name }), h("dd", { text: value })]));
    if (this.buttons.contains(document.activeElement)) return;
    replace(this.buttons, peer?.node_id && button(T.edit, () => editPaths(this.page, peer, name)),
      peer?.node_id && button(T.forgetButton, () => forget(this.page, peer, name)), member && button(T.removeButton, () => removeMember(this.page, member, name)));
  }
}

async function removeMember(page, member, name) {
  if (!await confirm(T.remove, T.sureRemove(name), T.remove, { isDangerous: true })) return;
  try { await session.send("DELETE", `/sync/members/${member.node_id}`); notify(T.removed(name)); } catch (error) { fail(error); }
  page.load();
}

async function forget(page, peer, name) {
  if (!await confirm(T.forget, T.sureForget(name), T.forget)) return;
  try { await session.send("DELETE", `/sync/peers/${peer.node_id}`); notify(T.forgotten(name)); } catch (error) { fail(error); }
  page.load();
}

// MARK: Selective sync

const patterns = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** A field for patterns, with a tree to choose folders from, and a look at what they cover. `globs()` and `end()` are its. */
function pathsField(id, label, globs) {
  let counting;
  const field = h("textarea", { id, ".value": globs.join("\n"), spellcheck: "false", rows: "4", autofocus: true, "aria-describedby": `${id}-hint ${id}-cover` });
  const cover = h("p", { class: "soft", id: `${id}-cover`, role: "status" });
  const look = async () => {
    counting?.abort();
    counting = new AbortController();
    try { cover.textContent = await coverage(patterns(field.value), counting.signal); } catch (error) { if (error.name !== "AbortError") cover.textContent = error.message; }
  };
  field.addEventListener("input", settle(300, look));
  look();
  const choose = button(texts.keys.choose, async () => {
    const folder = await chooseFolder();
    if (folder !== undefined) field.value = [...patterns(field.value), below(folder)].join("\n");
    field.focus();
    look();
  });
  const element = h("div", { class: "stack" }, h("div", { class: "row between" }, h("label", { for: id, text: label }), choose), field, h("p", { class: "soft small", id: `${id}-hint`, text: T.editHint }), cover);
  return Object.assign(element, { globs: () => patterns(field.value), end: () => counting.abort() });
}

async function editPaths(page, peer, name) {
  const field = pathsField("paths", T.editLabel, peer.sync_paths ?? []);
  const answer = await dialog(T.editTitle(name), (close) => h("form", { class: "stack", on: { submit: (event) => { event.preventDefault(); close(field.globs()); } } },
    field, actions(button(texts.app.cancel, () => close()), h("button", { class: "primary", text: T.save }))));
  field.end();
  if (!answer) return;
  try {
    await session.json("PATCH", `/sync/peers/${peer.node_id}`, { body: { sync_paths: answer.length ? answer : null } });
    notify(T.saved);
  } catch (error) { fail(error); }
  page.load();
}

/** What patterns cover of the files that are here, as the node's own listing matches them. */
async function coverage(globs, signal) {
  const found = new Map();
  for (const glob of globs.length ? globs : ["/**"]) {
    for await (const items of pages(fileURL("/", `?recursive=true&glob=${encodeURIComponent(glob)}`), { limit: 10000, signal })) {
      for (const item of items) if (item.kind !== "directory") found.set(item.path, item.size ?? 0);
      if (found.size > maximumCounted) return T.coversPart(found.size, bytes([...found.values()].reduce((sum, size) => sum + size, 0)));
    }
  }
  return T.covers(found.size, bytes([...found.values()].reduce((sum, size) => sum + size, 0)));
}

// MARK: Invitations

/** A code as a picture: one path, dark on light whatever the theme, as readers want it. */
export function qrPicture(text, label) {
  const grid = qr(text);
  const edge = 4;
  const size = grid.length + 2 * edge;
  let path = "";
  grid.forEach((row, y) => row.forEach((isDark, x) => { if (isDark) path += `M${x + edge} ${y + edge}h1v1h-1z`; }));
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: size, height: size, fill: "#fff" }), svg("path", { d: path, fill: "#000" }));
}

function invite(page) {
  return dialog(T.inviteTitle, (close) => {
    const label = h("input", { id: "invite-label", autocomplete: "off", autofocus: true });
    const lifetime = h("select", { id: "invite-expires" }, [[3600, T.hours(1)], [86400, T.hours(24)], [604800, T.days(7)]].map(([seconds, text]) => h("option", { value: seconds, text, ".selected": seconds === 86400 })));
    const paths = pathsField("invite-paths", T.paths, []);
    const error = h("p", { class: "error", role: "alert" });
    const form = h("form", {
      class: "stack", on: {
        async submit(event) {
          event.preventDefault();
          const globs = paths.globs();
          paths.end();
          try {
            const answer = await session.post("/sync/invitations", {
              ...(label.value.trim() ? { label: label.value.trim() } : {}), expires_in: Number(lifetime.value), ...(globs.length ? { sync_paths: globs } : {}),
            });
            const command = `pando serve --join ${location.origin} --join-token ${answer.invitation}`;
            replace(form, h("p", { text: T.once }), h("div", { class: "qr" }, qrPicture(answer.invitation, T.qr)), h("h3", { text: T.invitation }), copyable(answer.invitation, T.invitation),
              h("h3", { text: T.command }), copyable(command, T.command), h("p", { class: "soft small", text: T.until(exactly(answer.expires_at)) }), actions(button(texts.app.close, () => close(), "primary")));
            form.querySelector(".primary").focus();
            learnLabels().then(() => page.refresh());
          } catch (fault) { error.textContent = fault.message; }
        },
      },
    }, h("label", { for: "invite-label", text: T.label }), label, h("label", { for: "invite-expires", text: T.expires }), lifetime, paths, error,
    actions(button(texts.app.cancel, () => close()), h("button", { class: "primary", text: T.make })));
    return form;
  });
}
