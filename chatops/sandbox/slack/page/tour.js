// The tour: what to try next, a button that does it, and ticks as it happens. Progress stays in this browser.
import { $, calm, h, icon, iconButton } from "./dom.js";
import { api } from "./api.js";
import { composer, tourSlot } from "./channel.js";
import { typeOut } from "./composer.js";
import { textOf } from "./message.js";
import { closeAll } from "./modal.js";
import { authorOf, emit, findChannel, firstName, on, state } from "./state.js";

const KEY = "local-slack-tour";
const MOST_HEARD = 500;
const root = $("#tour");
const wide = window.matchMedia("(min-width: 1100px)");
const heard = []; // messages since the page was loaded, in the order in which they came or changed
// A step listens from `since`: when the step before it began, for its news may overtake the end of that one. `began` is its own start.
let progress = { done: [], at: 0, since: "", began: "", ticked: "", folded: false };
let doing = false;

function restore() {
  try {
    progress = { ...progress, ...JSON.parse(localStorage.getItem(KEY) || "{}") };
  } catch {
    localStorage.removeItem(KEY); // written by another version
  }
}

function save() {
  localStorage.setItem(KEY, JSON.stringify(progress));
  draw();
}

const steps = () => state.tour;
const current = () => steps()[progress.at];
const actor = (step) => [...state.people.values()].find((one) => one.name === step.as || one.id === step.as);
const stamp = (message) => (message.edited?.ts > message.ts ? message.edited.ts : message.ts);

function meets({ channel, message }, when) {
  if (when.channel && channel !== when.channel && state.channels.get(channel)?.name !== when.channel) return false;
  if (when.from_app && !authorOf(message)?.is_bot) return false;
  const text = textOf(message).toLowerCase();
  return (when.text_contains || []).every((part) => text.includes(String(part).toLowerCase()));
}

const isDone = (step) => progress.done.includes(step.id);
const newest = () => heard.reduce((last, one) => (one.stamp > last ? one.stamp : last), progress.began);

// Tick the step off when its message is there; go on once the person stands where it can be seen.
function check() {
  const step = current();
  if (!progress.since || !step?.done_when) return;
  if (!isDone(step)) {
    if (!heard.some((one) => one.stamp > progress.since && meets(one, step.done_when))) return;
    progress.done = [...progress.done, step.id];
    progress.ticked = step.id;
    save();
  }
  // Somebody who came back to an old step stays there.
  if (progress.ticked === step.id && isMine(step) && state.channel === findChannel(step.done_when.channel)?.id) next(step);
}

function next(step) {
  progress.done = [...new Set([...progress.done, ...(step.done_when ? [] : [step.id])])];
  progress.at = Math.min(steps().length, steps().indexOf(step) + 1);
  progress.since = progress.began;
  progress.began = newest();
  save();
  check();
}

function hear(channel, message) {
  heard.push({ channel, message, stamp: stamp(message) });
  if (heard.length > MOST_HEARD) heard.shift();
}

// What happened while no page was open.
async function catchUp() {
  const channel = current()?.done_when && findChannel(current().done_when.channel);
  if (!channel) return;
  const { messages } = await api.messages(channel.id);
  if (!progress.since) {
    // A first visit: what stands there already was not its doing.
    progress.since = progress.began = messages.map(stamp).sort().at(-1) || "0";
    return save();
  }
  messages.forEach((message) => hear(channel.id, message));
  const { at } = progress;
  check();
  return progress.at === at ? undefined : catchUp();
}

// ---- doing it

const isMine = (step) => !step.as || !actor(step) || actor(step).id === state.me.id;

function offer(step) {
  if (isDone(step) && step.do?.type) return "";
  if (step.do?.type) return isMine(step) ? "Do it for me" : `Do it for me, as ${firstName(actor(step))}`;
  if (!isMine(step)) return `Switch to ${firstName(actor(step))}`;
  const channel = findChannel(step.do?.channel);
  return channel && channel.id !== state.channel ? `Show me #${channel.name}` : "";
}

async function doIt(step) {
  doing = true;
  draw();
  try {
    closeAll(); // a form that is open would keep the composer from being typed into
    if (!isMine(step)) await new Promise((ready) => emit("switch", { user: actor(step).id, ready }));
    const channel = findChannel(step.do?.channel);
    if (channel && channel.id !== state.channel) emit("goto", { channel: channel.id });
    if (step.do?.type && state.channels.has(state.channel)) await typeOut(composer, step.do.type, calm());
  } finally {
    doing = false;
    draw();
  }
}

// ---- drawing

const look = (change) => () => {
  Object.assign(progress, change());
  save();
};

function dots() {
  return h("ol", { class: "dots", "aria-label": "Steps" }, steps().map((step, index) => {
    const done = isDone(step);
    // No title in the name: a step called "Approve" would be found where the button Approve is looked for.
    const label = `Step ${index + 1}${done ? ", done" : ""}`;
    return h("li", null, h("button", { type: "button", class: `dot${done ? " done" : ""}${index === progress.at ? " current" : ""}`, "aria-label": label, "aria-current": index === progress.at ? "step" : undefined, title: step.title, onclick: look(() => ({ at: index, ticked: "" })) }));
  }));
}

function ended() {
  return [h("h2", null, icon("check", 18), "That is the tour"), h("p", null, "Everything you saw ran on this machine. Look around, or open the inspector to see what Slack and the assistant said to each other."),
    h("div", { class: "tour-buttons" }, h("button", { type: "button", class: "button", onclick: restart }, icon("restart", 15), "Start again"))];
}

function paragraphs(text) {
  return (text || "").split("\n").filter(Boolean).map((line) => h("p", null, line.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => (/^`.+`$/.test(part) ? h("code", null, part.slice(1, -1)) : /^\*.+\*$/.test(part) ? h("strong", null, part.slice(1, -1)) : part))));
}

function body(step) {
  if (!step) return ended();
  const label = offer(step);
  const done = isDone(step);
  return [h("h2", null, done && icon("check", 18), step.title), ...paragraphs(step.text),
    h("div", { class: "tour-buttons" },
      label && h("button", { type: "button", class: "button primary", disabled: doing, onclick: () => doIt(step) }, label),
      h("button", { type: "button", class: done && !label ? "button primary" : "text-button", onclick: () => next(step) }, step.done_when && !done ? "Skip" : "Next"))];
}

function restart() {
  const last = [...state.messages.values()].flatMap((all) => [...all.values()].map(stamp)).sort().at(-1) || newest();
  progress = { done: [], at: 0, since: last, began: last, ticked: "", folded: false };
  heard.length = 0;
  save();
}

export function toggleTour() {
  progress.folded = !progress.folded;
  save();
  if (!progress.folded) $("button", root)?.focus();
}

function draw() {
  const has = steps().length > 0;
  root.hidden = !has || (wide.matches && progress.folded);
  emit("tour", { has, open: has && !progress.folded, at: Math.min(progress.at + 1, steps().length), of: steps().length });
  if (root.hidden) return;
  const focused = root.contains(document.activeElement) ? document.activeElement.textContent : null;
  const home = wide.matches ? $("#right") : tourSlot;
  if (root.parentNode !== home) home.append(root);
  const title = current() ? `Step ${progress.at + 1} of ${steps().length}` : "Done";
  root.classList.toggle("folded", progress.folded);
  const fold = iconButton(progress.folded ? "chevron" : "close", progress.folded ? "Show the tour" : "Hide the tour", toggleTour);
  fold.setAttribute("aria-expanded", String(!progress.folded));
  root.replaceChildren(
    h("div", { class: "tour-head" }, h("span", { class: "tour-title" }, icon("flag", 16), h("strong", null, "Tour"), h("span", null, progress.folded && current() ? current().title : title)), iconButton("restart", "Start the tour again", restart), fold),
    ...(progress.folded ? [] : [h("div", { class: "tour-body", "aria-live": "polite" }, body(current())), dots()]));
  if (focused !== null) ([...root.querySelectorAll("button")].find((one) => one.textContent === focused) || $("button", root))?.focus({ preventScroll: true });
}

restore();
wide.addEventListener("change", draw);
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  restore();
  draw();
});
on("boot", () => {
  draw();
  catchUp().catch((error) => console.warn(error.message));
});
on("route", () => {
  draw();
  check();
});
on("message", ({ channel, message, kind }) => {
  if (kind === "deleted") return;
  hear(channel, message);
  check();
});
