import { h, replace } from "./dom.js";
import { fileURL } from "./format.js";
import { difference, lines } from "./diff.js";
import { isImage } from "./preview.js";
import { isText, readText, textLimit } from "./text.js";
import { texts } from "./texts.js";

const T = texts.conflicts;
/** Equal lines around a change. */
const around = 3;

/** Shows two versions together: pictures over each other, texts by their difference; null where neither can be shown. */
export async function compare(left, right, signal) {
  if (left.kind !== "file" || right.kind !== "file" || left.deleted || right.deleted) return null;
  if (isImage(left) && isImage(right)) return pictures(left, right);
  if (isText(left) && isText(right)) return differences(left, right, signal);
  return null;
}

// MARK: Texts

async function differences(left, right, signal) {
  if (Math.max(left.size, right.size) > textLimit) return h("p", { class: "soft", text: T.tooLarge });
  const [before, after] = await Promise.all([left, right].map((version) => readText(fileURL(version.path), version.size, signal)));
  if (before === null || after === null) return null;
  const runs = difference(lines(before), lines(after));
  const count = (kind) => runs.reduce((sum, run) => sum + (run.kind === kind ? run.lines.length : 0), 0);
  if (runs.every((run) => run.kind === "same")) return h("p", { class: "soft", text: T.sameText });
  const table = h("div", { class: "diff", role: "region", tabindex: "0", "aria-label": T.changes(count("added"), count("gone")) });
  const line = (kind, left, right, text) => h("div", { class: kind === "same" ? "" : kind }, h("span", { class: "line-number", text: left }), h("span", { class: "line-number", text: right }),
    h("span", { "aria-hidden": "true", text: { same: " ", gone: "−", added: "+" }[kind] }), h("span", { text }));
  runs.forEach((run, at) => {
    const show = (from, to) => { for (let index = from; index < to; index++) table.append(line(run.kind, run.kind === "added" ? "" : run.left + index, run.kind === "gone" ? "" : run.right + index, run.lines[index])); };
    const head = at === 0 ? 0 : around, tail = at === runs.length - 1 ? 0 : around;
    if (run.kind !== "same" || run.lines.length <= head + tail + 1) return show(0, run.lines.length);
    show(0, head);
    table.append(h("div", { class: "gap", text: T.skippedLines(run.lines.length - head - tail) }));
    show(run.lines.length - tail, run.lines.length);
  });
  return h("div", { class: "stack" }, h("p", { class: "soft small", text: T.changes(count("added"), count("gone")) }), table);
}

// MARK: Pictures

const modes = ["side", "swipe", "onion", "difference"];

async function pictures(left, right) {
  const load = async (version) => {
    const image = new Image();
    image.src = fileURL(version.path);
    image.alt = "";
    image.draggable = false;
    await image.decode();
    return image;
  };
  let images;
  try { images = await Promise.all([load(left), load(right)]); } catch { return null; }
  const [below, above] = images;
  below.alt = T.current;
  above.alt = T.other;
  const stage = h("div", { class: "compare" });
  const slider = h("input", { type: "range", min: "0", max: "100", ".value": 50, "aria-label": T.slider });
  const note = h("p", { class: "soft small", role: "status" });
  const seam = h("div", { class: "seam" });
  let mode = "side";
  const place = () => {
    const share = Number(slider.value);
    above.style.clipPath = mode === "swipe" ? `inset(0 0 0 ${share}%)` : "";
    above.style.opacity = mode === "onion" ? share / 100 : 1;
    // The seam follows the picture, which may be narrower than the stage.
    const [outer, inner] = [stage.getBoundingClientRect(), above.getBoundingClientRect()];
    seam.style.left = `${inner.left - outer.left + (inner.width * share) / 100 - 1}px`;
  };
  const draw = () => {
    stage.className = mode === "side" ? "compare pairwise" : "compare";
    slider.hidden = mode !== "swipe" && mode !== "onion";
    note.textContent = "";
    if (mode === "difference") {
      const { canvas, share } = pixels(below, above);
      note.textContent = T.differenceShare(share < 0.0005 && share > 0 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`);
      replace(stage, canvas);
    } else {
      replace(stage, below, above, mode === "swipe" && seam, mode === "side" && [T.current, T.other].map((text) => h("span", { class: "caption", text })));
      requestAnimationFrame(place);
    }
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(modes[at] === mode)));
  };
  slider.addEventListener("input", place);
  const buttons = modes.map((name) => h("button", { type: "button", text: T.modes[name], on: { click: () => { mode = name; draw(); } } }));
  draw();
  return h("div", { class: "stack" }, h("div", { class: "segmented" }, buttons), stage, slider, note);
}

/** How two pictures differ: what is equal is dark, what differs is bright by how much. Large ones are looked at in a smaller size. */
function pixels(left, right) {
  const width = Math.max(left.naturalWidth, right.naturalWidth, 1), height = Math.max(left.naturalHeight, right.naturalHeight, 1);
  const scale = Math.min(1, 1600 / Math.max(width, height));
  const canvas = h("canvas", { role: "img", "aria-label": T.modes.difference });
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const read = (image) => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, Math.round(image.naturalWidth * scale), Math.round(image.naturalHeight * scale));
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const one = read(left), other = read(right);
  let changed = 0;
  for (let at = 0; at < one.data.length; at += 4) {
    const by = Math.max(Math.abs(one.data[at] - other.data[at]), Math.abs(one.data[at + 1] - other.data[at + 1]), Math.abs(one.data[at + 2] - other.data[at + 2]), Math.abs(one.data[at + 3] - other.data[at + 3]));
    if (by > 2) changed += 1;
    const grey = (one.data[at] + one.data[at + 1] + one.data[at + 2]) / 12;
    one.data[at] = by > 2 ? 90 + by * 0.65 : grey;
    one.data[at + 1] = by > 2 ? by * 0.2 : grey;
    one.data[at + 2] = by > 2 ? by * 0.3 : grey;
    one.data[at + 3] = 255;
  }
  context.putImageData(one, 0, 0);
  return { canvas, share: changed / (canvas.width * canvas.height) };
}
