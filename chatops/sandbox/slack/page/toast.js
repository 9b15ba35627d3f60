// Short news at the edge of the page, and news for screen readers only.
import { $, h, iconButton } from "./dom.js";

const LASTS_MS = 7000;

/** Show a sentence for a while; `kind` is "error" or "info". */
export function toast(text, kind = "error") {
  const node = h("div", { class: `toast ${kind}` }, h("span", null, text), iconButton("close", "Dismiss this message", () => node.remove()));
  $("#toasts").append(node);
  setTimeout(() => node.remove(), LASTS_MS);
}

export function announce(text) {
  const node = h("div", null, text); // a new node is read out even when the words are those of the last one
  $("#announcer").replaceChildren(node);
}
