// What the page knows: the workspace as one person sees it. Changes are announced by name; nobody else keeps copies.

export const HOME = "home";

export const state = {
  team: {},
  me: null,
  people: new Map(),
  channels: new Map(),
  usergroups: new Map(),
  app: {},
  commands: [],
  shortcuts: [],
  tour: [],
  levers: [], // labels of buttons that do something outside of Slack
  messages: new Map(), // channel id -> Map(ts -> message), replies among them
  channel: "", // the open channel, or HOME
  thread: "", // ts of the open thread's parent
  home: null,
};

const listeners = new Map();

export function on(names, listener) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(listener);
  }
}

export function emit(name, detail = {}) {
  for (const listener of listeners.get(name) || []) listener(detail);
}

// ---- people and channels

export function take(boot) {
  heardAt.clear(); // a server that was started anew counts from the beginning
  Object.assign(state, { team: boot.team, app: boot.app || {}, commands: boot.commands || [], shortcuts: boot.shortcuts || [], tour: boot.tour || [], levers: boot.levers || [] });
  state.people = new Map(boot.people.map((one) => [one.id, one]));
  state.usergroups = new Map((boot.usergroups || []).map((one) => [one.id, one]));
  state.me = state.people.get(boot.me.id);
  state.channels = new Map(boot.channels.map((one) => [one.id, one]));
}

export const forget = () => {
  state.messages.clear();
  state.home = null;
};

export const displayName = (person) => person?.real_name || person?.name || "Unknown";
export const firstName = (person) => {
  const first = displayName(person).split(" ")[0];
  return first[0].toUpperCase() + first.slice(1);
};
export const isOutsider = (person) => Boolean(person.team_id && person.team_id !== state.team.id);
export const isGuest = (person) => Boolean(person.is_restricted || person.is_ultra_restricted || isOutsider(person));

export function authorOf(message) {
  const byUser = state.people.get(message.user);
  if (byUser) return byUser;
  if (message.bot_id) {
    const bots = [...state.people.values()].filter((one) => one.is_bot);
    return bots.find((one) => `B${one.id.slice(1)}` === message.bot_id) || state.people.get(state.app.bot_user_id) || bots[0];
  }
  return undefined;
}

export function channelName(channel) {
  if (!channel) return "";
  return channel.is_im ? displayName(state.people.get(channel.user)) : channel.name;
}

/** The direct message between the app and the person acting. */
export const appChannel = () => [...state.channels.values()].find((one) => one.is_im && one.user === state.app.bot_user_id);

/** A channel by its id or its name. */
export function findChannel(word) {
  if (!word) return undefined;
  return state.channels.get(word) || [...state.channels.values()].find((one) => !one.is_im && one.name === word);
}

// ---- messages

const byTs = (one, other) => (one.ts < other.ts ? -1 : 1);
const isReply = (message) => Boolean(message.thread_ts && message.thread_ts !== message.ts);

const keep = (channel) => {
  if (!state.messages.has(channel)) state.messages.set(channel, new Map());
  return state.messages.get(channel);
};

/** The messages that stand in the channel itself, oldest first. */
export function inChannel(channel) {
  const all = [...(state.messages.get(channel)?.values() || [])];
  return all.filter((one) => !isReply(one) || one.subtype === "thread_broadcast").sort(byTs);
}

/** The parent and its replies, oldest first. */
export function inThread(channel, ts) {
  return [...(state.messages.get(channel)?.values() || [])].filter((one) => one.ts === ts || one.thread_ts === ts).sort(byTs);
}

// The server numbers everything that happens: an answer that was on its way may be older than what the live connection said.
const heardAt = new Map(); // "channel ts" -> number
const note = (channel, ts, n) => heardAt.set(`${channel} ${ts}`, n || 0);
const isNewer = (channel, ts, n) => (heardAt.get(`${channel} ${ts}`) || 0) > n;

/** The messages of a channel, or of a thread in it, as the server had them at its number `n`. */
export function loaded(channel, { messages, n = Infinity }, thread) {
  const kept = keep(channel);
  const fresh = new Set(messages.map((one) => one.ts));
  for (const old of [...kept.values()]) {
    const inScope = thread ? old.thread_ts === thread && old.ts !== thread : !isReply(old);
    if (inScope && !fresh.has(old.ts) && !isNewer(channel, old.ts, n)) kept.delete(old.ts);
  }
  for (const message of messages) if (!isNewer(channel, message.ts, n)) kept.set(message.ts, message);
  emit("messages", { channel });
}

export function received(channel, message, n) {
  note(channel, message.ts, n);
  const kept = keep(channel);
  const known = kept.has(message.ts);
  kept.set(message.ts, message);
  if (isReply(message) && !message.is_ephemeral && !known) count(kept, message);
  emit("message", { channel, message, kind: known ? "changed" : "new" });
}

// The parent may have been sent anew with the reply already counted.
function count(kept, reply) {
  const parent = kept.get(reply.thread_ts);
  if (!parent || (parent.latest_reply || "") >= reply.ts) return;
  const reply_users = [...new Set([...(parent.reply_users || []), reply.user || reply.bot_id])];
  kept.set(parent.ts, { ...parent, reply_count: (parent.reply_count || 0) + 1, latest_reply: reply.ts, reply_users });
}

export function changed(channel, message, n) {
  note(channel, message.ts, n);
  keep(channel).set(message.ts, message);
  emit("message", { channel, message, kind: "changed" });
}

export function deleted(channel, ts, n) {
  note(channel, ts, n);
  const message = state.messages.get(channel)?.get(ts);
  if (!message) return;
  state.messages.get(channel).delete(ts);
  emit("message", { channel, message, kind: "deleted" });
}
