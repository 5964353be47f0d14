import { pause } from "./dom.js";
import { texts } from "./texts.js";

/** An answer that is none: `status` 0 means that the node was not reached. */
export class ApiError extends Error {
  constructor(status, detail, problem = {}) {
    super(detail);
    this.status = status;
    this.problem = problem;
  }

  get isOffline() { return this.status === 0; }
}

/** What a response says that is no success. */
export async function asError(response) {
  // What a proxy says for a node that it does not reach.
  if (response.status === 502 || response.status === 504) return new ApiError(0, texts.errors.offline);
  let problem = {};
  try { problem = await response.json(); } catch { /* not one of ours */ }
  const detail = problem.detail ?? `${response.status} ${response.statusText}`;
  return new ApiError(response.status, problem.path ? `${problem.path}: ${detail}` : detail, problem);
}

/** Tells the other tabs, which share the session's cookie, who holds it now. */
const tabs = new BroadcastChannel("session");

/**
 * Who is at work. The token lives in this object and nowhere else. What renews it, and fetches pictures and downloads, is a cookie
 * that no script sees: so a session goes on after a reload, an hour, and a restart of the node.
 */
class Session extends EventTarget {
  #token = null;
  /** The id of the key. */
  #holder = null;
  #timer;
  #renewal = null;

  constructor() {
    super();
    tabs.addEventListener("message", ({ data }) => { if (this.isOpen && data !== this.#holder) this.#end(); });
  }

  get isOpen() { return this.#token !== null; }

  /** Goes on after a reload, if the browser's session still holds. */
  async resume() {
    if (localStorage.getItem("leaving")) await this.#leave();
    const response = await this.#plain("GET");
    if (response.status === 204) return false;
    this.#take(await response.json());
    return true;
  }

  /** @param secret an API key, or a token as `pando token` prints it. */
  async open(secret) {
    const response = await this.#plain("POST", secret.startsWith("pando_")
      ? { body: JSON.stringify({ api_key: secret }), headers: { "Content-Type": "application/json" } } : { headers: { Authorization: `Bearer ${secret}` } });
    this.#take(await response.json());
    tabs.postMessage(this.#holder);
  }

  async close() {
    this.#forget();
    tabs.postMessage(null);
    // A node that is not reached is told at the next visit, before anything else.
    localStorage.setItem("leaving", "1");
    await this.#leave().catch(() => {});
    this.dispatchEvent(new Event("ended"));
  }

  async #leave() {
    await this.#plain("DELETE");
    localStorage.removeItem("leaving");
  }

  /** For requests that `fetch` cannot make. @returns the token that it goes by. */
  authorize(request) {
    request.setRequestHeader("Authorization", `Bearer ${this.#token}`);
    return this.#token;
  }

  /** The response, or an `ApiError`. */
  async send(method, path, { body, headers = {}, signal, isRetry = false } = {}) {
    if (body !== undefined && typeof body !== "string" && !(body instanceof Blob)) {
      body = JSON.stringify(body);
      headers = { "Content-Type": "application/json", ...headers };
    }
    const token = this.#token;
    if (!token) throw new ApiError(401, texts.login.ended);
    const response = await reach(path, {
      method, body, signal, headers: { ...headers, Authorization: `Bearer ${token}` }, credentials: "same-origin", cache: "no-store",
    });
    if (response.ok || response.status === 304) return response;
    if (response.status === 401 && !isRetry && await this.renew(token)) return this.send(method, path, { body, headers, signal, isRetry: true });
    throw await asError(response);
  }

  async json(method, path, options) {
    const response = await this.send(method, path, options);
    return response.status === 204 ? null : response.json();
  }

  get(path, options) { return this.json("GET", path, options); }
  post(path, body, options) { return this.json("POST", path, { body, ...options }); }

  /** A new token in the place of one that is not good any more. Without one the session is over. */
  async renew(stale) {
    if (this.#token !== stale) return this.isOpen;
    this.#renewal ??= this.#exchange().finally(() => { this.#renewal = null; });
    return this.#renewal;
  }

  async #exchange() {
    const response = await this.#plain("GET");
    const grant = response.status === 204 ? null : await response.json();
    // Somebody else may have logged in meanwhile, in another tab.
    if (grant?.holder !== this.#holder) return this.#end();
    this.#take(grant);
    return true;
  }

  #end() {
    const wasOpen = this.isOpen;
    this.#forget();
    if (wasOpen) this.dispatchEvent(new CustomEvent("ended", { detail: texts.login.ended }));
    return false;
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#token = this.#holder = null;
  }

  #take({ token, expires_in: lifetime, holder }) {
    this.#token = token;
    this.#holder = holder;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.renew(token).catch(() => {}), Math.max(10, lifetime - 120) * 1000);
  }

  async #plain(method, options) {
    const response = await reach("/auth/session", { method, ...options, credentials: "same-origin", cache: "no-store" });
    if (!response.ok) throw await asError(response);
    return response;
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, texts.errors.offline);
  }
}

export const session = new Session();

/** The node's events, over a request that carries the token as `EventSource` cannot. Comes back by itself. */
export class Live extends EventTarget {
  #controller = null;
  #lastID = null;
  state = "connecting";

  start() {
    const controller = this.#controller = new AbortController();
    this.#run(controller.signal);
  }

  stop() { this.#controller?.abort(); }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  async #run(signal) {
    let failures = 0;
    while (!signal.aborted) {
      const attempt = new AbortController();
      const stop = () => attempt.abort();
      signal.addEventListener("abort", stop);
      try {
        const headers = this.#lastID ? { "Last-Event-ID": this.#lastID } : {};
        const response = await session.send("GET", "/events", { headers, signal: attempt.signal });
        failures = 0;
        this.#become("live");
        await this.#read(response.body.getReader(), attempt);
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) return;
        failures += 1;
      } finally {
        signal.removeEventListener("abort", stop);
        attempt.abort();
      }
      if (signal.aborted || !session.isOpen) return;
      this.#become(failures > 1 ? "offline" : "connecting");
      await pause(Math.min(15000, 400 * 2 ** failures) * (0.75 + Math.random() / 2));
    }
  }

  async #read(reader, attempt) {
    const decoder = new TextDecoder();
    let text = "";
    while (true) {
      // The node says something every two seconds; silence means that the connection is dead.
      const watch = setTimeout(() => attempt.abort(), 8000);
      const { done, value } = await reader.read().finally(() => clearTimeout(watch));
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const messages = text.split("\n\n");
      text = messages.pop();
      for (const message of messages) this.#deliver(message);
    }
  }

  #deliver(message) {
    let type = "message", data = "";
    for (const line of message.split("\n")) {
      if (line.startsWith("id: ")) this.#lastID = line.slice(4);
      else if (line.startsWith("event: ")) type = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.dispatchEvent(new CustomEvent("event", { detail: { type, data: JSON.parse(data) } }));
  }
}

/** All items of a listing that is not long, at once. */
export async function all(path) {
  const items = [];
  for await (const page of pages(path)) items.push(...page);
  return items;
}

/** All items of a listing, page by page. */
export async function* pages(path, { limit = 1000, signal } = {}) {
  let after = null;
  do {
    const mark = path.includes("?") ? "&" : "?";
    const page = await session.get(`${path}${mark}limit=${limit}${after ? `&after=${after}` : ""}`, { signal });
    yield page.items;
    after = page.next;
    limit = 10000;
  } while (after);
}
