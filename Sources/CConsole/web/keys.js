import { all, session } from "./api.js";
import { actions, broken, button, confirm, copyable, dialog, fail, loading, notify } from "./dialog.js";
import { h, replace } from "./dom.js";
import { exactly } from "./format.js";
import { below } from "./globs.js";
import { icon } from "./icons.js";
import { chooseFolder } from "./picker.js";
import { texts } from "./texts.js";

const T = texts.keys;
const permissions = ["read", "list", "write", "delete"];

export function open(main) {
  const body = h("div", {}, loading());
  replace(main, h("div", { class: "page-head" }, h("div", { class: "stack" }, h("h1", { text: T.title }), h("p", { text: T.intro })),
    h("button", { type: "button", class: "primary", on: { click: () => make(load) } }, icon("add", 18), T.make)), body);

  async function load() {
    try {
      const items = await all("/auth/keys");
      replace(body, items.length ? table(items, load) : h("p", { class: "soft", text: T.none }));
    } catch (error) {
      replace(body, broken(error, load));
    }
  }
  load();
  return { end() {}, event: (type) => { if (type === "resync") load(); } };
}

const saying = (allow) => (allow.length ? permissions.filter((name) => allow.includes(name)).map((name) => T.permissions[name]).join(", ") : T.noRights);

function table(items, reload) {
  // The roles stay where a narrow page shows rows as blocks.
  const cell = (name, ...children) => h("td", { role: "cell", data: { label: name } }, h("div", {}, children));
  const row = (key) => h("tr", { role: "row" }, h("td", { role: "cell" }, h("strong", { text: key.label || T.unlabelled }), h("br"), h("code", { class: "soft", text: key.id })),
    cell(T.rules, key.rules.map((rule) => h("div", {}, h("code", { text: rule.path }), ` ${saying(rule.allow)}`))),
    cell(T.created, exactly(key.created_at)), cell(T.ends, key.expires_at ? exactly(key.expires_at) : T.never),
    h("td", { role: "cell" }, button(T.revoke, () => revoke(key, reload))));
  const heads = [...[T.label, T.rules, T.created, T.ends].map((text) => [text]), h("span", { class: "visually-hidden", text: T.revoke })];
  return h("div", { class: "card table-card", tabindex: "0", role: "region", "aria-label": T.title }, h("table", { role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)))), h("tbody", { role: "rowgroup" }, items.map(row))));
}

async function revoke(key, reload) {
  const name = key.label || key.id;
  if (!await confirm(T.revoke, T.sure(name), T.revoke, { isDangerous: true })) return;
  try { await session.send("DELETE", `/auth/keys/${key.id}`); notify(T.revoked(name)); } catch (error) { fail(error); }
  reload();
}

let rules = 0;

function ruleFields(remove) {
  const id = `rule-${++rules}`;
  const path = h("input", { id, ".value": "/**", spellcheck: "false", autocomplete: "off", required: true });
  const boxes = permissions.map((name) => [name, h("input", { type: "checkbox", ".checked": name === "read" || name === "list" })]);
  const element = h("fieldset", { class: "rule stack" }, h("legend", { text: T.rule }),
    h("label", { for: id, text: T.path }),
    h("div", { class: "field-row" }, path, button(T.choose, async () => {
      const folder = await chooseFolder();
      if (folder !== undefined) path.value = below(folder);
      path.focus();
    })),
    h("div", { class: "row" }, h("span", { class: "soft", text: T.allow }), boxes.map(([name, box]) => h("label", { class: "check" }, box, T.permissions[name]))),
    h("div", {}, button(T.removeRule, () => remove(element), "quiet")));
  element.rule = () => ({ path: path.value.trim(), allow: boxes.filter(([, box]) => box.checked).map(([name]) => name) });
  return element;
}

function make(reload) {
  return dialog(T.makeTitle, (close) => {
    const label = h("input", { id: "key-label", autocomplete: "off", required: true, autofocus: true, "aria-describedby": "key-label-hint" });
    const list = h("div", { class: "stack" });
    const add = () => list.append(ruleFields((element) => { if (list.children.length > 1) element.remove(); }));
    add();
    const lifetime = h("select", { id: "key-expires" }, h("option", { value: "", text: T.never }), [1, 7, 30, 365].map((days) => h("option", { value: days * 86400, text: T.days(days) })));
    const error = h("p", { class: "error", role: "alert" });
    const form = h("form", {
      class: "stack", on: {
        async submit(event) {
          event.preventDefault();
          try {
            const answer = await session.post("/auth/keys", {
              label: label.value.trim(), rules: [...list.children].map((element) => element.rule()), ...(lifetime.value ? { expires_in: Number(lifetime.value) } : {}),
            });
            replace(form, h("h3", { text: T.shownTitle }), h("p", { text: T.shown }), h("div", { class: "card" }, copyable(answer.api_key, T.title)), actions(button(texts.app.close, () => close(), "primary")));
            form.querySelector(".copyable button").focus();
            reload();
          } catch (fault) { error.textContent = fault.message; }
        },
      },
    }, h("label", { for: "key-label", text: T.label }), label, h("p", { class: "soft small", id: "key-label-hint", text: T.labelHint }),
    h("h3", { text: T.rules }), list, h("p", { class: "soft small", text: T.order }), h("div", {}, button(T.addRule, add)),
    h("label", { for: "key-expires", text: T.expires }), lifetime, error, actions(button(texts.app.cancel, () => close()), h("button", { class: "primary", text: T.go })));
    return form;
  }, { isWide: true });
}
