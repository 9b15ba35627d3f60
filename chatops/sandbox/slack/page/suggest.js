// What the composer offers while somebody types: commands and their actions, people, channels.
import { avatar } from "./avatar.js";
import { icon } from "./dom.js";
import { displayName, state } from "./state.js";

const MOST = 12;

// A suggestion's whole line; its text may be written with or without the command in front.
const lineOf = (command, one) => (one.text.startsWith("/") ? one.text : `${command.command} ${one.text}`);
const usageOf = (command, one) => lineOf(command, one).slice(command.command.length + 1).trim();

function commands(text) {
  return state.commands.filter((one) => one.command.startsWith(text)).map((one) => ({
    text: one.command, mono: true, description: one.description, side: one.usage_hint, fill: `${one.command} `, node: icon("slash", 18),
  }));
}

function actions(command, rest) {
  const typed = rest.toLowerCase().replace(/\s+/g, " ").trimStart();
  const all = command.suggestions || [];
  const starting = all.filter((one) => usageOf(command, one).toLowerCase().startsWith(typed));
  const within = typed.includes(" ") ? [] : all.filter((one) => !starting.includes(one) && `${one.text} ${one.title || ""}`.toLowerCase().includes(typed));
  return [...starting, ...within].slice(0, MOST).map((one) => {
    const word = usageOf(command, one);
    // A title that repeats the word is the usage: it goes to the side without it.
    const isUsage = `${one.title} `.startsWith(`${word} `);
    return { text: word, mono: true, title: isUsage ? one.description : one.title || one.description, description: isUsage || !one.title ? "" : one.description, side: isUsage ? one.title.slice(word.length + 1) : "", fill: lineOf(command, one) };
  });
}

// The usage of the action stays in view while its inputs are typed; of several that begin alike the longest name counts.
function usage(command, rest) {
  const typed = `${rest.trim().toLowerCase().replace(/\s+/g, " ")} `;
  const fitting = (command.suggestions || []).filter((one) => typed.startsWith(`${usageOf(command, one).toLowerCase()} `));
  const found = fitting.sort((one, other) => usageOf(command, other).length - usageOf(command, one).length)[0];
  return found ? [found.title, found.description].filter(Boolean).join(" · ") : "";
}

function mentions(word, start, end) {
  const people = [...state.people.values()].filter((one) => !one.deleted && (one.name.toLowerCase().startsWith(word) || displayName(one).toLowerCase().includes(word)));
  const bots = (one) => (one.id === state.app.bot_user_id ? 0 : one.is_bot ? 2 : 1);
  const groups = [...state.usergroups.values()].filter((one) => one.handle.toLowerCase().startsWith(word)).map((one) => ({
    text: `@${one.handle}`, description: one.name, node: icon("people", 20), from: start, to: end, fill: `@${one.handle} `,
  }));
  return [...people.sort((one, other) => bots(one) - bots(other)).slice(0, MOST).map((one) => ({
    text: displayName(one), side: `@${one.name}`, description: one.title, node: avatar(one, 22), from: start, to: end, fill: `@${one.name} `,
  })), ...groups];
}

function channels(word, start, end) {
  return [...state.channels.values()].filter((one) => !one.is_im && one.name.startsWith(word)).slice(0, MOST)
    .map((one) => ({ text: `#${one.name}`, description: one.topic, from: start, to: end, fill: `#${one.name} ` }));
}

/**
 * Suggestions for the text with the caret at `at`: {options, note, active, command}. An option has `fill`, and `from`/`to`
 * where it replaces a part only. `active` is -1 when nothing should be taken by Enter.
 */
export function suggestions(text, at) {
  const left = text.slice(0, at);
  const [, slash] = /^(\/\S*)$/.exec(left) || [];
  if (slash && at === text.length) {
    const options = commands(slash);
    return { options, note: "", active: options.some((one) => one.text === slash) ? -1 : 0 };
  }
  const word = /(?:^|\s)([@#])([\w.-]*)$/.exec(left);
  if (word) {
    const start = at - word[2].length - 1;
    const options = (word[1] === "@" ? mentions : channels)(word[2].toLowerCase(), start, at);
    return { options, note: "", active: 0 };
  }
  const command = state.commands.find((one) => left.startsWith(`${one.command} `));
  if (!command || at !== text.length) return { options: [], note: "" };
  const rest = left.slice(command.command.length + 1);
  const options = actions(command, rest).filter((one) => one.fill.trim() !== text.trim());
  const whole = (command.suggestions || []).some((one) => lineOf(command, one).trim() === text.trim());
  return { options, note: options.length ? "" : usage(command, rest), active: rest.trim() && !whole ? 0 : -1 };
}
