import { ApiError, asError, session } from "./api.js";
import { chunks, frames, hex } from "./chunker.js";
import { fileURL } from "./names.js";
import { texts } from "./texts.js";

/** Files of up to this many bytes go up in one request. */
const wholeSize = 1 << 20;
/** Bytes of the chunks that are asked about, and sent, together. */
const batchSize = 8 << 20;

/**
 * One file on its way to the node, or an empty folder. A large file goes up by its chunks: the node is asked which of them it lacks,
 * and gets those. So what has arrived is never sent again, whatever has ended the upload: a pause, the page, the browser, the node.
 */
export class Transfer {
  /** Bytes that have arrived, or were there. */
  sent = 0;
  /** Of the chunks that have arrived, in order; and where they end. */
  #hashes = [];
  #end = 0;

  /**
   * @param file none for an empty folder.
   * @param moved is called when `sent` has changed.
   */
  constructor(path, file, moved) {
    this.path = path;
    this.file = file;
    this.moved = moved;
  }

  get size() { return this.file?.size ?? 0; }

  /**
   * Sends what is not there yet. Called again after an error or an abort, it goes on.
   * @param isNew whether something that is there already is left alone: then it throws an `ApiError` 412.
   */
  async send(isNew, signal) {
    const headers = isNew ? { "If-None-Match": "*" } : {};
    // As the disk has it, so that a sync of the same folder finds it unchanged.
    if (this.file?.lastModified) headers["Pando-Modified-At"] = new Date(this.file.lastModified).toISOString();
    if (!this.file) return request("PUT", fileURL(this.path) + "/", null, headers, signal);
    if (this.size <= wholeSize) {
      // Tells a file that is gone or was changed from a node that is not reached, as the request does not.
      await this.file.slice(0, 1).arrayBuffer();
      this.#become(0);
      // Without a type: the node guesses it from the name, the same for every browser.
      await request("PUT", fileURL(this.path), this.file.slice(0, this.size, ""), headers, signal, (count) => this.#become(Math.min(count, this.size)));
      return this.#become(this.size);
    }
    // Better known now than after the upload.
    if (isNew && this.#end === 0 && await this.#isTaken(signal)) throw new ApiError(412, "");
    for (let isAgain = false; ; isAgain = true) {
      try {
        await this.#sendChunks(signal);
        return await request("PUT", fileURL(this.path, "?chunks=true"), new Blob(this.#hashes), headers, signal);
      } catch (error) {
        // The node keeps chunks that are in no file for a while only.
        if (isAgain || !error.problem?.missing) throw error;
        this.#hashes = [];
        this.#end = 0;
      }
    }
  }

  /** Whether what is at the path has this very content. */
  async isThere(signal) {
    let there;
    try {
      there = await session.get(fileURL(this.path, this.file ? "?chunks=true" : "?limit=1"), { signal });
    } catch (error) {
      if (error.isOffline || !error.status) throw error;
      return false;
    }
    if (!this.file) return there.items !== undefined;
    if (there.size !== this.size) return false;
    let index = 0;
    for await (const chunk of chunks(this.file)) {
      signal.throwIfAborted();
      if (hex(chunk.hash) !== there.chunks[index++]?.hash) return false;
    }
    return true;
  }

  async #isTaken(signal) {
    // As a pattern, which asks without an error where nothing is.
    const { items } = await session.get(fileURL("/", `?glob=${encodeURIComponent(this.path)}`), { signal });
    return items.some(({ path }) => path === this.path);
  }

  /** Reads, cuts and hashes one batch while the one before is sent. */
  async #sendChunks(signal) {
    let batch = [], size = 0, sending = null;
    const send = async () => {
      await sending;
      sending = this.#settle(batch, signal);
      // Whoever waits for it is told.
      sending.catch(() => {});
      batch = [];
      size = 0;
    };
    try {
      for await (const chunk of chunks(this.file, this.#end)) {
        signal.throwIfAborted();
        batch.push(chunk);
        size += chunk.size;
        if (size >= batchSize) await send();
      }
      if (batch.length) await send();
    } finally {
      // Whatever has happened: who goes on later goes on from where this ended.
      await sending;
    }
  }

  async #settle(batch, signal) {
    const response = await session.send("POST", "/bulk/missing", { body: new Blob(batch.map(({ hash }) => hash)), signal });
    const answer = new Uint8Array(await response.arrayBuffer());
    const missing = new Set();
    for (let at = 0; at < answer.length; at += 32) missing.add(hex(answer.subarray(at, at + 32)));
    const absent = batch.filter(({ hash }) => missing.delete(hex(hash)));
    const begin = this.#end;
    if (absent.length) await request("POST", "/bulk/objects", frames(absent), {}, signal, (count) => this.#become(begin + Math.min(count, absent.reduce((sum, { size }) => sum + size, 0))));
    for (const { hash, size } of batch) {
      this.#hashes.push(hash);
      this.#end += size;
    }
    this.#become(this.#end);
  }

  #become(sent) {
    this.sent = sent;
    this.moved();
  }
}

/** A request whose way up can be watched, as that of `fetch` cannot. */
async function request(method, url, body, headers, signal, moved = () => {}) {
  for (let isAgain = false; ; isAgain = true) {
    const { response, token } = await attempt(method, url, body, headers, signal, moved);
    if (response.ok) return;
    if (response.status !== 401 || isAgain || !await session.renew(token)) throw await asError(response);
  }
}

function attempt(method, url, body, headers, signal, moved) {
  return new Promise((done, fail) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    const token = session.authorize(request);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);
    request.upload.addEventListener("progress", (event) => moved(event.loaded));
    request.addEventListener("load", () => done({ token, response: new Response(request.responseText || null, { status: request.status, statusText: request.statusText }) }));
    request.addEventListener("error", () => fail(new ApiError(0, texts.errors.offline)));
    request.addEventListener("abort", () => fail(signal.reason));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", stop));
    request.send(body);
  });
}
