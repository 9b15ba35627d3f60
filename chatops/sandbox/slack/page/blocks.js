// Block Kit blocks as elements. A block this page does not know is shown as such, with its content.
import { h, icon, uid } from "./dom.js";
import { renderElement } from "./elements.js";
import { withEmoji } from "./emoji.js";
import { filePreview, picture } from "./files.js";
import { markdown } from "./markdown.js";
import { link, textObject, words } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const GROUPS = ["checkboxes", "radio_buttons"];

function section(block, surface) {
  const id = uid("text");
  const body = h("div", { class: "section-body" },
    block.text && h("div", { class: "text", id }, textObject(block.text)),
    block.fields && h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "text field" }, textObject(field)))));
  const label = block.text ? words(block.text.text).slice(0, 80) : "";
  return [body, block.accessory && h("div", { class: "accessory" }, renderElement(block.accessory, block, surface, { label }))];
}

function input(block, surface) {
  const id = uid("input");
  const error = surface.errors[block.block_id];
  const described = [error && `${id}-error`, block.hint && `${id}-hint`].filter(Boolean).join(" ");
  const title = [withEmoji(block.label.text), block.optional && h("span", { class: "optional" }, " (optional)")];
  const group = GROUPS.includes(block.element.type);
  const control = renderElement(block.element, block, surface, { id, describedby: described || undefined, invalid: Boolean(error), optional: block.optional });
  return h(group ? "fieldset" : "div", { class: `field-row${error ? " wrong" : ""}` },
    group ? h("legend", { class: "label" }, title) : h("label", { class: "label", for: id }, title),
    control,
    error && h("div", { class: "error", id: `${id}-error`, role: "alert" }, icon("warn", 15), error),
    block.hint && h("div", { class: "hint", id: `${id}-hint` }, textObject(block.hint)));
}

const contextElement = (one) => (one.type === "image" ? picture(one, "context-image") : h("span", { class: "text" }, textObject(one)));

function cell(one, tag, settings = {}) {
  const content = one.type === "rich_text" ? richText(one) : one.text || "";
  return h(tag, { class: `align-${settings.align || "left"}${settings.is_wrapped ? " wrap" : ""}` }, content);
}

function table(block) {
  const settings = block.column_settings || [];
  const row = (tag) => (cells) => h("tr", null, cells.map((one, index) => cell(one, tag, settings[index] || {})));
  const [head, ...rows] = block.rows || [];
  return h("div", { class: "table-scroll" }, h("table", null, head && h("thead", null, row("th")(head)), h("tbody", null, rows.map(row("td")))));
}

function video(block) {
  return h("div", { class: "video" },
    link(block.title_url || block.video_url, h("strong", null, withEmoji(block.title.text))),
    block.description && h("div", { class: "text" }, textObject(block.description)),
    h("div", { class: "hint" }, `Video: ${block.alt_text}`));
}

const BLOCKS = {
  header: (block) => h("h3", { class: "header" }, withEmoji(block.text.text)),
  section,
  context: (block) => block.elements.map(contextElement),
  actions: (block, surface) => block.elements.map((one) => renderElement(one, block, surface, {})),
  context_actions: (block, surface) => block.elements.map((one) => renderElement(one, block, surface, {})),
  divider: () => h("hr"),
  image: (block) => h("figure", null, block.title && h("figcaption", null, textObject(block.title)), picture(block, "image")),
  input,
  rich_text: richText,
  markdown: (block) => markdown(block.text),
  table,
  file: (block) => (block.file ? filePreview(block.file) : h("div", { class: "file-line" }, icon("file"), `Remote file ${block.external_id}`)),
  video,
  alert: (block) => h("div", { class: `alert ${block.level || "default"}`, role: "note" }, icon("warn", 16), h("div", { class: "text" }, textObject(block.text))),
};

function unknown(block) {
  return h("details", { class: "unknown" }, h("summary", null, `A block of type “${block.type}”, which this page cannot draw`), h("pre", null, h("code", null, JSON.stringify(block, null, 2))));
}

/** One block; `surface` keeps its values and sends its clicks. */
export function renderBlock(block, surface) {
  let content;
  try {
    content = BLOCKS[block.type] ? BLOCKS[block.type](block, surface) : unknown(block);
  } catch (error) {
    console.error(error);
    content = unknown(block);
  }
  const node = h("div", { class: `block block-${block.type}` }, content);
  node.dataset.blockId = block.block_id || "";
  return node;
}

/** Whether these blocks read better in a frame of their own. */
export const isCard = (blocks) => blocks.some((block) => ["header", "actions", "table", "input"].includes(block.type) || (block.type === "section" && block.accessory));
