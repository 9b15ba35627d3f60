// What people type into: text, numbers, addresses, dates and times.
import { h } from "./dom.js";
import { dispatch, focusKey } from "./dispatch.js";
import { confirmed } from "./dialog.js";

const PAUSE_MS = 350; // an app that listens to every character hears of it when the person pauses

function attributes(element, block, how) {
  return {
    id: how.id,
    class: "field-input",
    placeholder: element.placeholder?.text,
    "aria-label": block.type === "input" ? undefined : how.label || element.placeholder?.text || "Value",
    "aria-describedby": how.describedby,
    "aria-invalid": how.invalid ? "true" : undefined,
    "aria-required": block.type === "input" && !how.optional ? "true" : undefined,
    autocomplete: "off",
    data: { focus: focusKey(block, element), autofocus: element.focus_on_load ? "1" : "" },
  };
}

const PLAIN = { slot: "value", show: (value) => value || "", read: (text) => text || null };
const RICH = {
  slot: "rich_text_value",
  show: (value) => (value?.elements || []).flatMap((one) => one.elements || []).map((one) => one.text || one.url || "").join(""),
  read: (text) => (text ? { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] } : null),
};

function typed(type, extra = () => ({}), { slot, show, read } = PLAIN) {
  return (element, block, surface, how) => {
    const more = extra(element);
    const tag = element.multiline || slot === "rich_text_value" ? "textarea" : "input";
    const node = h(tag, { ...attributes(element, block, how), ...(tag === "input" ? { type } : { rows: "4" }), ...more });
    node.value = show(surface.get(block, element)?.[slot]);
    const left = element.max_length && h("span", { class: "left", "aria-live": "polite" });
    const count = () => {
      const rest = element.max_length - [...node.value].length;
      left.textContent = rest < Math.max(20, element.max_length * 0.1) ? String(rest) : "";
      left.classList.toggle("over", rest < 0);
    };
    const triggers = element.dispatch_action_config?.trigger_actions_on || ["on_enter_pressed"];
    let timer;
    const tell = () => {
      clearTimeout(timer);
      if (node.isConnected) dispatch(element, block, surface, { [slot]: read(node.value) }, node);
    };
    node.addEventListener("input", () => {
      surface.set(block, element, { [slot]: read(node.value) });
      if (left) count();
      clearTimeout(timer);
      if (triggers.includes("on_character_entered")) timer = setTimeout(tell, PAUSE_MS);
    });
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || tag === "textarea" || !triggers.includes("on_enter_pressed")) return;
      if (block.type === "input" && !block.dispatch_action) return;
      event.preventDefault();
      tell();
    });
    if (left) count();
    return left ? h("div", { class: "counted" }, node, left) : node;
  };
}

const pad = (number) => String(number).padStart(2, "0");
const localTime = (seconds) => {
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
};

function picked(type, slot, { show = (value) => value, read = (value) => value } = {}) {
  return (element, block, surface, how) => {
    const named = { ...how, label: how.label || element.placeholder?.text || { date: "Date", time: "Time" }[type] || "Date and time" };
    const node = h("input", { ...attributes(element, block, named), type, class: "field-input picked" });
    const sync = () => {
      const value = surface.get(block, element)?.[slot];
      node.value = value ? show(value) : "";
    };
    sync();
    node.addEventListener("change", async () => {
      if (!(await confirmed(element.confirm))) return sync();
      const state = { [slot]: node.value ? read(node.value) : null };
      surface.set(block, element, state);
      await dispatch(element, block, surface, state, node);
      return undefined;
    });
    return node;
  };
}

function fileInput(element, block, surface, how) {
  return h("div", { class: "hint", id: how.id }, "Files cannot be uploaded in the local Slack.");
}

export const fields = {
  plain_text_input: typed("text"),
  rich_text_input: typed("text", () => ({}), RICH),
  email_text_input: typed("email", () => ({ inputmode: "email" })),
  url_text_input: typed("url", () => ({ inputmode: "url" })),
  number_input: typed("text", (element) => ({ inputmode: element.is_decimal_allowed ? "decimal" : "numeric" })),
  datepicker: picked("date", "selected_date"),
  timepicker: picked("time", "selected_time"),
  datetimepicker: picked("datetime-local", "selected_date_time", { show: localTime, read: (value) => Math.floor(new Date(value).getTime() / 1000) }),
  file_input: fileInput,
};
