// Slack's own markup ("mrkdwn") as elements: *bold*, _italic_, ~strike~, `code`, quotes, links, mentions, dates, emoji.
import { h } from "./dom.js";
import { slackDate } from "./dates.js";
import { emoji } from "./emoji.js";
import { channelName, displayName, state } from "./state.js";

export const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const SAFE = /^(https?|mailto|tel|slack):/i;

/** A link that leaves the page in a new tab; an address that could run code stays text. */
export function link(url, ...content) {
  const inside = content.length ? content : [url.replace(/^mailto:/, "")];
  if (!SAFE.test(url)) return h("span", null, inside);
  return h("a", { class: "link", href: url, target: "_blank", rel: "noopener noreferrer" }, inside);
}

export function userMention(id, label) {
  const person = state.people.get(id);
  const mine = state.me && id === state.me.id;
  return h("span", { class: `mention${mine ? " mine" : ""}`, title: person?.title || "" }, `@${person ? displayName(person) : label || id}`);
}

export function channelMention(id, label) {
  const channel = state.channels.get(id);
  return h("a", { class: "mention", href: `?channel=${id}`, data: { goto: id } }, `#${channel ? channelName(channel) : label || id}`);
}

/** A channel that comes to be known after a message named it: its name takes the place of its id. */
export function nameMentions(channel) {
  for (const one of document.querySelectorAll(`a.mention[data-goto="${CSS.escape(channel.id)}"]`)) {
    one.textContent = `#${channelName(channel)}`;
  }
}

export const broadcast = (word) => h("span", { class: "mention mine" }, `@${word}`);
export function groupMention(id, label) {
  const group = state.usergroups.get(id);
  const mine = group?.members?.includes(state.me?.id);
  return h("span", { class: `mention${mine ? " mine" : ""}`, title: group?.name || "" }, group ? `@${group.handle}` : label || `@${id}`);
}

// What stands between < and >.
function entity(inner) {
  const bar = inner.indexOf("|");
  const [head, label] = bar < 0 ? [inner, ""] : [inner.slice(0, bar), unescape(inner.slice(bar + 1))];
  if (head.startsWith("@")) return userMention(head.slice(1), label);
  if (head.startsWith("#")) return channelMention(head.slice(1), label);
  if (head.startsWith("!subteam^")) return groupMention(head.slice(9), label);
  if (head.startsWith("!date^")) {
    const [, seconds, pattern, url] = head.split("^");
    const shown = h("time", { datetime: new Date(Number(seconds) * 1000).toISOString(), title: label }, slackDate(seconds, unescape(pattern || "{date}")));
    return url ? link(unescape(url), shown) : shown;
  }
  if (head.startsWith("!")) return broadcast(label.replace(/^@/, "") || head.slice(1));
  return link(unescape(head), ...(label ? [label] : []));
}

// An address that stands by itself becomes a link, as in Slack; what ends the sentence is no part of it.
const ADDRESS = /^https?:\/\/[^\s<>|`"]*[^\s<>|`"'.,:;!?*~)\]]/;

const STYLE = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

// The end of a run opened at `start` by `mark`: before it no space, after it no letter; codes and entities are skipped.
function closing(text, mark, start) {
  for (let at = start; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "<") at = Math.max(at, text.indexOf(">", at));
    else if (sign === "`" && mark !== "`") {
      const end = text.indexOf("`", at + 1);
      if (end > 0) at = end;
    } else if (sign === mark && at > start && (mark === "`" || (text[at - 1] !== " " && !WORD.test(text[at + 1] || " ")))) return at;
  }
  return -1;
}

/** One line or paragraph of mrkdwn as nodes. */
export function inline(text) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(unescape(plain));
    plain = "";
  };
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "<") {
      const end = text.indexOf(">", at);
      if (end > at + 1) {
        flush();
        nodes.push(entity(text.slice(at + 1, end)));
        at = end;
        continue;
      }
    } else if (sign === "`" || STYLE[sign]) {
      const before = text[at - 1] || " ";
      const opens = !WORD.test(before) && text[at + 1] && (sign === "`" || text[at + 1] !== " ") && text[at + 1] !== sign;
      const end = opens ? closing(text, sign, at + 1) : -1;
      if (end > 0) {
        flush();
        const inner = text.slice(at + 1, end);
        nodes.push(sign === "`" ? h("code", null, inCode(inner)) : h(STYLE[sign], null, inline(inner)));
        at = end;
        continue;
      }
    } else if (sign === "h" && !WORD.test(text[at - 1] || " ") && ADDRESS.test(text.slice(at, at + 2100))) {
      const [address] = ADDRESS.exec(text.slice(at, at + 2100));
      flush();
      nodes.push(link(unescape(address)));
      at += address.length - 1;
      continue;
    } else if (sign === ":") {
      const match = /^:([a-z0-9_+-]+(?:::skin-tone-\d)?):/.exec(text.slice(at, at + 60));
      const found = match && emoji(match[1]);
      if (found) {
        flush();
        nodes.push(found);
        at += match[0].length - 1;
        continue;
      }
    } else if (sign === "\n") {
      flush();
      nodes.push(h("br"));
      continue;
    }
    plain += sign;
  }
  flush();
  return nodes;
}

// Inside code only entities and escapes mean something.
const inCode = (text) => text.split(/(<[^>]+>)/).filter(Boolean).map((part) => (/^<[^>]+>$/.test(part) ? entity(part.slice(1, -1)) : unescape(part)));

const QUOTE = /^(?:&gt;|>) ?/;
const ITEM = /^(\s*)(?:[•◦▪‣-]|(\d+)[.)])\s+/;

function paragraphs(text) {
  const nodes = [];
  const lines = text.split("\n");
  while (lines.length) {
    if (QUOTE.test(lines[0])) {
      const quoted = [];
      while (lines.length && QUOTE.test(lines[0])) quoted.push(lines.shift().replace(QUOTE, ""));
      nodes.push(h("blockquote", null, inline(quoted.join("\n"))));
    } else if (ITEM.test(lines[0])) {
      const line = lines.shift();
      const [lead, space, number] = ITEM.exec(line);
      const depth = Math.min(3, Math.floor(space.length / 2));
      nodes.push(h("div", { class: `item depth-${depth}` }, h("span", { class: "bullet" }, number ? `${number}.` : "•"), h("span", null, inline(line.slice(lead.length)))));
    } else {
      const plain = [];
      while (lines.length && !QUOTE.test(lines[0]) && !ITEM.test(lines[0])) plain.push(lines.shift());
      nodes.push(...inline(plain.join("\n")));
    }
  }
  return nodes;
}

/** A whole mrkdwn text as nodes, with preformatted parts, quotes and lists. */
export function mrkdwn(text) {
  const nodes = [];
  for (const [index, part] of (text || "").split("```").entries()) {
    if (index % 2) nodes.push(h("pre", null, h("code", null, inCode(part.replace(/^\n|\n$/g, "")))));
    else if (part) nodes.push(...paragraphs(index ? part.replace(/^\n/, "") : part));
  }
  return nodes;
}

/** A text object ({type, text}) as nodes. */
export function textObject(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return (object.text || "").split("\n").flatMap((line, index) => [...(index ? [h("br")] : []), ...plainWithEmoji(line)]);
}

const plainWithEmoji = (line) => line.split(/(:[a-z0-9_+-]+:)/).filter(Boolean).map((part) => (/^:.+:$/.test(part) && emoji(part.slice(1, -1))) || part);

/** The words of a mrkdwn text without its markup, for labels and announcements. */
export const words = (text) => {
  const holder = h("div", null, mrkdwn(text || ""));
  return holder.textContent.trim();
};
