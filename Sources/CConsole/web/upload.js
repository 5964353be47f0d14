import { ApiError, session } from "./api.js";
import { dialog, actions, button } from "./dialog.js";
import { h, pause, replace } from "./dom.js";
import { bytes, fileURL, join, nameOf, span } from "./format.js";
import { another } from "./names.js";
import { texts } from "./texts.js";

/** Requests under way at once: enough to hide their round trips, few enough that each gets on. */
const lanes = 3;
const maximumShown = 60;

/**
 * Uploads, one after another whatever page is shown. A file goes up as one request. Pausing ends those under way, and they begin anew;
 * what has arrived is not sent again. Where the node is not reached, they wait until it is.
 */
class UploadPanel extends HTMLElement {
  #queue = [];
  #active = new Set();
  #done = [];
  #failed = [];
  #isPaused = false;
  #isOffline = false;
  #answer = null;
  #asking = Promise.resolve();
  #sent = 0;
  #total = 0;
  #count = 0;
  #began = 0;
  #painting = 0;

  connectedCallback() {
    if (this.title_) return;
    this.className = "card uploads";
    this.title_ = h("strong", { role: "status" });
    this.rate = h("span", { class: "soft small" });
    this.bar = h("progress", { max: "1", ".value": 0, "aria-label": texts.upload.list });
    this.items = h("ul", { "aria-label": texts.upload.list, tabindex: "0" });
    this.toggle = button(texts.upload.pause, () => (this.#isPaused ? this.resume() : this.pause()));
    this.cancel = button(texts.upload.cancel, () => this.stop());
    this.again = button(texts.upload.retry, () => this.#retry());
    this.close = button(texts.upload.close, () => this.clear());
    this.append(h("div", { class: "row between" }, this.title_, this.rate), this.bar, this.items,
      h("p", { class: "soft small note", text: texts.upload.note }), h("div", { class: "row" }, this.toggle, this.again, this.cancel, this.close));
    this.#paint();
  }

  /** @param entries `{path, file}`, or `{path}` alone for an empty folder. */
  add(entries) {
    if (!this.#isBusy) { this.#began = performance.now(); this.#sent = this.#total = 0; this.#done = []; this.#failed = []; this.#count = 0; this.#answer = null; }
    for (const entry of entries) {
      this.#queue.push({ ...entry, size: entry.file?.size ?? 0, sent: 0, tries: 0, request: null, error: "" });
      this.#total += entry.file?.size ?? 0;
      this.#count += 1;
    }
    this.#pump();
  }

  pause() {
    this.#isPaused = true;
    for (const job of this.#active) job.request?.abort();
    this.#paint();
  }

  resume() {
    this.#isPaused = false;
    this.#pump();
  }

  stop() {
    for (const job of [...this.#active, ...this.#queue]) { this.#total -= job.size; this.#count -= 1; job.isCancelled = true; }
    this.#queue = [];
    for (const job of this.#active) job.request?.abort();
    this.#isPaused = false;
    this.#finish();
    if (!this.#done.length && !this.#failed.length) this.clear();
  }

  get #isBusy() { return this.#queue.length > 0 || this.#active.size > 0; }

  clear() {
    this.#done = [];
    this.#failed = [];
    this.#paint();
  }

  #retry() {
    const failed = this.#failed;
    this.#failed = [];
    for (const job of failed) { job.error = ""; job.tries = 0; this.#queue.push(job); }
    this.#pump();
  }

  #pump() {
    while (!this.#isPaused && this.#active.size < lanes && this.#queue.length) {
      const job = this.#queue.shift();
      this.#active.add(job);
      this.#run(job);
    }
    this.#paint();
  }

  async #run(job) {
    try {
      await this.#send(job, true);
      this.#isOffline = false;
      this.#done.push(job);
    } catch (error) {
      this.#sent -= job.sent;
      job.sent = 0;
      if (job.isCancelled) {
        // Counted out already.
      } else if (error.name === "AbortError" || this.#isPaused) {
        this.#queue.unshift(job);
      } else if (error.status === 0 || error.status === 429 || error.status === 503) {
        this.#isOffline = true;
        job.tries += 1;
        this.#paint();
        await pause(Math.min(10000, 500 * 2 ** job.tries));
        this.#queue.unshift(job);
      } else {
        job.error = error.message;
        this.#failed.push(job);
      }
    }
    this.#active.delete(job);
    this.#pump();
    if (!this.#isBusy) this.#finish();
  }

  #finish() {
    this.#paint();
    this.dispatchEvent(new Event("finished"));
  }

  async #send(job, isNew) {
    try {
      await this.#put(job, isNew ? { "If-None-Match": "*" } : {});
    } catch (error) {
      if (error.status === 401 && await session.renew(job.token)) return this.#send(job, isNew);
      if (error.status !== 412 || !isNew) throw error;
      const choice = await this.#ask(nameOf(job.path));
      if (choice === "replace") return this.#send(job, false);
      if (choice === "both") { job.path = another(job.path); return this.#send(job, true); }
      if (choice === "skip") return;
      throw new ApiError(409, texts.upload.skipped);
    }
  }

  /** One question at a time; the answer may hold for all that follow. */
  #ask(name) {
    const question = this.#asking.then(async () => {
      if (this.#answer) return this.#answer;
      const [choice, isForAll] = await askExisting(name) ?? ["skip", false];
      if (isForAll) this.#answer = choice;
      return choice;
    });
    this.#asking = question;
    return question;
  }

  #put(job, headers) {
    return new Promise((done, fail) => {
      const request = job.request = new XMLHttpRequest();
      request.open("PUT", fileURL(job.path) + (job.file ? "" : "/"));
      job.token = session.authorize(request);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (job.file?.lastModified) request.setRequestHeader("Pando-Modified-At", new Date(job.file.lastModified).toISOString());
      request.upload.addEventListener("progress", (event) => {
        const sent = Math.min(event.loaded, job.size);
        this.#sent += sent - job.sent;
        job.sent = sent;
        this.#paint();
      });
      request.addEventListener("load", () => {
        job.request = null;
        if (request.status < 300) {
          this.#sent += job.size - job.sent;
          job.sent = job.size;
          return done();
        }
        let detail = `${request.status} ${request.statusText}`;
        try { detail = JSON.parse(request.responseText).detail ?? detail; } catch { /* not one of ours */ }
        fail(new ApiError(request.status, detail));
      });
      request.addEventListener("error", () => fail(new ApiError(0, texts.errors.offline)));
      request.addEventListener("abort", () => fail(new DOMException("", "AbortError")));
      // Without a type: the node guesses it from the name, the same for every browser.
      request.send(job.file?.slice(0, job.file.size, "") ?? null);
    });
  }

  // MARK: Drawing

  #paint() {
    this.#painting ||= requestAnimationFrame(() => { this.#painting = 0; this.#draw(); });
  }

  #draw() {
    this.hidden = !this.#isBusy && !this.#failed.length && !this.#done.length;
    document.body.classList.toggle("has-uploads", !this.hidden);
    if (this.hidden) return;
    const isBusy = this.#isBusy;
    this.title_.textContent = isBusy ? texts.upload.title(this.#done.length, this.#count) : this.#failed.length ? texts.upload.failed(this.#failed.length) : texts.upload.done(this.#done.length);
    const seconds = (performance.now() - this.#began) / 1000;
    const rate = this.#sent / Math.max(seconds, 0.1);
    this.rate.textContent = !isBusy ? "" : this.#isPaused ? texts.upload.paused : this.#isOffline ? texts.upload.offline
      : texts.upload.rate(bytes(Math.round(rate)), seconds > 2 ? span((this.#total - this.#sent) / rate) : "");
    this.bar.value = this.#total ? this.#sent / this.#total : this.#done.length / Math.max(this.#count, 1);
    this.bar.hidden = !isBusy;
    this.toggle.hidden = this.cancel.hidden = !isBusy;
    this.querySelector(".note").hidden = !this.#isPaused;
    this.toggle.textContent = this.#isPaused ? texts.upload.resume : texts.upload.pause;
    this.again.hidden = isBusy || !this.#failed.length;
    this.close.hidden = isBusy;
    const jobs = [...this.#failed, ...this.#active, ...this.#queue].slice(0, maximumShown);
    this.items.hidden = !jobs.length;
    replace(this.items, jobs.map((job) => h("li", {}, h("span", { text: job.path, title: job.path }),
      h("span", { class: job.error ? "error" : "soft", text: job.error || (job.sent ? `${Math.floor((100 * job.sent) / job.size)} %` : texts.upload.waiting) }))));
  }
}

customElements.define("upload-panel", UploadPanel);

function askExisting(name) {
  return dialog(texts.upload.existsTitle, (close) => {
    const all = h("input", { type: "checkbox" });
    const choose = (choice) => () => close([choice, all.checked]);
    return h("div", { class: "stack" }, h("p", { text: texts.upload.exists(name) }), h("label", { class: "check" }, all, texts.upload.all),
      actions(button(texts.upload.skip, choose("skip")), button(texts.upload.both, choose("both")), button(texts.upload.replace, choose("replace"), "primary")));
  });
}

// MARK: What was dropped or chosen

/** What was dropped on the page, folders included, as entries below a directory. Names are brought to the form that the node keeps. */
export async function dropped(roots, directory) {
  const entries = [];
  const visit = async (entry, place) => {
    const path = join(place, entry.name.normalize("NFC"));
    if (entry.isFile) {
      entries.push({ path, file: await new Promise((done, fail) => entry.file(done, fail)) });
      return;
    }
    const reader = entry.createReader();
    let count = 0;
    while (true) {
      // In pieces of a hundred, as browsers give them.
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) break;
      count += some.length;
      for (const child of some) await visit(child, path);
    }
    if (!count) entries.push({ path });
  };
  for (const root of roots) await visit(root, directory);
  return entries;
}

export const chosen = (files, directory) => [...files].map((file) => ({ path: join(directory, (file.webkitRelativePath || file.name).normalize("NFC")), file }));

let panel;
export function uploads() {
  if (!panel) {
    panel = document.body.appendChild(document.createElement("upload-panel"));
    // Whoever logs in next has other rights, and no business with these names.
    session.addEventListener("ended", () => { panel.stop(); panel.clear(); });
  }
  return panel;
}
