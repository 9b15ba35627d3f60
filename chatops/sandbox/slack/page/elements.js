// Interactive elements: buttons, overflow menus, and the way to all others.
import { h, icon, uid } from "./dom.js";
import { choices } from "./choices.js";
import { confirmed } from "./dialog.js";
import { focusKey } from "./dispatch.js";
import { withEmoji } from "./emoji.js";
import { fields } from "./fields.js";
import { picture } from "./files.js";
import { openMenu } from "./menu.js";
import { select } from "./selects.js";

function button(element, block, surface) {
  const look = element.style ? ` ${element.style}` : "";
  const attributes = {
    class: `button${look}`,
    "aria-label": element.accessibility_label,
    data: { focus: focusKey(block, element), actionId: element.action_id || "" },
  };
  const content = withEmoji(element.text.text);
  const node = element.url
    ? h("a", { ...attributes, href: /^https?:/.test(element.url) ? element.url : "#", target: "_blank", rel: "noopener noreferrer" }, content, icon("out", 14))
    : h("button", { type: "button", ...attributes }, content);
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy") || !(await confirmed(element.confirm))) return;
    await surface.act(block, element, { value: element.value }, node);
  });
  return node;
}

function overflow(element, block, surface, { label }) {
  const node = h("button", { type: "button", class: "button overflow", "aria-label": `More options${label ? ` for ${label}` : ""}`, "aria-haspopup": "menu", data: { focus: focusKey(block, element) } }, icon("more"));
  node.addEventListener("click", () => openMenu(node, element.options.map((option) => ({
    text: option.text.text,
    description: option.description?.text,
    run: async () => {
      if (!(await confirmed(element.confirm))) return;
      if (option.url && /^https?:/.test(option.url)) window.open(option.url, "_blank", "noopener");
      await surface.act(block, element, { selected_option: option }, node);
    },
  }))));
  return node;
}

const KINDS = {
  button,
  workflow_button: button,
  overflow,
  image: (element) => picture(element, "accessory-image"),
  checkboxes: choices,
  radio_buttons: choices,
  static_select: select,
  external_select: select,
  users_select: select,
  channels_select: select,
  conversations_select: select,
  multi_static_select: select,
  multi_external_select: select,
  multi_users_select: select,
  multi_channels_select: select,
  multi_conversations_select: select,
  ...fields,
};

/**
 * One element of a block. `how` says how it is named and described: {id} of an input block's label, or a {label};
 * {describedby}, {invalid}, {optional}.
 */
export function renderElement(element, block, surface, how) {
  const kind = KINDS[element.type];
  if (!kind) return h("span", { class: "unknown" }, `An element of type “${element.type}”, which this page cannot draw`);
  return kind(element, block, surface, { id: how.id || uid("control"), ...how });
}
