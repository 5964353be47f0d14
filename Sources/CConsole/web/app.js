import { Live, all, session } from "./api.js";
import { button, empty, fail, notify } from "./dialog.js";
import { h, replace, settle } from "./dom.js";
import { icon } from "./icons.js";
import { texts } from "./texts.js";

const root = document.getElementById("app");

/** The pages, each loaded when it is first shown. */
const pages = {
  files: () => import("./files.js"),
  conflicts: () => import("./conflicts.js"),
  cluster: () => import("./cluster.js"),
  time: () => import("./time.js"),
  keys: () => import("./keys.js"),
};

/** What all pages know. */
export const context = {
  /** Whether the key has all rights: to others a node does not tell its root. */
  isOwner: false,
  conflicts: 0,
  /** What nodes are called, by id. */
  labels: new Map(),
  live: null,
  /** The node's clock, by its last heartbeat: what a time means to it, whatever this machine's clock says. */
  beat: { node: Date.now(), here: performance.now() },
  nodeTime: () => new Date(context.beat.node + performance.now() - context.beat.here).toISOString(),
  labelOf: (id) => context.labels.get(id) ?? (id ? id.slice(0, 8) : "–"),
};

let shell = null;
let page = null;

// MARK: Theme

const themes = ["auto", "light", "dark"];

function applyTheme() {
  const theme = localStorage.getItem("theme") ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  return theme;
}

// MARK: Login

function showLogin(message = "") {
  context.live?.stop();
  page?.end?.();
  page = shell = null;
  document.title = `${texts.login.title} · ${texts.app.name}`;
  const field = h("input", {
    id: "key", type: "password", autocomplete: "current-password", spellcheck: "false", autocapitalize: "off", required: true, autofocus: true,
    "aria-describedby": "login-error login-hint",
  });
  const show = h("button", {
    type: "button", class: "quiet", text: texts.login.show, "aria-pressed": "false", on: {
      click() {
        const isShown = field.type === "password";
        field.type = isShown ? "text" : "password";
        show.textContent = isShown ? texts.login.hide : texts.login.show;
        show.setAttribute("aria-pressed", String(isShown));
      },
    },
  });
  const error = h("p", { class: "error", id: "login-error", role: "alert", text: message });
  const submit = h("button", { class: "primary wide", text: texts.login.button });
  replace(root, h("main", { class: "login" }, h("form", {
    class: "card stack", on: {
      async submit(event) {
        event.preventDefault();
        error.textContent = "";
        submit.disabled = true;
        submit.textContent = texts.login.busy;
        try {
          await session.open(field.value.trim());
          await start();
        } catch (fault) {
          error.textContent = fault.message;
          submit.disabled = false;
          submit.textContent = texts.login.button;
          field.select();
        }
      },
    },
  },
  h("div", { class: "brand" }, h("span", { class: "mark" }), h("span", { text: texts.app.name })),
  h("h1", { text: texts.login.title }), h("p", { class: "soft", text: texts.login.intro }),
  h("label", { for: "key", text: texts.login.field }), h("div", { class: "field-row" }, field, show), error, submit,
  h("p", { class: "soft small", id: "login-hint", text: texts.login.hint }))));
  field.focus();
}

// MARK: Shell

function makeShell() {
  const links = new Map();
  const nav = h("nav", { "aria-label": texts.app.menu, class: "nav" });
  for (const name of Object.keys(pages)) {
    const link = h("a", { href: `#/${name}`, data: { page: name } }, icon(name), h("span", { class: "label", text: texts.nav[name] }));
    if (name === "conflicts") link.append(h("span", { class: "badge", hidden: true }));
    links.set(name, link);
    nav.append(link);
  }
  const search = h("input", {
    type: "search", class: "search-input", placeholder: texts.app.search, "aria-label": texts.app.searchLabel, spellcheck: "false", autocomplete: "off",
    on: { input: settle(250, () => searchFor(search.value)), keydown: (event) => { if (event.key === "Escape") { search.value = ""; searchFor(""); } } },
  });
  const conflicts = h("a", { class: "pill", href: "#/conflicts" });
  const state = h("span", { class: "state", role: "status" }, h("span", { class: "dot" }), h("span", { class: "state-text" }));
  const theme = h("button", { type: "button", class: "quiet icon-only" }, icon("theme"));
  const paintTheme = () => {
    const name = texts.app.theme + texts.app.themes[applyTheme()];
    theme.title = name;
    theme.setAttribute("aria-label", name);
  };
  theme.addEventListener("click", () => {
    localStorage.setItem("theme", themes[(themes.indexOf(localStorage.getItem("theme") ?? "auto") + 1) % themes.length]);
    paintTheme();
  });
  paintTheme();
  const logout = h("button", { type: "button", class: "quiet icon-only", title: texts.app.logout, "aria-label": texts.app.logout, on: { click: () => session.close() } }, icon("exit"));
  const main = h("main", { id: "main", tabindex: "-1" });
  const banner = h("div", { class: "banner", role: "alert", hidden: true, text: texts.app.offlineBanner });
  replace(root,
    h("a", { class: "skip", href: "#main", text: texts.app.skip, on: { click: (event) => { event.preventDefault(); main.focus(); } } }),
    h("div", { class: "shell" },
      h("aside", { class: "side" }, h("a", { class: "brand", href: "#/files/" }, h("span", { class: "mark" }), h("span", { text: texts.app.name })), nav, h("div", { class: "side-foot" })),
      h("header", { class: "top" }, h("label", { class: "search" }, icon("search", 18), search), h("div", { class: "top-right" }, conflicts, state, theme, logout)),
      banner, main));
  return { links, search, conflicts, state, main, banner, foot: root.querySelector(".side-foot") };
}

function searchFor(text) {
  const route = readRoute();
  const place = route.page === "files" ? route.path : "/";
  const query = new URLSearchParams(route.page === "files" ? route.query : "");
  if (text.trim()) query.set("search", text);
  else if (route.page !== "files") return;
  else query.delete("search");
  location.replace(linkTo("files", place, query));
}

function paintState() {
  if (!shell) return;
  const { state, banner } = shell;
  const name = context.live.state;
  state.dataset.state = name;
  state.title = texts.app.stateHints[name];
  state.lastChild.textContent = texts.app.states[name];
  banner.hidden = name !== "offline";
}

export function paintConflicts(count) {
  context.conflicts = count;
  if (!shell) return;
  shell.conflicts.textContent = count ? texts.app.conflictCount(count) : texts.app.noConflicts;
  shell.conflicts.classList.toggle("attention", count > 0);
  const badge = shell.links.get("conflicts").querySelector(".badge");
  badge.hidden = !count;
  badge.textContent = count > 99 ? "99+" : count;
}

// MARK: Routes

/** `#/PAGE/PATH?QUERY`: the path as URLs have it, so that the address can be kept and shared, and holds no secret. */
export function readRoute() {
  const [place, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...names] = place.split("/");
  let path = "/";
  try { path += names.filter(Boolean).map(decodeURIComponent).join("/"); } catch { /* not ours: the root */ }
  return { page: name in pages ? name : "files", path, query };
}

export function linkTo(name, path = "", query = "") {
  const text = query.toString();
  return `#/${name}${path && path !== "/" ? path.split("/").map(encodeURIComponent).join("/") : "/"}${text ? `?${text}` : ""}`;
}

export const go = (name, path, query) => { location.hash = linkTo(name, path, query); };

let turn = 0;

async function show() {
  if (!shell) return;
  const route = readRoute();
  for (const [name, link] of shell.links) {
    if (name === route.page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const query = new URLSearchParams(route.query);
  if (document.activeElement !== shell.search) shell.search.value = route.page === "files" ? query.get("search") ?? "" : "";
  document.title = `${texts.nav[route.page]} · ${texts.app.name}`;
  if (page?.name === route.page && page.show) return page.show(route);
  const mine = ++turn;
  page?.end?.();
  page = null;
  try {
    const module = await pages[route.page]();
    if (mine !== turn || !shell) return;
    replace(shell.main);
    shell.main.className = `page-${route.page}`;
    shell.main.scrollTop = 0;
    page = module.open(shell.main, route);
    page.name = route.page;
  } catch (error) {
    // The node is away, or was updated, and has the pages of another release than this one.
    if (mine === turn) replace(shell.main, empty("warning", texts.errors.offline, "", button(texts.app.retry, () => location.reload(), "primary")));
  }
}

// MARK: Live

const countConflicts = settle(150, async () => {
  try {
    if (context.isOwner) {
      paintConflicts((await session.get("/sync/status")).conflicts);
    } else {
      paintConflicts((await session.get("/sync/conflicts?limit=1000")).items.length);
    }
  } catch { /* the state of the connection tells */ }
});

let wasReady = false;

function takeEvent({ type, data }) {
  if (type === "heartbeat") context.beat = { node: data.construct_time / 1000, here: performance.now() };
  if (["ready", "resync", "commit", "conflict", "resolved"].includes(type)) countConflicts();
  // A connection that was made anew: what happened meanwhile may be more than is told.
  if (type === "ready" && wasReady) type = "resync";
  if (type === "ready") wasReady = true;
  page?.event?.(type, data);
}

export async function learnLabels() {
  try {
    const [members, peers] = await Promise.all([all("/sync/members"), all("/sync/peers")]);
    for (const item of [...members, ...peers]) if (item.node_id && item.label) context.labels.set(item.node_id, item.label);
  } catch { /* a key without this right sees ids */ }
}

async function start() {
  const { label, node_id: id, version, root: tree, conflicts } = await session.get("/sync/status");
  context.isOwner = tree !== null;
  context.labels.set(id, label ?? id.slice(0, 8));
  shell = makeShell();
  for (const name of ["cluster", "keys"]) shell.links.get(name).hidden = !context.isOwner;
  replace(shell.foot, h("strong", { text: context.labelOf(id) }), h("span", { class: "soft small", text: `${texts.app.name} ${version}` }));
  if (context.isOwner) learnLabels();
  wasReady = false;
  context.live = new Live();
  context.live.addEventListener("state", paintState);
  context.live.addEventListener("event", (event) => takeEvent(event.detail));
  context.live.start();
  paintState();
  paintConflicts(conflicts ?? 0);
  countConflicts();
  await show();
  if (sessionStorage.getItem("uploading")) {
    sessionStorage.removeItem("uploading");
    notify(texts.upload.broken, { isLong: true });
  }
  // The other pages, so that they are there when the node is not.
  setTimeout(() => { for (const load of Object.values(pages)) load().catch(() => {}); }, 4000);
}

addEventListener("hashchange", show);
addEventListener("unhandledrejection", (event) => { if (event.reason?.name !== "AbortError") fail(event.reason ?? {}); });
addEventListener("keydown", (event) => {
  if (event.key === "/" && shell && !event.ctrlKey && !event.metaKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName) && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    shell.search.focus();
  }
});
session.addEventListener("ended", (event) => showLogin(event.detail ?? ""));

applyTheme();
// Not awaited: the pages import this module, and would wait for it while it waits for them.
session.resume().then((isOpen) => (isOpen ? start() : showLogin())).catch((error) => showLogin(error.message));
