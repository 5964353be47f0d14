import { h, svg } from "./dom.js";
import { texts } from "./texts.js";

const width = 160, height = 44;

/** The last values of something that is measured again and again: `label`, `format`, and `add(value)`. */
class LiveChart extends HTMLElement {
  #values = [];
  label = "";
  format = String;

  connectedCallback() {
    if (this.line) return this.#draw();
    this.value = h("strong", {});
    this.line = svg("path", { fill: "none", stroke: "currentColor", "stroke-width": "1.5", "vector-effect": "non-scaling-stroke" });
    this.zero = svg("path", { stroke: "currentColor", "stroke-width": "1", opacity: ".25", "stroke-dasharray": "3 3", "vector-effect": "non-scaling-stroke" });
    this.picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" }, this.zero, this.line);
    this.append(h("span", { text: `${this.label} ` }), this.value, this.picture);
    this.#draw();
  }

  add(value) {
    if (value === null || value === undefined) return;
    this.#values.push(value);
    if (this.#values.length > 90) this.#values.shift();
    if (this.isConnected) this.#draw();
  }

  #draw() {
    const values = this.#values;
    const text = values.length ? this.format(values.at(-1)) : "–";
    this.value.textContent = text;
    this.picture.setAttribute("aria-label", texts.cluster.chart(this.label, text));
    if (!values.length) return;
    const low = Math.min(0, ...values), high = Math.max(0, ...values);
    const y = (value) => 3 + (height - 6) * (1 - (value - low) / (high - low || 1));
    const step = width / 89;
    const start = width - (values.length - 1) * step;
    const points = values.map((value, at) => `${(start + at * step).toFixed(1)} ${y(value).toFixed(1)}`);
    this.line.setAttribute("d", values.length > 1 ? `M${points.join("L")}` : `M${width - 3} ${y(values[0])}h3`);
    this.zero.setAttribute("d", `M0 ${y(0).toFixed(1)}H${width}`);
  }
}

customElements.define("live-chart", LiveChart);
