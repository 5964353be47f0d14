import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { texts } from "./texts.js";

/** So that each has a name of its own, also one over another. */
let dialogs = 0;

/**
 * A modal dialog. The browser's own element keeps the focus inside, closes on Escape and gives the focus back.
 * @param build is given `close(value)` and returns the body.
 * @returns what it was closed with; undefined when it was dismissed.
 */
export function dialog(title, build, { isWide = false } = {}) {
  return new Promise((done) => {
    let result;
    const close = (value) => { result = value; element.close(); };
    const id = `dialog-${++dialogs}`;
    const heading = h("h2", { id, text: title });
    const element = h("dialog", { class: isWide ? "dialog wide" : "dialog", "aria-labelledby": id },
      h("header", {}, heading, h("button", { class: "quiet icon-only", "aria-label": texts.app.close, on: { click: () => close() } }, icon("close"))),
      build(close));
    element.addEventListener("close", () => { element.remove(); done(result); });
    element.addEventListener("pointerdown", (event) => { if (event.target === element) element.close(); });
    document.body.append(element);
    element.showModal();
    (element.querySelector("[autofocus]") ?? element.querySelector("input, select, textarea, .primary, button"))?.focus();
  });
}

/** The row of buttons at a dialog's end. */
export const actions = (...buttons) => h("footer", { class: "actions" }, buttons);
export const button = (text, action, kind = "") => h("button", { type: "button", class: kind, text, on: { click: action } });

export function confirm(title, text, yes, { isDangerous = false } = {}) {
  return dialog(title, (close) => h("div", { class: "stack" },
    h("p", { text }),
    actions(button(texts.app.cancel, () => close(false)), h("button", { type: "button", autofocus: true, class: isDangerous ? "danger" : "primary", text: yes, on: { click: () => close(true) } }))));
}

/** Asks for one line. `check` returns what is wrong with it, or nothing. */
export function ask(title, label, value, yes, check = () => "") {
  return dialog(title, (close) => {
    const input = h("input", { id: "answer", ".value": value, autocomplete: "off", spellcheck: "false", autofocus: true, "aria-describedby": "answer-error" });
    const error = h("p", { class: "error", id: "answer-error", role: "alert" });
    const form = h("form", {
      class: "stack", on: {
        submit(event) {
          event.preventDefault();
          const fault = check(input.value);
          error.textContent = fault ?? "";
          if (!fault) close(input.value);
          else input.focus();
        },
      },
    }, h("label", { for: "answer", text: label }), input, error, actions(button(texts.app.cancel, () => close()), h("button", { class: "primary", text: yes })));
    queueMicrotask(() => {
      // Up to the extension, as people rename.
      const dot = value.lastIndexOf(".");
      input.setSelectionRange(0, dot > 0 ? dot : value.length);
    });
    return form;
  });
}

// MARK: Notices

let notices;

/** Says something at the edge of the page, for a while; with an action for longer. */
export function notify(text, { action, label, isError = false, isLong = !!action } = {}) {
  notices ??= document.body.appendChild(h("div", { class: "notices", role: "status", "aria-live": "polite" }));
  const notice = h("div", { class: isError ? "notice bad" : "notice" }, isError && icon("warning"), h("span", { text }));
  const remove = () => notice.remove();
  if (action) notice.append(h("button", { type: "button", class: "link", text: label, on: { click: () => { remove(); action(); } } }));
  notice.append(h("button", { type: "button", class: "quiet icon-only", "aria-label": texts.app.close, on: { click: remove } }, icon("close", 16)));
  notices.append(notice);
  while (notices.children.length > 4) notices.firstChild.remove();
  let timer = setTimeout(remove, isLong ? 20000 : isError ? 12000 : 5000);
  const hold = () => clearTimeout(timer);
  const release = () => { timer = setTimeout(remove, 6000); };
  for (const [event, handler] of [["pointerenter", hold], ["focusin", hold], ["pointerleave", release], ["focusout", release]]) notice.addEventListener(event, handler);
}

export const fail = (error) => notify(error.message || texts.errors.unknown, { isError: true });

/** What stands where there is nothing to show. */
export function empty(name, title, text, ...more) {
  return h("div", { class: "empty" }, icon(name, 40), h("h2", { text: title }), text && h("p", { text }), more);
}

export const loading = () => h("div", { class: "empty", role: "status" }, h("span", { class: "spinner" }), h("p", { text: texts.app.loading }));

/** Shows an error in the place of what it kept from being shown. */
export function broken(error, retry) {
  const text = error.status === 403 ? texts.errors.forbidden : error.message;
  return empty(error.status === 404 ? "info" : "warning", error.status === 404 ? texts.errors.gone : text, error.status === 404 ? "" : "",
    retry && error.status !== 403 && button(texts.app.retry, retry, "primary"));
}

/** A value that can be copied. */
export function copyable(text, label) {
  const copy = h("button", {
    type: "button", class: "quiet icon-only", "aria-label": `${texts.app.copy}: ${label}`, title: texts.app.copy, on: {
      async click() {
        try {
          await navigator.clipboard.writeText(text);
        } catch {
          // Browsers give the clipboard to secure pages alone, and a LAN is none.
          const range = document.createRange();
          range.selectNodeContents(code);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
          document.execCommand("copy");
        }
        replace(copy, icon("check", 16));
        setTimeout(() => replace(copy, icon("copy", 16)), 1500);
      },
    },
  }, icon("copy", 16));
  const code = h("code", { text });
  return h("span", { class: "copyable" }, code, copy);
}
