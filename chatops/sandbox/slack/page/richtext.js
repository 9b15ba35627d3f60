// rich_text blocks: what Slack's own editor sends, and what apps may send too.
import { h } from "./dom.js";
import { slackDate } from "./dates.js";
import { emoji } from "./emoji.js";
import { broadcast, channelMention, groupMention, link, userMention } from "./mrkdwn.js";

function styled(node, style = {}) {
  const wrap = [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"]];
  return wrap.reduce((inner, [name, tag]) => (style[name] ? h(tag, null, inner) : inner), node);
}

const lines = (text) => text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line])).filter((one) => one !== "");

const LEAVES = {
  text: (one) => h("span", null, lines(one.text)),
  link: (one) => link(one.url, ...(one.text ? [one.text] : [])),
  user: (one) => userMention(one.user_id),
  usergroup: (one) => groupMention(one.usergroup_id),
  channel: (one) => channelMention(one.channel_id),
  broadcast: (one) => broadcast(one.range),
  emoji: (one) => emoji(one.name) || `:${one.name}:`,
  date: (one) => h("time", null, slackDate(one.timestamp, one.format || "{date}")),
  color: (one) => h("code", null, one.value),
};

const leaf = (one) => styled((LEAVES[one.type] || ((other) => `[${other.type}]`))(one), one.style);

function list(one) {
  const tag = one.style === "ordered" ? "ol" : "ul";
  const attributes = { class: `rich-list indent-${Math.min(one.indent || 0, 8)}` };
  if (tag === "ol" && one.offset) attributes.start = String(one.offset + 1);
  return h(tag, attributes, one.elements.map((item) => h("li", null, (item.elements || []).map(leaf))));
}

const PARTS = {
  rich_text_section: (one) => h("div", { class: "rich" }, one.elements.map(leaf)),
  rich_text_list: list,
  rich_text_quote: (one) => h("blockquote", null, one.elements.map(leaf)),
  rich_text_preformatted: (one) => h("pre", null, h("code", null, one.elements.map((inner) => inner.text || inner.url || ""))),
};

/** The elements of a rich_text block. */
export const richText = (block) => (block.elements || []).map((one) => (PARTS[one.type] ? PARTS[one.type](one) : h("div", { class: "unknown" }, `[${one.type}]`)));
