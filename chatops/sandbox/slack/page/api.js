// The local Slack's own HTTP API and its live WebSocket.

/** What the server answered instead of ok; `code` is its short word, `message` a sentence for people. */
export class ApiError extends Error {
  constructor(code, detail, body = {}) {
    super(detail || code);
    this.code = code;
    this.body = body;
  }
}

let me = "";
export const actAs = (user) => (me = user);

async function call(method, path, { query, body } = {}) {
  const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== "");
  const url = `/sandbox/api/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
  const init = { method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) };
  let response;
  try {
    response = await fetch(url, init);
  } catch {
    throw new ApiError("unreachable", "The local Slack does not answer. Is it still running?");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new ApiError("not_json", `The local Slack answered ${response.status} to ${path}, and not in JSON.`);
  }
  if (!answer.ok) throw new ApiError(answer.error || `http_${response.status}`, answer.detail, answer);
  return answer;
}

const post = (path, body) => call("POST", path, { body: { as: me, ...body } });

export const api = {
  bootstrap: (as) => call("GET", "bootstrap", { query: { as } }),
  commands: () => call("GET", "commands", { query: { as: me } }),
  messages: (channel, thread_ts) => call("GET", "messages", { query: { as: me, channel, thread_ts } }),
  home: () => call("GET", "home", { query: { as: me } }),
  read: (channel, ts) => post("read", { channel, ts }),
  say: (channel, text, thread_ts) => post("say", { channel, text, thread_ts }),
  command: (channel, text) => post("command", { channel, text }),
  action: (body) => post("action", body),
  suggest: (body) => post("suggest", body),
  submit: (view_id, values) => post("submit", { view_id, values }),
  close: (view_id) => post("close", { view_id }),
  shortcut: (body) => post("shortcut", body),
  traffic: (after) => call("GET", "traffic", { query: { after } }),
  faults: () => call("GET", "faults"),
  addFault: (fault) => call("POST", "faults", { body: fault }),
  clearFaults: () => call("DELETE", "faults"),
  lever: (label) => post("lever", { label }),
  settings: (body) => call("POST", "settings", { body }),
};

/** The live connection: calls `heard(event)` for each event, `changed("open" | "lost")` as it comes and goes. */
export class Live {
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.socket = null;
    this.failures = 0;
    window.addEventListener("online", () => this.user && this.#open());
  }

  connect(user) {
    this.user = user;
    this.failures = 0;
    this.#open();
  }

  #open() {
    clearTimeout(this.timer);
    const old = this.socket;
    const address = new URL(`/sandbox/api/live?as=${encodeURIComponent(this.user)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(address));
    if (old) old.close();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.failures = 0;
      this.changed("open");
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.heard(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.failures += 1;
      this.changed("lost", this.failures);
      this.timer = setTimeout(() => this.#open(), Math.min(250 * 2 ** this.failures, 5000));
    };
  }
}
