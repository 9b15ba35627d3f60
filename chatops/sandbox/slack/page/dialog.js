// Small questions: the confirm object of an element, and the page's own.
import { $, h, trapTab, uid } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { textObject } from "./mrkdwn.js";

/** Ask a confirm object's question. Resolves to true at once when there is none. */
export function confirmed(question) {
  if (!question) return Promise.resolve(true);
  const before = document.activeElement;
  const id = uid("question");
  return new Promise((resolve) => {
    const answer = (yes) => {
      layer.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
      resolve(yes);
    };
    const deny = h("button", { type: "button", class: "button", onclick: () => answer(false) }, question.deny?.text || "No");
    const confirm = h("button", { type: "button", class: `button ${question.style || "primary"}`, onclick: () => answer(true) }, withEmoji(question.confirm?.text || "Yes"));
    const box = h("div", { class: "dialog small", role: "alertdialog", "aria-modal": "true", "aria-labelledby": id, "aria-describedby": `${id}-text` },
      h("h2", { id }, withEmoji(question.title?.text || "Are you sure?")),
      h("div", { class: "text", id: `${id}-text` }, textObject(question.text)),
      h("div", { class: "dialog-buttons" }, deny, confirm));
    const layer = h("div", { class: "scrim question" }, box);
    layer.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") answer(false);
      trapTab(event, box);
    });
    layer.addEventListener("mousedown", (event) => event.target === layer && answer(false));
    $("#layer").append(layer);
    (question.style === "danger" ? deny : confirm).focus();
  });
}
