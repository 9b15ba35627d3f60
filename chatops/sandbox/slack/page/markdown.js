// The "markdown" block: the common part of standard Markdown, as elements.
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { link } from "./mrkdwn.js";

const INLINE = [
  [/^`([^`]+)`/, (m) => h("code", null, m[1])],
  [/^!?\[([^\]]*)\]\(([^()\s]+)\)/, (m) => link(m[2], m[1] || m[2])],
  [/^<(https?:[^>\s]+)>/, (m) => link(m[1])],
  [/^https?:\/\/[^\s<>)]+/, (m) => link(m[0])],
  [/^\*\*(?=\S)(.+?)\*\*/, (m) => h("strong", null, span(m[1]))],
  [/^__(?=\S)(.+?)__/, (m) => h("strong", null, span(m[1]))],
  [/^\*(?=\S)([^*]+?)\*/, (m) => h("em", null, span(m[1]))],
  [/^_(?=\S)([^_]+?)_(?!\w)/, (m) => h("em", null, span(m[1]))],
  [/^~~(?=\S)(.+?)~~/, (m) => h("s", null, span(m[1]))],
  [/^:([a-z0-9_+-]+):/, (m) => emoji(m[1])],
  [/^\\([\\`*_{}[\]()#+.!|~<>-])/, (m) => m[1]],
];

function span(text) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    let found = null;
    for (const [pattern, build] of INLINE) {
      const match = pattern.exec(rest);
      const node = match && build(match);
      if (node) {
        found = { node, length: match[0].length };
        break;
      }
    }
    if (found) {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(found.node);
      at += found.length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  return plain ? [...nodes, plain] : nodes;
}

const ITEM = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function table(lines) {
  const [head, , ...rows] = lines;
  return h("div", { class: "table-scroll" }, h("table", null,
    h("thead", null, h("tr", null, cells(head).map((cell) => h("th", { scope: "col" }, span(cell))))),
    h("tbody", null, rows.map((row) => h("tr", null, cells(row).map((cell) => h("td", null, span(cell))))))));
}

function list(lines) {
  const ordered = ITEM.exec(lines[0])[2] !== undefined;
  return h(ordered ? "ol" : "ul", { class: "rich-list" }, lines.map((line) => {
    const [, space, , text] = ITEM.exec(line);
    const task = /^\[([ xX])\]\s+(.*)$/.exec(text);
    const content = task ? [h("span", { class: "task" }, task[1] === " " ? "☐ " : "☑ "), ...span(task[2])] : span(text);
    return h("li", { class: `indent-${Math.min(3, Math.floor(space.length / 2))}` }, content);
  }));
}

const take = (lines, test) => {
  const taken = [];
  while (lines.length && test(lines[0])) taken.push(lines.shift());
  return taken;
};

/** Markdown text as nodes. */
export function markdown(text) {
  const nodes = [];
  const lines = (text || "").split("\n");
  while (lines.length) {
    const line = lines[0];
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (!line.trim()) lines.shift();
    else if (/^```/.test(line)) {
      lines.shift();
      const code = take(lines, (one) => !/^```/.test(one));
      lines.shift();
      nodes.push(h("pre", null, h("code", null, code.join("\n"))));
    } else if (heading) {
      lines.shift();
      nodes.push(h(`h${Math.min(6, heading[1].length + 2)}`, null, span(heading[2])));
    } else if (/^([-*_])\1\1+\s*$/.test(line)) {
      lines.shift();
      nodes.push(h("hr"));
    } else if (/^>/.test(line)) {
      nodes.push(h("blockquote", null, markdown(take(lines, (one) => /^>/.test(one)).map((one) => one.replace(/^> ?/, "")).join("\n"))));
    } else if (ITEM.test(line)) nodes.push(list(take(lines, (one) => ITEM.test(one))));
    else if (line.includes("|") && /^[\s|:-]+$/.test(lines[1] || "") && (lines[1] || "").includes("-")) nodes.push(table(take(lines, (one) => one.includes("|"))));
    else {
      const paragraph = [lines.shift(), ...take(lines, (one) => one.trim() && !/^(#{1,6}\s|```|>)/.test(one) && !ITEM.test(one))];
      nodes.push(h("p", null, paragraph.flatMap((one, index) => (index ? [h("br"), ...span(one)] : span(one)))));
    }
  }
  return nodes;
}
