// What people typed and chose: state objects in the shape Slack puts into view.state.values, and what is wrong with them.

export const keyOf = (block, element) => `${block.block_id}\n${element.action_id}`;

const CHOSEN = {
  static_select: "selected_option",
  external_select: "selected_option",
  radio_buttons: "selected_option",
  users_select: "selected_user",
  channels_select: "selected_channel",
  conversations_select: "selected_conversation",
  multi_static_select: "selected_options",
  multi_external_select: "selected_options",
  checkboxes: "selected_options",
  multi_users_select: "selected_users",
  multi_channels_select: "selected_channels",
  multi_conversations_select: "selected_conversations",
  datepicker: "selected_date",
  timepicker: "selected_time",
  datetimepicker: "selected_date_time",
  rich_text_input: "rich_text_value",
};
const INITIAL = { selected_option: "initial_option", selected_options: "initial_options", value: "initial_value", rich_text_value: "initial_value" };

/** The name under which an element's state carries its value: `value`, `selected_option`, `selected_users` … */
export const slotOf = (element) => CHOSEN[element.type] || "value";
export const isMany = (element) => slotOf(element).endsWith("s");
export const hasState = (element) => !["button", "workflow_button", "overflow", "image"].includes(element.type);

export function initialState(element, channel) {
  const slot = slotOf(element);
  let value = element[INITIAL[slot] || slot.replace("selected_", "initial_")];
  if (value === undefined && element.default_to_current_conversation && channel) value = isMany(element) ? [channel] : channel;
  return { type: element.type, [slot]: value ?? (isMany(element) ? [] : null) };
}

/** The interactive elements of a block. */
export function elementsOf(block) {
  if (block.type === "actions" || block.type === "context_actions") return block.elements || [];
  if (block.type === "input") return [block.element];
  return block.type === "section" && block.accessory ? [block.accessory] : [];
}

export function optionsOf(element) {
  return [...(element.options || []), ...(element.option_groups || []).flatMap((group) => group.options)];
}

/** Keeps what a person entered where block_id and action_id stayed; everything else starts from the elements' initial values. */
export function reconcile(values, blocks, channel) {
  const next = new Map();
  for (const block of blocks) {
    for (const element of elementsOf(block).filter(hasState)) {
      const key = keyOf(block, element);
      const kept = values.get(key);
      next.set(key, kept && kept.type === element.type && stillOffered(kept, element) ? kept : initialState(element, channel));
    }
  }
  return next;
}

// A choice that is no longer among the options cannot stay chosen.
function stillOffered(kept, element) {
  if (!["static_select", "radio_buttons", "multi_static_select", "checkboxes"].includes(element.type)) return true;
  const chosen = [kept.selected_option || kept.selected_options || []].flat();
  return chosen.every((one) => optionsOf(element).some((option) => option.value === one.value));
}

/** {block_id: {action_id: state}} of all elements. */
export function stateValues(values) {
  const all = {};
  for (const [key, value] of values) {
    const [block, action] = key.split("\n");
    (all[block] ||= {})[action] = value;
  }
  return all;
}

const isEmpty = (value) => value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);

function problemOf(element, state, optional) {
  const value = state[slotOf(element)];
  if (isEmpty(value)) return optional ? "" : "Please complete this required field.";
  if (element.min_length && value.length < element.min_length) return `This needs at least ${element.min_length} characters.`;
  if (element.max_length && value.length > element.max_length) return `This can be no longer than ${element.max_length} characters.`;
  if (element.type === "email_text_input" && !/^\S+@\S+\.\S+$/.test(value)) return "This must be a valid e-mail address.";
  if (element.type === "url_text_input" && !/^https?:\/\/\S+$/.test(value)) return "This must be a valid URL.";
  if (element.type === "number_input") {
    const number = Number(value);
    if (Number.isNaN(number) || (!element.is_decimal_allowed && !Number.isInteger(number))) return "This must be a whole number.";
    if (element.min_value !== undefined && number < Number(element.min_value)) return `This must be ${element.min_value} or more.`;
    if (element.max_value !== undefined && number > Number(element.max_value)) return `This must be ${element.max_value} or less.`;
  }
  return "";
}

/** What Slack's own client would refuse before it asks the app: {block_id: sentence}. */
export function problemsOf(blocks, values) {
  const problems = {};
  for (const block of blocks.filter((one) => one.type === "input")) {
    const problem = problemOf(block.element, values.get(keyOf(block, block.element)) || {}, block.optional);
    if (problem) problems[block.block_id] = problem;
  }
  return problems;
}
