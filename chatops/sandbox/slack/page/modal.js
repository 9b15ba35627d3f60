// Modals: a stack of views that follows the live events; what people typed stays in the page until they submit.
import { $, focusable, h, icon, iconButton, trapTab, uid } from "./dom.js";
import { api } from "./api.js";
import { withEmoji } from "./emoji.js";
import { state } from "./state.js";
import { TROUBLE } from "./dispatch.js";
import { Surface } from "./surface.js";
import { problemsOf } from "./values.js";

const BEHIND = ["#top", "#sidebar", "#main", "#thread", "#inspector"]; // the tour beside a form stays usable
let stack = [];
let before = null;

class Modal {
  constructor(view) {
    this.id = view.id;
    this.surface = new Surface("modal", () => ({ view_id: this.id }));
    this.trouble = h("div", { class: "modal-trouble", role: "alert" });
    const titleId = uid("title");
    this.title = h("h2", { id: titleId });
    this.submit = h("button", { type: "submit", class: "button primary" });
    this.cancel = h("button", { type: "button", class: "button", onclick: () => this.close() });
    this.body = h("div", { class: "modal-body", tabindex: "-1" }, this.trouble, this.surface.node);
    this.form = h("form", { class: "dialog modal", role: "dialog", "aria-modal": "true", "aria-labelledby": titleId, novalidate: true },
      h("div", { class: "modal-head" }, h("span", { class: "app-mark" }, icon("bolt", 16)), this.title, iconButton("close", "Dismiss", () => closeAll())),
      this.body,
      h("div", { class: "dialog-buttons" }, h("span", { class: "app-name" }, state.app.name), this.cancel, this.submit));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.update(view);
  }

  update(view) {
    this.view = view;
    this.title.replaceChildren(...withEmoji(view.title?.text || ""));
    this.cancel.textContent = view.close?.text || "Close";
    this.submit.textContent = view.submit?.text || "Submit";
    this.submit.hidden = !view.submit;
    this.surface.errors = {};
    this.surface.show(view.blocks || []);
  }

  async send() {
    if (!this.view.submit || this.form.getAttribute("aria-busy")) return;
    this.trouble.textContent = "";
    const problems = problemsOf(this.surface.blocks, this.surface.values);
    this.surface.showErrors(problems);
    if (Object.keys(problems).length) return;
    this.#busy(true);
    try {
      const answer = await api.submit(this.id, this.surface.stateValues());
      if (answer.response_action === "errors") this.surface.showErrors(answer.errors);
      else if (!answer.response_action) removed(this.id);
    } catch (error) {
      const silent = ["operation_timeout", "dispatch_failed", "unreachable"].includes(error.code);
      this.trouble.replaceChildren(icon("warn", 16), silent ? TROUBLE : error.message);
    } finally {
      this.#busy(false);
    }
  }

  #busy(on) {
    this.form.toggleAttribute("aria-busy", on);
    if (on) this.form.setAttribute("aria-busy", "true");
    this.submit.setAttribute("aria-disabled", String(on));
  }

  close() {
    removed(this.id);
    if (this.view.clear_on_close) stack.slice().forEach((one) => removed(one.id));
    // A view that the app closed meanwhile is closed all the same.
    api.close(this.id).catch((error) => error.code === "no_such_view" || console.warn(error.message));
  }
}

/** Close every open modal the way a person does. */
export function closeAll() {
  for (const modal of stack.slice().reverse()) modal.close();
}

function draw() {
  const root = $("#modals");
  const top = stack.at(-1);
  BEHIND.forEach((selector) => ($(selector).inert = Boolean(top)));
  document.body.classList.toggle("has-modal", Boolean(top));
  if (!top) {
    root.replaceChildren();
    if (before?.isConnected) before.focus({ preventScroll: true });
    before = null;
    return;
  }
  if (root.firstChild?.firstChild === top.form) return;
  const scrim = h("div", { class: "scrim" }, top.form);
  scrim.addEventListener("keydown", (event) => {
    if (event.key === "Escape") top.close();
    else if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) top.send();
    trapTab(event, top.form);
  });
  root.replaceChildren(scrim);
  const first = $("[data-autofocus='1']", top.form) || focusable(top.body)[0] || top.body;
  first.focus();
}

/** A view was opened or pushed. */
export function opened(view) {
  if (stack.some((one) => one.id === view.id)) return updated(view);
  if (!stack.length) before = document.activeElement;
  stack.push(new Modal(view));
  return draw();
}

export function updated(view) {
  const modal = stack.find((one) => one.id === view.id);
  if (!modal) return;
  modal.update(view);
  if (modal === stack.at(-1) && !modal.form.contains(document.activeElement) && !document.activeElement?.closest("#layer")) modal.body.focus();
}

export function removed(id) {
  const left = stack.filter((one) => one.id !== id);
  if (left.length === stack.length) return;
  stack = left;
  draw();
}

/** Everything shut without telling the app: somebody else acts now. */
export function dropAll() {
  stack = [];
  before = null;
  draw();
}

export const isOpen = () => stack.length > 0;
