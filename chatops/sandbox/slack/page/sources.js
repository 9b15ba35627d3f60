// Where a select's options come from: its own list, the app, or the workspace's people and channels.
import { channelName, displayName, state } from "./state.js";

const DEFAULT_LEAST = 3; // Slack's min_query_length where an external select names none

const fromOption = (group) => (option) => ({ text: option.text.text, description: option.description?.text, value: option.value, option, group });

/** An answer of the app, or an element, with options or option_groups as one flat list. */
export function flat(holder) {
  const grouped = (holder.option_groups || []).flatMap((one) => one.options.map(fromOption(one.label.text)));
  return [...(holder.options || []).map(fromOption("")), ...grouped];
}

const people = () => [...state.people.values()].filter((one) => !one.deleted).map((one) => ({ text: displayName(one), description: one.title, value: one.id, person: one }));
const channels = (all) => [...state.channels.values()].filter((one) => all || !one.is_im).map((one) => ({ text: `${one.is_im ? "" : "#"}${channelName(one)}`, value: one.id }));

function conversations(element) {
  const include = element.filter?.include;
  return channels(true).filter((one) => {
    const channel = state.channels.get(one.value);
    if (!include) return true;
    return include.includes(channel.is_im ? "im" : channel.is_private ? "private" : "public");
  });
}

const matches = (query) => (one) => `${one.text} ${one.description || ""}`.toLowerCase().includes(query.trim().toLowerCase());

/** {least, remote, find(query)} for an element; `ask(query)` reaches the app. */
export function sourceOf(element, ask) {
  const kind = element.type.replace("multi_", "");
  if (kind === "external_select") {
    return { remote: true, least: element.min_query_length ?? DEFAULT_LEAST, find: async (query) => flat(await ask(query)) };
  }
  const list = { static_select: () => flat(element), users_select: people, channels_select: () => channels(false), conversations_select: () => conversations(element) }[kind];
  return { remote: false, least: 0, find: async (query) => list().filter(matches(query)) };
}

/** The option shown for a state value: an option object, or the id of a person or channel. */
export function shown(value) {
  if (value && typeof value === "object") return { text: value.text.text, value: value.value, option: value };
  const person = state.people.get(value);
  if (person) return { text: displayName(person), value, person };
  const channel = state.channels.get(value);
  return { text: channel ? `${channel.is_im ? "" : "#"}${channelName(channel)}` : String(value), value };
}

