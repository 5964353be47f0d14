// Builds the page. Text is always set as text: what a file is called can never become markup. The page's policy
// (require-trusted-types-for) refuses every other way.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: `class`, `text`, `on: {event: handler}`, `data: {}`, properties that begin with a dot, else attributes. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  if (props) set(element, props);
  add(element, children);
  return element;
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) if (value != null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith(".")) element[name.slice(1)] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
}

function add(parent, children) {
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) parent.append(child);
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
  return parent;
}

/** Calls `body` once, `wait` milliseconds after the last call. */
export function settle(wait, body) {
  let timer;
  const settled = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => body(...values), wait);
  };
  settled.cancel = () => clearTimeout(timer);
  return settled;
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
