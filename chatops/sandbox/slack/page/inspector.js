// The traffic between Slack and the assistant, live: a list on the left, the chosen exchange on the right.
import { $, h, icon, iconButton } from "./dom.js";
import { api } from "./api.js";
import { secondsOf } from "./dates.js";
import { faultsButton, refreshFaults } from "./faults.js";
import { jsonTree } from "./json.js";
import { toast } from "./toast.js";

const MOST = 1000;
const root = $("#inspector");
let entries = [];
let chosen = null;
let paused = false;
let waiting = [];
let last = 0;

const list = h("div", { class: "traffic", role: "listbox", "aria-label": "Traffic", tabindex: "0" });
const detail = h("div", { class: "exchange", tabindex: "0", role: "region", "aria-label": "Exchange" });
const filter = h("input", { type: "search", class: "field-input", placeholder: "Filter, e.g. chat.update", "aria-label": "Filter the traffic", oninput: () => drawList() });
const pause = iconButton("pause", "Pause", () => setPaused(!paused), { "aria-pressed": "false" });
const count = h("span", { class: "hint count" });

root.append(
  h("div", { class: "inspector-head" }, h("h2", null, icon("pulse"), "Inspector"), h("span", { class: "hint wide-only" }, "Slack ↔ assistant"), filter, count, pause,
    iconButton("trash", "Clear the list", () => { entries = []; choose(null); drawList(); }), faultsButton(), iconButton("close", "Close the inspector", () => toggleInspector(false))),
  h("div", { class: "inspector-body" }, list, detail));

function setPaused(on) {
  paused = on;
  pause.setAttribute("aria-pressed", String(on));
  pause.setAttribute("aria-label", on ? "Resume" : "Pause");
  pause.replaceChildren(icon(on ? "play" : "pause"));
  if (!on) waiting.splice(0).forEach(add);
  tell();
}

const failed = (entry) => (typeof entry.status === "number" ? entry.status >= 400 : !["ok", "acked", "200"].includes(String(entry.status))) || entry.response?.ok === false;

function matches(entry) {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const text = `${entry.what} ${entry.summary} ${entry.status} ${JSON.stringify(entry.request)} ${JSON.stringify(entry.response)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function row(entry) {
  const toApp = entry.direction === "to_app";
  return h("div", { class: `traffic-row${failed(entry) ? " failed" : ""}`, role: "option", id: `traffic-${entry.n}`, "aria-selected": String(chosen?.n === entry.n), data: { n: String(entry.n) }, onclick: () => choose(entry) },
    h("span", { class: "traffic-time" }, secondsOf(entry.at)),
    h("span", { class: `arrow ${toApp ? "to-app" : "from-app"}`, role: "img", "aria-label": toApp ? "Slack to assistant" : "assistant to Slack", title: toApp ? "Slack → assistant" : "assistant → Slack" }, toApp ? "→" : "←"),
    h("span", { class: "traffic-what" }, entry.what), h("span", { class: "traffic-summary" }, entry.summary || ""),
    h("span", { class: "traffic-status" }, String(entry.status ?? "")), h("span", { class: "traffic-ms" }, entry.ms === null || entry.ms === undefined ? "" : `${Math.round(entry.ms)} ms`));
}

const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;
const tell = () => (count.textContent = paused && waiting.length ? `${waiting.length} waiting` : `${list.childElementCount} shown`);

function drawList() {
  list.replaceChildren(...entries.filter(matches).map(row));
  list.scrollTop = list.scrollHeight;
  tell();
}

function add(entry) {
  if (entry.n <= last) return;
  last = entry.n;
  entries.push(entry);
  if (entries.length > MOST) entries.shift();
  if (root.hidden || !matches(entry)) return;
  const follow = atEnd();
  list.append(row(entry));
  if (list.childElementCount > MOST) list.firstChild.remove();
  if (follow) list.scrollTop = list.scrollHeight;
  tell();
}

function choose(entry) {
  chosen = entry;
  for (const one of list.children) one.setAttribute("aria-selected", String(one.dataset.n === String(entry?.n)));
  if (entry) list.setAttribute("aria-activedescendant", `traffic-${entry.n}`);
  if (!entry) return detail.replaceChildren(h("p", { class: "hint" }, "Choose an exchange to see what was asked and answered. Tokens are never shown."));
  const copy = iconButton("file", "Copy as JSON", () => navigator.clipboard.writeText(JSON.stringify(entry, null, 2)).then(() => toast("Copied", "info"), () => toast("This browser does not allow copying.")));
  return detail.replaceChildren(
    h("div", { class: "exchange-head" }, h("strong", null, entry.what), h("span", { class: "hint" }, entry.direction === "to_app" ? "Slack → assistant" : "assistant → Slack"), h("span", { class: failed(entry) ? "traffic-status failed" : "traffic-status" }, `${entry.status ?? ""}`), copy),
    h("h3", null, "Request"), jsonTree(entry.request), h("h3", null, "Response"), jsonTree(entry.response));
}

list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...list.children];
  const at = rows.findIndex((one) => one.dataset.n === String(chosen?.n));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? rows.length - 1 : at + step))];
  if (!next) return;
  choose(entries.find((one) => String(one.n) === next.dataset.n));
  next.scrollIntoView({ block: "nearest" });
});

/** A traffic event of the live connection. */
export function heardTraffic(entry) {
  if (paused) {
    waiting.push(entry);
    tell();
  } else add(entry);
}

let fetched = false;

async function load() {
  const { entries: all } = await api.traffic(0);
  fetched = true;
  // What the live connection said while the answer was on its way is newer than the answer.
  const end = all.at(-1)?.n || 0;
  const later = entries.filter((one) => one.n > end);
  last = 0;
  entries = [];
  [...all, ...later].forEach(add);
}

export async function toggleInspector(open = root.hidden) {
  root.hidden = !open;
  document.body.classList.toggle("has-inspector", open);
  document.dispatchEvent(new CustomEvent("inspector", { detail: { open } }));
  if (!open) return;
  filter.focus({ preventScroll: true }); // at once: a focus that comes late takes the keys from whoever types already
  try {
    if (!fetched) await load();
    await refreshFaults();
  } catch (error) {
    toast(error.message);
  }
  drawList();
}

/** After a lost connection: what was missed is fetched when the list is looked at. */
export async function reloadTraffic() {
  fetched = false;
  entries = [];
  waiting = [];
  if (!root.hidden) await load().then(drawList);
}

choose(null);
