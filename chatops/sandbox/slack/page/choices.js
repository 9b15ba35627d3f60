// Checkboxes and radio buttons.
import { h, uid } from "./dom.js";
import { confirmed } from "./dialog.js";
import { dispatch, focusKey } from "./dispatch.js";
import { textObject } from "./mrkdwn.js";

export function choices(element, block, surface, how) {
  const many = element.type === "checkboxes";
  const slot = many ? "selected_options" : "selected_option";
  const chosen = () => [surface.get(block, element)?.[slot] || []].flat().map((option) => option.value);
  const name = uid("choice");
  const node = h("div", { class: "choices", role: block.type === "input" ? null : many ? "group" : "radiogroup", "aria-label": how.label || undefined });

  const change = async () => {
    const before = surface.get(block, element);
    const on = element.options.filter((option, index) => inputs[index].checked);
    if (!(await confirmed(element.confirm))) return sync();
    const state = { [slot]: many ? on : on[0] || null };
    surface.set(block, element, state);
    if (JSON.stringify(before?.[slot]) !== JSON.stringify(state[slot])) await dispatch(element, block, surface, state, node);
    return undefined;
  };
  const inputs = element.options.map((option, index) => h("input", {
    type: many ? "checkbox" : "radio", name, id: index ? uid("choice") : how.id, onchange: change,
    "aria-describedby": how.describedby, "aria-invalid": how.invalid ? "true" : undefined,
    data: { focus: focusKey(block, element, option.value) },
  }));
  const sync = () => inputs.forEach((input, index) => (input.checked = chosen().includes(element.options[index].value)));
  sync();
  node.append(...element.options.map((option, index) => h("label", { class: "choice", for: inputs[index].id }, inputs[index],
    h("span", null, h("span", { class: "text" }, textObject(option.text)), option.description && h("span", { class: "hint" }, textObject(option.description))))));
  return node;
}
