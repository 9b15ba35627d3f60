// Selects: a text box that filters, a list under it, chips for multi-selects; options local or from the app.
import { h, icon, iconButton } from "./dom.js";
import { avatar } from "./avatar.js";
import { confirmed } from "./dialog.js";
import { TROUBLE, dispatch, focusKey } from "./dispatch.js";
import { Listbox } from "./listbox.js";
import { shown, sourceOf } from "./sources.js";
import { isMany, slotOf } from "./values.js";

const PAUSE_MS = 150;

class Select {
  constructor(element, block, surface, how) {
    Object.assign(this, { element, block, surface, how, many: isMany(element), slot: slotOf(element) });
    this.source = sourceOf(element, (query) => surface.suggest(block, element, query));
    this.placeholder = element.placeholder?.text || (this.many ? "Select options" : "Select an option");
    this.input = h("input", {
      type: "text", role: "combobox", id: how.id, class: "combo-input", autocomplete: "off", spellcheck: "false",
      "aria-label": block.type === "input" ? undefined : how.label && block.type === "section" ? how.label : this.placeholder,
      "aria-describedby": how.describedby, "aria-invalid": how.invalid ? "true" : undefined,
      "aria-required": block.type === "input" && !how.optional ? "true" : undefined,
      data: { focus: focusKey(block, element), autofocus: element.focus_on_load ? "1" : "" },
    });
    this.chips = h("span", { class: "chips" });
    this.clear = iconButton("close", "Clear the choice", () => this.#choose(null), { tabindex: "-1" });
    this.clear.classList.add("clear");
    this.node = h("div", { class: `combo${this.many ? " many" : ""}` }, this.chips, this.input, this.clear, icon("chevron", 16));
    this.list = new Listbox(this.input, (option) => this.#pick(option));
    this.#listen();
    this.sync();
  }

  get chosen() {
    const value = this.surface.get(this.block, this.element)?.[this.slot];
    return (this.many ? value || [] : value ? [value] : []).map(shown);
  }

  sync() {
    const chosen = this.chosen;
    if (this.many) {
      this.chips.replaceChildren(...chosen.map((one) => h("span", { class: "chip" }, one.text, iconButton("close", `Remove ${one.text}`, () => this.#toggle(one)))));
      this.input.value = "";
    } else this.input.value = chosen[0]?.text || "";
    this.input.placeholder = this.many && chosen.length ? "" : this.placeholder;
    this.input.title = this.input.value;
    this.clear.hidden = this.many || !chosen.length || !this.how.optional;
    this.typed = false;
  }

  #listen() {
    const { input } = this;
    input.addEventListener("input", () => {
      this.typed = true;
      this.#search();
    });
    input.addEventListener("click", () => !this.list.isOpen && this.#open());
    this.node.addEventListener("mousedown", (event) => {
      if (event.target === input || event.target.closest("button")) return;
      event.preventDefault();
      input.focus();
      if (this.list.isOpen) this.list.close();
      else this.#open();
    });
    input.addEventListener("focus", () => input.select());
    input.addEventListener("blur", () => {
      this.list.close();
      this.sync();
    });
    input.addEventListener("keydown", (event) => this.#key(event));
  }

  #open() {
    this.input.select();
    this.typed = false;
    this.#search();
  }

  #key(event) {
    const { list } = this;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.isOpen) this.#open();
    else if (list.step(event.key)) event.preventDefault();
    else if (event.key === "Enter") {
      event.preventDefault(); // Enter in a select chooses; it does not submit the form
      if (list.isOpen && list.options[list.active]) this.#pick(list.options[list.active]);
      else if (!list.isOpen) this.#open();
    } else if (event.key === "Escape" && list.isOpen) {
      event.stopPropagation();
      list.close();
      this.sync();
    } else if (event.key === "Tab" && list.isOpen && this.typed && list.options[list.active]) this.#pick(list.options[list.active]);
    else if (event.key === "Backspace" && this.many && !this.input.value && this.chosen.length) this.#toggle(this.chosen.at(-1));
  }

  async #search() {
    const query = this.typed ? this.input.value : "";
    const asked = (this.asked = Symbol("search"));
    clearTimeout(this.timer);
    if (query.length < this.source.least) {
      const missing = this.source.least - query.length;
      return this.list.show([], { note: `Type ${missing === 1 ? "one more letter" : `${missing} letters`} to search` });
    }
    if (this.source.remote) {
      if (!this.list.isOpen || !this.list.options.length) this.list.show([], { note: "Searching…" });
      await new Promise((go) => (this.timer = setTimeout(go, this.typed ? PAUSE_MS : 0)));
    }
    let options;
    try {
      options = await this.source.find(query);
    } catch (error) {
      if (asked === this.asked && this.input.isConnected) this.list.show([], { note: ["operation_timeout", "dispatch_failed"].includes(error.code) ? TROUBLE : error.message });
      return undefined;
    }
    if (asked === this.asked && this.input.isConnected && document.activeElement === this.input) this.#offer(options);
    return undefined;
  }

  #offer(options) {
    const chosen = new Set(this.chosen.map((one) => one.value));
    const rows = options.map((one) => ({ ...one, selected: chosen.has(one.value), node: one.person ? avatar(one.person, 20) : null, side: chosen.has(one.value) ? icon("check", 16) : null }));
    const active = rows.findIndex((one) => one.selected);
    this.list.show(rows, { active: this.typed || active < 0 ? 0 : active, note: rows.length ? "" : "Nothing found" });
  }

  #pick(option) {
    if (this.many) return this.#toggle(option);
    this.list.close();
    return this.#choose(option);
  }

  #toggle(option) {
    const chosen = this.chosen;
    const without = chosen.filter((one) => one.value !== option.value);
    const most = this.element.max_selected_items || Infinity;
    const next = without.length < chosen.length ? without : [...chosen, option].slice(0, most);
    return this.#choose(next).then(() => this.list.isOpen && this.#search());
  }

  async #choose(choice) {
    const raw = (one) => (one.option ? { text: one.option.text, value: one.option.value, ...(one.option.description && { description: one.option.description }) } : one.value);
    if (!(await confirmed(this.element.confirm))) return this.sync();
    const state = { [this.slot]: this.many ? (choice || []).map(raw) : choice && raw(choice) };
    const before = JSON.stringify(this.surface.get(this.block, this.element)?.[this.slot]);
    this.surface.set(this.block, this.element, state);
    this.sync();
    if (before !== JSON.stringify(state[this.slot])) await dispatch(this.element, this.block, this.surface, state, this.node);
    return undefined;
  }
}

export const select = (element, block, surface, how) => new Select(element, block, surface, how).node;
