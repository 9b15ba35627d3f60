// The start: loads the workspace as one person, follows the live events, keeps person and place in the address.
import { $, h, icon } from "./dom.js";
import { Live, actAs, api } from "./api.js";
import { loadPlace, revealInChannel } from "./channel.js";
import { heardTraffic, reloadTraffic, toggleInspector } from "./inspector.js";
import { closeMenu } from "./menu.js";
import * as modal from "./modal.js";
import { nameMentions } from "./mrkdwn.js";
import { peopleBar } from "./people.js";
import "./sidebar.js";
import { HOME, appChannel, changed, deleted, emit, findChannel, forget, on, received, state, take } from "./state.js";
import { closeThread, openThread, redrawThread, revealInThread } from "./thread.js";
import { toast } from "./toast.js";
import { toggleTour } from "./tour.js";

const KEY = "local-slack-person";
const FIRST = "dana"; // who the tour starts as, on a first visit

// ---- the top bar

const status = h("div", { class: "connection", role: "status", hidden: true });
const inspectorButton = h("button", { type: "button", class: "top-button", "aria-expanded": "false", "aria-label": "Inspector", title: "Inspector: the traffic between Slack and the assistant", onclick: () => toggleInspector() }, icon("pulse"), h("span", { class: "wide-only" }, "Inspector"));
const tourButton = h("button", { type: "button", class: "top-button", "aria-label": "Tour", title: "Tour", onclick: toggleTour, hidden: true }, icon("flag"), h("span", { class: "wide-only" }));
$("#top").append(h("div", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), h("span", { class: "wide-only" }, "Local Slack")), status, peopleBar, h("div", { class: "top-buttons" }, tourButton, inspectorButton));
document.addEventListener("inspector", (event) => inspectorButton.setAttribute("aria-expanded", String(event.detail.open)));
on("tour", ({ has, open, at, of }) => {
  tourButton.hidden = !has;
  tourButton.setAttribute("aria-expanded", String(open));
  tourButton.lastChild.textContent = `Tour ${at}/${of}`;
});

// ---- the address: ?as=U…&channel=C…&thread=ts, and Slack's permalinks as #C…/ts

function wanted() {
  const query = new URLSearchParams(location.search);
  const [, channel, ts] = /^#([A-Z0-9]+)(?:\/([\d.]+))?/.exec(location.hash) || [];
  return { as: query.get("as"), channel: channel || query.get("channel"), thread: query.get("thread") || "", reveal: ts };
}

function write() {
  const query = new URLSearchParams({ as: state.me.id, channel: state.channel, ...(state.thread && { thread: state.thread }) });
  const url = `${location.pathname}?${query}`;
  if (url === location.pathname + location.search && !location.hash) return;
  // The first address, and one without a place, is not worth a step back.
  history[location.hash || !new URLSearchParams(location.search).get("channel") ? "replaceState" : "pushState"](null, "", url);
}

function placeFor(word) {
  if (word === HOME) return HOME;
  const channels = [...state.channels.values()];
  return (findChannel(word) || findChannel(state.tour[0]?.do?.channel) || channels.find((one) => !one.is_im && one.unread) || channels.find((one) => !one.is_im) || {}).id || HOME;
}

const arrival = wanted(); // before the address is written anew

// ---- loading

let loading = null;
let queued = [];

/** Everything anew as `user`: on the first visit, after a lost connection, on a reset. */
async function load(user) {
  const mine = (loading = Symbol("load"));
  const boot = await bootstrap(user);
  if (mine !== loading) return false;
  const own = state.channel && state.channel === appChannel()?.id;
  take(boot);
  actAs(state.me.id);
  localStorage.setItem(KEY, state.me.id);
  state.channel = own ? appChannel()?.id || HOME : placeFor(state.channel || arrival.channel);
  emit("boot");
  learnCommands();
  await loadPlace();
  if (mine !== loading) return false;
  loading = null; // before the queue is worked off, or everything in it would only be queued again, for ever
  queued.splice(0).forEach(hear);
  return true;
}

// What this person may type; the app may have to think about it, and nobody waits for that.
async function learnCommands() {
  const { me } = state;
  const told = await api.commands().catch(() => null); // who types is then offered less, and not stopped
  if (!told || state.me.id !== me.id) return;
  state.commands = told.commands;
  emit("commands");
}

async function bootstrap(user) {
  try {
    return await api.bootstrap(user);
  } catch (error) {
    if (!["no_such_person", "account_inactive"].includes(error.code) || user === FIRST) throw error;
    return api.bootstrap(FIRST); // the person in the address or of the last visit is not here any more
  }
}

async function reveal(channel, ts) {
  if (!ts) return;
  const known = state.messages.get(channel)?.get(ts);
  if (known && (!known.thread_ts || known.thread_ts === ts)) return void revealInChannel(ts);
  // A reply is not among the channel's messages: ask for the thread it could be in.
  const { messages } = await api.messages(channel, ts);
  const root = messages.find((one) => one.ts === ts)?.thread_ts || ts;
  await openThread(root, { focus: false });
  revealInThread(ts);
}

// ---- live

const told = (change) => {
  const channel = state.channels.get(change.channel);
  if (!channel) return;
  Object.assign(channel, { unread: change.unread, mentions: change.mentions });
  emit("channels");
};

const EVENTS = {
  message: (event) => received(event.channel, event.message, event.n),
  ephemeral: (event) => received(event.channel, { ...event.message, is_ephemeral: true }, event.n),
  message_changed: (event) => changed(event.channel, event.message, event.n),
  message_deleted: (event) => deleted(event.channel, event.ts, event.n),
  view_opened: (event) => modal.opened(event.view),
  view_pushed: (event) => modal.opened(event.view),
  view_updated: (event) => modal.updated(event.view),
  view_closed: (event) => modal.removed(event.view_id),
  home: (event) => {
    state.home = event.view;
    emit("home");
  },
  channel: ({ channel }) => {
    state.channels.set(channel.id, channel);
    nameMentions(channel);
    emit("channels");
  },
  unread: told,
  people: ({ people }) => {
    state.people = new Map(people.map((one) => [one.id, one]));
    state.me = state.people.get(state.me.id) || state.me;
    emit("people");
  },
  traffic: ({ entry }) => heardTraffic(entry),
  reset: () => start(state.me.id),
};

function hear(event) {
  if (loading && !["reset", "traffic"].includes(event.type)) queued.push(event);
  else EVENTS[event.type]?.(event);
}

let connected = false;
let first = true;

const live = new Live(hear, async (what, failures) => {
  connected = what === "open";
  document.body.dataset.connection = what;
  status.hidden = connected || failures < 2;
  status.textContent = connected ? "" : "Connection lost, trying again…";
  if (!connected) return;
  if (!first) await reloadTraffic().catch((error) => toast(error.message));
  first = false;
  await start(state.me?.id || live.user);
});

async function start(user) {
  try {
    if (!(await load(user))) return;
    // The address may call a person by name, which the live connection understands; one who is gone it does not.
    if (![state.me.id, state.me.name].includes(live.user)) live.connect(state.me.id);
    await afterLoad();
  } catch (error) {
    fatal(error);
  }
}

let settled = false;

async function afterLoad() {
  document.body.dataset.ready = "1";
  if (settled) {
    if (state.thread) await openThread(state.thread, { focus: false });
    return;
  }
  settled = true;
  if (arrival.thread) await openThread(arrival.thread, { focus: false });
  await reveal(state.channel, arrival.reveal);
}

function fatal(error) {
  if (state.me) return toast(error.message);
  return $("#main").replaceChildren(h("div", { class: "empty" }, icon("warn", 34), h("h1", null, "The local Slack does not answer"), h("p", null, error.message)));
}

// ---- going places

async function goTo(channel, { user = false } = {}) {
  document.body.dataset.pane = "main";
  if (channel !== state.channel) {
    state.channel = channel;
    state.thread = "";
    redrawThread();
    emit("route");
    await loadPlace();
  }
  if (user && window.matchMedia("(min-width: 760px)").matches) $("#composer").focus({ preventScroll: true });
}

on("goto", ({ channel, user }) => goTo(channel, { user }));
on("route", write);
on("open-thread", async ({ channel, ts }) => {
  await goTo(channel);
  await openThread(ts);
});
on("switch", async ({ user, ready }) => {
  closeMenu();
  if (user !== state.me.id) {
    modal.dropAll();
    forget();
    state.thread = "";
    redrawThread();
    first = true; // traffic belongs to no person: nothing of it is missed
    actAs(user);
    state.me = state.people.get(user);
    await switched(user);
  }
  ready?.();
});

// Live first, then everything anew: what happens in between is queued, and nothing is missed.
async function switched(user) {
  loading = Symbol("switch");
  queued = [];
  const done = new Promise((resolve) => (afterSwitch = resolve));
  live.connect(user);
  await done;
}
let afterSwitch = null;
on("boot", () => {
  write();
  afterSwitch?.();
  afterSwitch = null;
});

window.addEventListener("popstate", async () => {
  const place = wanted();
  if (state.people.has(place.as) && place.as !== state.me.id) {
    state.channel = place.channel || state.channel;
    await new Promise((ready) => emit("switch", { user: place.as, ready }));
  }
  await goTo(placeFor(place.channel));
  if (place.thread && place.thread !== state.thread) await openThread(place.thread, { focus: false });
  await reveal(state.channel, place.reveal);
});

// Links to messages and channels stay inside the page.
document.addEventListener("click", async (event) => {
  const target = event.target.closest?.("a[href]");
  if (!target || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const url = new URL(target.href, location.href);
  const archive = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(url.pathname);
  const channel = target.dataset.goto || archive?.[1];
  if (!channel || !state.channels.has(channel)) return;
  event.preventDefault();
  const ts = archive && `${archive[2]}.${archive[3]}`;
  const thread = url.searchParams.get("thread_ts");
  await goTo(channel);
  if (thread) {
    await openThread(thread, { focus: false });
    revealInThread(ts);
  } else await reveal(channel, ts);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !modal.isOpen() && state.thread && $("#thread").contains(document.activeElement)) closeThread();
});

const asked = arrival.as || localStorage.getItem(KEY) || FIRST;
live.connect(asked);
// The page does not wait for ever on the live connection before it shows anything.
setTimeout(() => !state.me && !connected && start(asked), 600);
