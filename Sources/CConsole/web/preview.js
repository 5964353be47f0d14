import { empty } from "./dialog.js";
import { h, replace } from "./dom.js";
import { bytes } from "./format.js";
import { icon } from "./icons.js";
import { isText, markdown, readText, textLimit } from "./text.js";
import { texts } from "./texts.js";

const T = texts.preview;
const images = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml|apng|vnd\.microsoft\.icon)$/;

export const isImage = (item) => images.test((item.content_type ?? "").split(";")[0]);

/** Shows a file over the whole page, with the others of its folder to go on to. `urlOf` gives the URL of a path. */
export function preview(item, items, urlOf) {
  let index = Math.max(0, items.findIndex((other) => other.path === item.path));
  let loading;
  const title = h("h2", { id: "viewer-title" });
  const facts = h("span", { class: "soft small" });
  const stage = h("div", { class: "stage", tabindex: "0", role: "region", "aria-labelledby": "viewer-title" });
  const tools = h("span", { class: "row" });
  const step = (name, text, by) => h("button", { type: "button", class: "icon-only", "aria-label": text, title: text, on: { click: () => turn(by) } }, icon(name, 18));
  const download = h("a", { class: "button", "aria-label": texts.files.download, title: texts.files.download }, icon("download", 18));
  const element = h("dialog", {
    class: "viewer", "aria-labelledby": "viewer-title", on: {
      close: () => { loading?.abort(); replace(stage); element.remove(); },
      keydown(event) {
        if (/^(VIDEO|AUDIO)$/.test(event.target.tagName)) return;
        if (event.key === "ArrowRight") turn(1);
        if (event.key === "ArrowLeft") turn(-1);
      },
    },
  }, h("header", {}, title, facts, tools, items.length > 1 && [step("left", T.previous, -1), step("right", T.next, 1)], download,
    h("button", { type: "button", class: "icon-only", "aria-label": texts.app.close, title: texts.app.close, on: { click: () => element.close() } }, icon("close", 18))), stage);

  function turn(by) {
    index = (index + by + items.length) % items.length;
    draw();
  }

  async function draw() {
    const item = items[index] ?? element.item;
    loading?.abort();
    const { signal } = loading = new AbortController();
    title.textContent = item.name;
    facts.textContent = bytes(item.size);
    download.href = urlOf(item.path);
    download.download = item.name;
    replace(tools);
    replace(stage, h("div", { class: "empty", role: "status" }, h("span", { class: "spinner" }), h("p", { text: T.loading })));
    try {
      const shown = await content(item, urlOf(item.path), signal, tools);
      if (!signal.aborted) replace(stage, shown);
    } catch (error) {
      if (!signal.aborted) replace(stage, empty("warning", T.failed, error.message));
    }
  }

  element.item = item;
  document.body.append(element);
  element.showModal();
  stage.focus();
  draw();
}

/** What shows a file. Media are fetched by the browser itself, with the cookie of the session, and by ranges. */
async function content(item, url, signal, tools) {
  const type = (item.content_type ?? "").split(";")[0];
  if (isImage(item)) return picture(item, url);
  if (/^(video|audio)\//.test(type)) return media(type.slice(0, 5), url);
  if (type === "application/pdf") return h("iframe", { src: url, title: T.document(item.name) });
  if (isText(item) || item.size <= textLimit) {
    const text = await readText(url, item.size, signal);
    if (text === null) return nothing(item, T.none);
    const note = h("p", { class: "soft small", text: item.size > textLimit ? T.part(bytes(textLimit), bytes(item.size)) : T.safe });
    const source = () => h("div", { class: "paper stack" }, note, h("pre", { text }));
    if (type !== "text/markdown") return source();
    const holder = h("div", { class: "sheet" }, h("div", { class: "paper" }, markdown(text)));
    const choose = (isRendered) => { replace(holder, isRendered ? h("div", { class: "paper" }, markdown(text)) : source()); both.forEach((button, at) => button.setAttribute("aria-pressed", String((at === 0) === isRendered))); };
    const both = [h("button", { type: "button", text: T.rendered, "aria-pressed": "true", on: { click: () => choose(true) } }), h("button", { type: "button", text: T.source, "aria-pressed": "false", on: { click: () => choose(false) } })];
    replace(tools, h("span", { class: "segmented" }, both));
    return holder;
  }
  return nothing(item, T.none);
}

const nothing = (item, text) => empty("file", text, `${item.content_type ?? ""} · ${bytes(item.size)}`);

export const picture = (item, url) => h("img", {
  src: url, alt: T.image(item.name), draggable: "false", on: { error: (event) => event.target.replaceWith(nothing(item, T.failed)) },
});

function media(kind, url) {
  return h(kind, { src: url, controls: true, autoplay: false, preload: "metadata" });
}
