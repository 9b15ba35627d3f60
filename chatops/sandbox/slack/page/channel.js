// The main column: a channel or direct message with its composer, or the app with its Home.
import { $, h, icon, iconButton } from "./dom.js";
import { api } from "./api.js";
import { avatar } from "./avatar.js";
import { Composer } from "./composer.js";
import { MessageList } from "./messagelist.js";
import { HOME, appChannel, channelName, displayName, emit, inChannel, loaded, on, state } from "./state.js";
import { Surface } from "./surface.js";
import { toast } from "./toast.js";

const root = $("#main");
const isApp = () => state.channel === HOME || state.channel === appChannel()?.id;
const named = () => {
  const channel = state.channels.get(state.channel);
  return channel?.is_im ? channelName(channel) : `#${channelName(channel)}`;
};

export const composer = new Composer({ id: "composer", label: () => `Message ${named()}`, channel: () => state.channel });
const list = new MessageList({ label: "Messages", intro, read: markRead });
const home = new Surface("home", () => ({ view_id: state.home?.id }));
const homePane = h("div", { class: "home", role: "region", "aria-label": "Home", tabindex: "0" });
const head = h("div", { class: "pane-head" });
export const tourSlot = h("div", { class: "tour-slot" });
root.append(head, list.node, homePane, tourSlot, composer.node);
let shownFor = "";

function intro() {
  const channel = state.channels.get(state.channel);
  if (!channel) return null;
  const person = channel.is_im && state.people.get(channel.user);
  return h("div", { class: "intro" }, person ? avatar(person, 52) : h("span", { class: "intro-mark" }, icon(channel.is_private ? "lock" : "hash", 26)),
    h("h2", null, channel.is_im ? channelName(channel) : `#${channel.name}`),
    h("p", null, person ? `This is where your conversation with ${displayName(person)} starts.` : channel.purpose || channel.topic || `This is where #${channel.name} starts.`));
}

function markRead(newest) {
  const channel = state.channels.get(state.channel);
  // Replies ring too; whoever sees the thread's line has seen that there are some.
  const ts = inChannel(state.channel).reduce((last, one) => (one.latest_reply > last ? one.latest_reply : last), newest);
  if (!channel || document.hidden || (!channel.unread && !channel.mentions) || channel.reading === ts) return;
  channel.reading = ts;
  api.read(channel.id, ts).catch((error) => console.warn(error.message));
}

function drawHead() {
  const channel = state.channels.get(state.channel);
  const back = iconButton("back", "Back to the list", () => (document.body.dataset.pane = "list"), { class: "icon-button phone-only" });
  if (isApp()) {
    const own = appChannel();
    const count = (id) => state.channels.get(id)?.unread || 0;
    const tab = (id, label) => h("button", { type: "button", role: "tab", "aria-selected": String(state.channel === id), onclick: () => emit("goto", { channel: id }) }, label, (count(id) && h("span", { class: "mentions", "aria-label": `${count(id)} unread` }, String(count(id)))) || "");
    return head.replaceChildren(back, avatar(state.people.get(state.app.bot_user_id), 28), h("div", { class: "pane-title" }, h("h1", null, state.app.name)),
      h("div", { class: "tabs", role: "tablist", "aria-label": state.app.name }, tab(HOME, "Home"), own && tab(own.id, "Messages")));
  }
  const people = (channel?.members || []).map((id) => state.people.get(id)).filter((one) => one && !one.is_bot);
  const sign = channel?.is_im ? avatar(state.people.get(channel.user), 28) : icon(channel?.is_private ? "lock" : "hash", 20);
  return head.replaceChildren(...[back, sign, h("div", { class: "pane-title" }, h("h1", null, channelName(channel)), channel?.topic && h("span", { class: "topic" }, channel.topic)),
    !channel?.is_im && people.length && h("span", { class: "members", title: people.map(displayName).join(", ") }, icon("people", 16), String(people.length))].filter(Boolean));
}

function drawHome() {
  if (state.home) {
    home.show(state.home.blocks || []);
    if (home.node.parentNode !== homePane) homePane.replaceChildren(home.node);
  } else {
    homePane.replaceChildren(h("div", { class: "empty" }, icon("home", 34), h("h2", null, `${state.app.name} has no Home yet`), h("p", null, state.app.description || "It appears here as soon as the app publishes it.")));
  }
}

function draw() {
  const isHome = state.channel === HOME;
  document.title = `${isHome ? state.app.name : named()} · ${state.team.name}`;
  list.node.hidden = isHome;
  composer.node.hidden = isHome;
  homePane.hidden = !isHome;
  drawHead();
  if (isHome) {
    shownFor = "";
    return drawHome();
  }
  const key = `${state.me.id} ${state.channel}`;
  if (shownFor !== key) {
    const channel = state.channels.get(state.channel);
    list.reset(key, channel?.unread ? channel.last_read || "0" : "");
  }
  shownFor = key;
  list.show(state.channel, inChannel(state.channel));
  return composer.refresh();
}

/** Ask the server for what the open place shows. */
export async function loadPlace() {
  const { channel, me } = state;
  try {
    if (channel === HOME) {
      const { view } = await api.home();
      if (state.me === me) state.home = view || state.home;
      if (state.channel === HOME) draw();
    } else {
      const answer = await api.messages(channel);
      if (state.me === me) loaded(channel, answer);
    }
  } catch (error) {
    toast(error.message);
  }
}

on("boot route", draw);
on("home", () => state.channel === HOME && drawHome());
on("channels", drawHead);
on("messages", ({ channel }) => channel === state.channel && draw());
on("message", ({ channel, message, kind }) => {
  if (channel !== state.channel) return;
  draw();
  const inPlace = !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
  if (!inPlace) return;
  const view = list.views.get(message.ts);
  if (kind === "changed" && view?.edited) view.flash();
  if (kind === "new") {
    list.arrived(message.user === state.me.id);
    if (message.user !== state.me.id) view?.speak();
  }
});
document.addEventListener("visibilitychange", () => !document.hidden && list.stuck && list.newest && markRead(list.newest));
// "3 min ago" grows old while nothing else changes.
setInterval(() => list.views.forEach((view) => view.message.reply_count && view.drawFoot()), 60_000);

export const revealInChannel = (ts) => list.reveal(ts);
