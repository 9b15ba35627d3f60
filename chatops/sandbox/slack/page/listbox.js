// The list of options that hangs under a text box (selects and the composer): drawn, moved through, picked from.
import { $, h, place, uid } from "./dom.js";

export class Listbox {
  /** `input` keeps the focus; `pick(option)` is called with the chosen one. Options: {text, description?, side?, node?, group?, selected?}. */
  constructor(input, pick, { above = false } = {}) {
    this.input = input;
    this.pick = pick;
    this.above = above;
    this.id = uid("list");
    this.options = [];
    this.active = -1;
    input.setAttribute("aria-controls", this.id);
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-autocomplete", "list");
    this.follow = (event) => !(event?.target instanceof Node && this.node?.contains(event.target)) && this.reposition();
  }

  get isOpen() {
    return Boolean(this.node);
  }

  show(options, { active = 0, note = "" } = {}) {
    if (!this.node) this.#open();
    this.options = options;
    let group = "";
    const rows = options.flatMap((option, index) => {
      const heading = option.group && option.group !== group ? [h("div", { class: "list-group", role: "presentation" }, option.group)] : [];
      group = option.group || "";
      return [...heading, this.#row(option, index)];
    });
    this.node.replaceChildren(...rows, ...(note ? [h("div", { class: "list-note", role: "presentation" }, note)] : []));
    this.move(options.length ? Math.min(active, options.length - 1) : -1);
    this.reposition();
  }

  #row(option, index) {
    const row = h("div", { class: "list-option", role: "option", id: `${this.id}-${index}`, "aria-selected": String(Boolean(option.selected)) },
      option.node || null,
      h("span", { class: "list-main" }, h("span", { class: option.mono ? "list-text mono" : "list-text" }, option.text), option.title && h("span", { class: "list-title" }, option.title), option.description && h("span", { class: "hint" }, option.description)),
      option.side && h("span", { class: "list-side" }, option.side));
    row.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the text box keeps the focus
    });
    row.addEventListener("click", () => this.pick(option));
    row.addEventListener("mousemove", () => this.active !== index && this.move(index, false));
    return row;
  }

  #open() {
    this.node = h("div", { class: "listbox", role: "listbox", id: this.id, "aria-label": "Options" });
    $("#layer").append(this.node);
    this.input.setAttribute("aria-expanded", "true");
    window.addEventListener("scroll", this.follow, true);
    window.addEventListener("resize", this.follow);
  }

  reposition() {
    if (!this.node) return;
    if (!this.input.isConnected) return this.close();
    const anchor = this.input.closest(".composer-box, .combo") || this.input;
    place(this.node, anchor, { width: this.above ? 0 : 240 });
    if (this.above) {
      const box = anchor.getBoundingClientRect();
      this.node.style.width = `${box.width}px`;
      this.node.style.top = `${Math.max(8, box.top - this.node.offsetHeight - 6)}px`;
      this.node.style.left = `${box.left}px`;
    }
  }

  move(index, scroll = true) {
    this.active = index;
    const rows = [...this.node.querySelectorAll(".list-option")];
    rows.forEach((row, at) => row.classList.toggle("active", at === index));
    if (index >= 0) this.input.setAttribute("aria-activedescendant", `${this.id}-${index}`);
    else this.input.removeAttribute("aria-activedescendant");
    if (scroll && rows[index]) rows[index].scrollIntoView({ block: "nearest" });
  }

  /** Handles arrow keys; true when the key was used. */
  step(key) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (!step || !this.isOpen || !this.options.length) return false;
    const count = this.options.length;
    this.move(this.active < 0 ? (step > 0 ? 0 : count - 1) : (this.active + step + count) % count);
    return true;
  }

  close() {
    this.node?.remove();
    this.node = null;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    window.removeEventListener("scroll", this.follow, true);
    window.removeEventListener("resize", this.follow);
  }
}
