import { session } from "./api.js";
import { dialog, actions, button } from "./dialog.js";
import { h, pause, replace } from "./dom.js";
import { bytes, join, nameOf, span } from "./format.js";
import { another } from "./names.js";
import { texts } from "./texts.js";
import { Transfer } from "./transfer.js";

/** Files under way at once: enough to hide their round trips, few enough that each gets on. */
const lanes = 3;
const maximumShown = 60;

/**
 * Uploads, one after another whatever page is shown. What has arrived is not sent again, whether they were paused, the page was
 * loaded anew, or the node was not reached; in that case they wait until it is.
 */
class UploadPanel extends HTMLElement {
  #queue = [];
  #active = new Set();
  #done = [];
  #failed = [];
  #isPaused = false;
  #isOffline = false;
  #stop = new AbortController();
  #answer = null;
  #asking = Promise.resolve();
  /** Of what is done and of all, in bytes. */
  #doneBytes = 0;
  #total = 0;
  #count = 0;
  /** Since when, and since how many bytes, the rate is measured. */
  #mark = { time: 0, sent: 0 };
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
    addEventListener("beforeunload", (event) => { if (this.#isBusy) event.preventDefault(); });
    this.#paint();
  }

  /** @param entries `{path, file}`, or `{path}` alone for an empty folder. */
  add(entries) {
    if (!this.#isBusy) {
      this.#doneBytes = this.#total = this.#count = 0;
      this.#done = [];
      this.#failed = [];
      this.#answer = null;
    }
    for (const { path, file } of entries) {
      this.#queue.push({ transfer: new Transfer(path, file, () => this.#paint()), tries: 0, error: "", isCancelled: false });
      this.#total += file?.size ?? 0;
      this.#count += 1;
    }
    this.#measure();
    this.#pump();
  }

  pause() {
    this.#isPaused = true;
    this.#abort();
    this.#paint();
  }

  resume() {
    this.#isPaused = false;
    this.#measure();
    this.#pump();
  }

  stop() {
    for (const job of this.#active) job.isCancelled = true;
    this.#queue = [];
    this.#abort();
    this.#isPaused = false;
    this.#total = this.#doneBytes;
    this.#count = this.#done.length + this.#failed.length;
    this.#finish();
    if (!this.#count) this.clear();
  }

  #abort() {
    this.#stop.abort();
    this.#stop = new AbortController();
  }

  get #isBusy() { return this.#queue.length > 0 || this.#active.size > 0; }
  get #sent() { return [...this.#active, ...this.#queue].reduce((sum, { transfer }) => sum + transfer.sent, this.#doneBytes); }
  #measure() { this.#mark = { time: performance.now(), sent: this.#sent }; }

  clear() {
    this.#done = [];
    this.#failed = [];
    this.#paint();
  }

  #retry() {
    const failed = this.#failed;
    this.#failed = [];
    for (const job of failed) { job.error = ""; job.tries = 0; this.#queue.push(job); }
    this.#measure();
    this.#pump();
  }

  #pump() {
    while (!this.#isPaused && this.#active.size < lanes && this.#queue.length) {
      const job = this.#queue.shift();
      this.#active.add(job);
      this.#run(job);
    }
    remember(this.#isBusy);
    this.#paint();
  }

  async #run(job) {
    const { signal } = this.#stop;
    try {
      await this.#send(job, signal);
      this.#isOffline = false;
      this.#doneBytes += job.transfer.size;
      this.#done.push(job);
    } catch (error) {
      if (job.isCancelled) {
        // Counted out already.
      } else if (signal.aborted) {
        this.#queue.unshift(job);
      } else if (error.status === 0 || error.status === 429 || error.status === 503) {
        this.#isOffline = true;
        job.tries += 1;
        this.#paint();
        await pause(Math.min(10000, 500 * 2 ** job.tries));
        if (!job.isCancelled) this.#queue.unshift(job);
      } else {
        job.error = error.name === "NotReadableError" || error.name === "NotFoundError" ? texts.upload.unreadable : error.message;
        this.#failed.push(job);
      }
    }
    this.#active.delete(job);
    this.#pump();
    if (!this.#isBusy) this.#finish();
  }

  #finish() {
    remember(false);
    this.#paint();
    this.dispatchEvent(new Event("finished"));
  }

  async #send({ transfer }, signal) {
    for (let isNew = true; ;) {
      try {
        return await transfer.send(isNew, signal);
      } catch (error) {
        if (error.status !== 412 || !isNew) throw error;
      }
      // What is there with this content was uploaded before.
      if (await transfer.isThere(signal)) return;
      const choice = await this.#ask(nameOf(transfer.path));
      if (choice === "skip") return;
      if (choice === "both") transfer.path = another(transfer.path);
      else isNew = false;
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
    const sent = this.#sent;
    const seconds = (performance.now() - this.#mark.time) / 1000;
    const rate = (sent - this.#mark.sent) / Math.max(seconds, 0.1);
    this.rate.textContent = !isBusy ? "" : this.#isPaused ? texts.upload.paused : this.#isOffline ? texts.upload.offline
      : texts.upload.rate(bytes(Math.round(rate)), seconds > 2 ? span((this.#total - sent) / rate) : "");
    this.bar.value = this.#total ? sent / this.#total : this.#done.length / Math.max(this.#count, 1);
    this.bar.hidden = !isBusy;
    this.toggle.hidden = this.cancel.hidden = !isBusy;
    this.querySelector(".note").hidden = !this.#isPaused;
    this.toggle.textContent = this.#isPaused ? texts.upload.resume : texts.upload.pause;
    this.again.hidden = isBusy || !this.#failed.length;
    this.close.hidden = isBusy;
    const jobs = [...this.#failed, ...this.#active, ...this.#queue].slice(0, maximumShown);
    this.items.hidden = !jobs.length;
    replace(this.items, jobs.map(({ error, transfer: { path, size, sent } }) => h("li", {}, h("span", { text: path, title: path }),
      h("span", { class: error ? "error" : "soft", text: error || (sent ? `${Math.floor((100 * sent) / size)} %` : texts.upload.waiting) }))));
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

/** So that a page that is loaded anew can say that uploads were broken off. Files stay with the browser's user: only they can give them again. */
function remember(isBusy) {
  if (isBusy) sessionStorage.setItem("uploading", "1");
  else sessionStorage.removeItem("uploading");
}

let panel;
export function uploads() {
  if (!panel) {
    panel = document.body.appendChild(document.createElement("upload-panel"));
    // Whoever logs in next has other rights, and no business with these names.
    session.addEventListener("ended", () => { panel.stop(); panel.clear(); });
  }
  return panel;
}
