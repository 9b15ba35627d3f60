// What every control has in common: how it is found again after a redraw, and when the app hears of a change.

// Slack's words when an app does not answer.
export const TROUBLE = "We had some trouble connecting. Try again?";

/** What identifies a control across renderings, so that focus can return to it. */
export const focusKey = (block, element, more = "") => `${block.block_id}|${element.action_id}|${more}`;

/** Send the element's new state to the app where it listens: outside input blocks always, inside with dispatch_action. */
export async function dispatch(element, block, surface, state, node) {
  if (block.type === "input" && !block.dispatch_action) return;
  const slots = Object.entries(state).filter(([name]) => name !== "type");
  await surface.act(block, element, Object.fromEntries(slots), node);
}
