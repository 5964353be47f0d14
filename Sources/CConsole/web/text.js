import { session } from "./api.js";
import { h } from "./dom.js";

/** As much of a text as is shown. */
export const textLimit = 512 << 10;

/** Whether a file is shown as text, by its type or, where that says nothing, later by its bytes. */
export function isText(item) {
  const type = item.content_type ?? "";
  return type.startsWith("text/") || /^(message|application)\/.*(json|xml|yaml|toml|javascript|x-sh|sql|rfc822)/.test(type) || type === "image/svg+xml";
}

/** The beginning of a file as text; null if it is none. */
export async function readText(url, size, signal) {
  const headers = size > textLimit ? { Range: `bytes=0-${textLimit - 1}` } : {};
  const response = await session.send("GET", url, { headers, signal });
  const data = new Uint8Array(await response.arrayBuffer());
  if (data.subarray(0, 4096).includes(0)) return null;
  try {
    // A cut in the middle of a character is no fault of the text.
    return new TextDecoder("utf-8", { fatal: true }).decode(data, { stream: data.length < size });
  } catch {
    return new TextDecoder("windows-1252").decode(data);
  }
}

/**
 * Markdown as elements: headings, paragraphs, lists, quotes, code, rules, emphasis and links. What it does not know stays text,
 * HTML and pictures included: a document says nothing to the browser but what is here.
 */
export function markdown(source) {
  const root = h("div", { class: "prose" });
  const lines = source.replace(/\r\n?/g, "\n").split("\n");
  let index = 0;
  const isBlank = (line) => line.trim() === "";
  const starts = /^(#{1,6}\s|```|~~~|>|\s*([-*+]|\d+[.)])\s|(\*\s*){3,}$|(-\s*){3,}$)/;
  while (index < lines.length) {
    const line = lines[index];
    if (isBlank(line)) { index += 1; continue; }
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    const fence = /^\s*(```|~~~)/.exec(line);
    if (fence) {
      const code = [];
      while (++index < lines.length && !lines[index].trimStart().startsWith(fence[1])) code.push(lines[index]);
      index += 1;
      root.append(h("pre", {}, h("code", { text: code.join("\n") })));
    } else if (heading) {
      // One level down: the page has a first heading already.
      root.append(h(`h${Math.min(6, heading[1].length + 1)}`, {}, inline(heading[2])));
      index += 1;
    } else if (/^\s*((\*\s*){3,}|(-\s*){3,}|(_\s*){3,})$/.test(line)) {
      root.append(h("hr"));
      index += 1;
    } else if (line.startsWith(">")) {
      const quote = [];
      while (index < lines.length && lines[index].startsWith(">")) quote.push(lines[index++].replace(/^>\s?/, ""));
      root.append(h("blockquote", {}, markdown(quote.join("\n"))));
    } else if (/^\s*([-*+]|\d+[.)])\s/.test(line)) {
      const list = h(/^\s*\d/.test(line) ? "ol" : "ul");
      while (index < lines.length && /^\s*([-*+]|\d+[.)])\s/.test(lines[index])) {
        const item = [lines[index++].replace(/^\s*([-*+]|\d+[.)])\s+/, "")];
        while (index < lines.length && /^\s+\S/.test(lines[index]) && !starts.test(lines[index])) item.push(lines[index++].trim());
        list.append(h("li", {}, inline(item.join(" "))));
      }
      root.append(list);
    } else {
      const paragraph = [];
      while (index < lines.length && !isBlank(lines[index]) && (paragraph.length === 0 || !starts.test(lines[index]))) paragraph.push(lines[index++]);
      root.append(h("p", {}, inline(paragraph.join(" "))));
    }
  }
  return root;
}

const marks = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s][^*]*?)\*|\[([^\]]+)\]\(([^)\s]+)[^)]*\)/s;

function inline(text) {
  const parts = [];
  while (text) {
    const match = marks.exec(text);
    if (!match) { parts.push(text); break; }
    if (match.index) parts.push(text.slice(0, match.index));
    const [whole, , code, strong, alsoStrong, emphasis, label, target] = match;
    if (code !== undefined) parts.push(h("code", { text: code }));
    else if (strong ?? alsoStrong) parts.push(h("strong", {}, inline(strong ?? alsoStrong)));
    else if (emphasis) parts.push(h("em", {}, inline(emphasis)));
    else if (/^https?:\/\//i.test(target)) parts.push(h("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, inline(label)));
    else parts.push(label);
    text = text.slice(match.index + whole.length);
  }
  return parts;
}
