// The thread panel: a message, its replies, and a composer of its own.
import { $, h, iconButton } from "./dom.js";
import { api } from "./api.js";
import { Composer } from "./composer.js";
import { MessageList } from "./messagelist.js";
import { channelName, emit, inThread, loaded, on, state } from "./state.js";
import { toast } from "./toast.js";

const root = $("#thread");
const list = new MessageList({ label: "Messages in the thread" });
const composer = new Composer({ id: "thread-composer", label: () => "Reply in the thread", channel: () => state.channel, thread: () => state.thread });
const where = h("span", { class: "where" });
let shownFor = "";

root.append(
  h("div", { class: "pane-head" }, iconButton("back", "Back to the channel", () => closeThread(), { class: "icon-button narrow-only" }), h("div", { class: "pane-title" }, h("h2", null, "Thread"), where), iconButton("close", "Close the thread", () => closeThread())),
  list.node, composer.node);

function draw() {
  const key = state.thread && `${state.me.id} ${state.channel} ${state.thread}`;
  root.hidden = !state.thread;
  document.body.classList.toggle("has-thread", Boolean(state.thread));
  if (!state.thread) return (shownFor = "");
  const channel = state.channels.get(state.channel);
  where.textContent = channel?.is_im ? channelName(channel) : `#${channelName(channel)}`;
  if (shownFor !== key) list.reset(key);
  shownFor = key;
  const messages = inThread(state.channel, state.thread);
  list.show(state.channel, messages, { thread: state.thread, replies: messages.length - 1 });
  return composer.refresh();
}

/** Open the thread under a message of the open channel. */
export async function openThread(ts, { focus = true } = {}) {
  const { channel } = state;
  state.thread = ts;
  emit("route");
  draw();
  if (focus) composer.focus();
  try {
    loaded(channel, await api.messages(channel, ts), ts);
  } catch (error) {
    toast(error.message);
  }
}

export function closeThread() {
  if (!state.thread) return;
  state.thread = "";
  emit("route");
  draw();
}

on("messages boot", draw);
on("message", ({ channel, message, kind }) => {
  if (channel !== state.channel || !state.thread || (message.thread_ts || message.ts) !== state.thread) return;
  draw();
  const view = list.views.get(message.ts);
  if (kind === "changed" && view?.edited) view.flash();
  if (kind === "new") {
    list.arrived(message.user === state.me.id);
    if (message.user !== state.me.id) view?.speak();
  }
});

export const revealInThread = (ts) => list.reveal(ts);
export const redrawThread = draw;
