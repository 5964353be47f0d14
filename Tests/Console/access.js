// What can be checked of a page's accessibility without a package (WCAG 2.2, level AA): names, labels, headings, ids, contrast, and
// that nothing hangs over the edge. Returns a list of faults.
const faults = [];
const isSeen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;
const describe = (element) => `<${element.tagName.toLowerCase()}${element.id ? ` id=${element.id}` : ""}${element.className && typeof element.className === "string" ? ` class="${element.className}"` : ""}> ${(element.textContent || "").trim().slice(0, 40)}`;
const scope = document.querySelector("dialog[open]") ?? document.body;

// Names (4.1.2, 3.3.2, 1.1.1)
for (const element of scope.querySelectorAll("button, a[href], input, select, textarea, [role=grid], [role=tree], [role=menu], dialog, progress, img, iframe, svg[role=img], [tabindex='0']")) {
  if (!isSeen(element) || element.type === "hidden") continue;
  const labelled = (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
  const label = [...(element.labels ?? [])].map((label) => label.textContent).join("");
  const own = /^(BUTTON|A)$/.test(element.tagName) ? element.textContent : "";
  const name = element.getAttribute("aria-label") || labelled || label || own || element.getAttribute("alt") || element.getAttribute("title") || (element.tagName === "INPUT" && element.type === "submit" ? element.value : "");
  if (!name?.trim() && !(element.tagName === "IMG" && element.getAttribute("alt") === "")) faults.push(`no name: ${describe(element)}`);
}
// Ids, headings, language, landmarks
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push(`id twice: ${id}`);
for (const name of ["aria-labelledby", "aria-describedby", "aria-activedescendant", "for"]) {
  for (const element of scope.querySelectorAll(`[${name}]`)) for (const id of element.getAttribute(name).split(" ")) if (!document.getElementById(id)) faults.push(`${name} leads nowhere: ${describe(element)}`);
}
if (document.querySelectorAll("h1").length !== 1) faults.push(`${document.querySelectorAll("h1").length} first headings`);
if (!document.documentElement.lang) faults.push("no language");
if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
if (!document.title) faults.push("no title");
let level = 1;
for (const heading of scope.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
  if (!isSeen(heading)) continue;
  const next = Number(heading.tagName[1]);
  if (next > level + 1) faults.push(`heading ${next} after ${level}: ${describe(heading)}`);
  level = next;
}
// Nothing that takes the focus inside of something that is hidden from screen readers, and no element of a role inside of another control.
for (const element of scope.querySelectorAll("[aria-hidden=true] button, [aria-hidden=true] a, [aria-hidden=true] input, button button, a button, button a")) faults.push(`nested or hidden control: ${describe(element)}`);

// Contrast (1.4.3)
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const parsed = new Map();
function rgba(color) {
  if (!parsed.has(color)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    parsed.set(color, [red, green, blue, alpha / 255]);
  }
  return parsed.get(color);
}
const over = ([r, g, b, a], [R, G, B, A]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), a + A * (1 - a)];
function background(element) {
  let color = [0, 0, 0, 0];
  for (let at = element; at && color[3] < 0.999; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (style.backgroundImage !== "none" && !style.backgroundImage.startsWith("url")) return null;
    color = over(color, rgba(style.backgroundColor));
  }
  return over(color, rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#000" : "#fff"));
}
const luminance = ([r, g, b]) => {
  const linear = [r, g, b].map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
const told = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !isSeen(element) || element.closest("[disabled], noscript, option, svg, .visually-hidden, iframe")) continue;
  const ground = background(element);
  if (!ground) continue;
  const style = getComputedStyle(element);
  const ink = over(rgba(style.color), ground);
  const [light, dark] = [luminance(ink), luminance(ground)].sort((one, other) => other - one);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  const text = `contrast ${ratio.toFixed(2)}: ${style.color} on ${ground.slice(0, 3).map(Math.round)}: ${describe(element)}`;
  if (ratio < needed && !told.has(text)) { told.add(text); faults.push(text); }
}
// Reflow (1.4.10)
if (document.documentElement.scrollWidth > innerWidth + 1) faults.push(`the page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
for (const element of scope.querySelectorAll("main, main *")) {
  if (!isSeen(element) || element.closest(".diff, .table-card, svg, .rows, .visually-hidden, .seam, pre, .compare")) continue;
  const box = element.getBoundingClientRect();
  if (box.width && box.right > innerWidth + 1) faults.push(`hangs over the edge by ${Math.round(box.right - innerWidth)}: ${describe(element)}`);
}
// Targets (2.5.8): 24 pixels, or alone in a line of text.
for (const element of scope.querySelectorAll("button, select, input:not([type=checkbox]):not([type=radio]):not([type=file])")) {
  if (!isSeen(element)) continue;
  const box = element.getBoundingClientRect();
  if (box.width < 24 || box.height < 16) faults.push(`small target ${Math.round(box.width)} by ${Math.round(box.height)}: ${describe(element)}`);
}
return faults;
