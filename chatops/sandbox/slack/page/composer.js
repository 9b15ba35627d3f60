// Where people type: messages, commands with suggestions, mentions. Enter sends, Shift+Enter makes a new line.
import { h, icon, iconButton, uid } from "./dom.js";
import { api } from "./api.js";
import { Listbox } from "./listbox.js";
import { openMenu } from "./menu.js";
import { on, state } from "./state.js";
import { suggestions } from "./suggest.js";
import { toast } from "./toast.js";

export class Composer {
  /** `label()` names the text box, `channel()` and `thread()` say where its messages go. */
  constructor({ id, label, channel, thread = null }) {
    Object.assign(this, { label, channel, thread: thread || (() => ""), inThread: Boolean(thread), drafts: new Map() });
    const help = uid("help");
    this.input = h("textarea", { id, rows: "1", role: "combobox", "aria-describedby": help, autocomplete: "off" });
    this.list = new Listbox(this.input, (option) => this.#take(option), { above: true });
    const add = iconButton("plus", "Shortcuts", () => openMenu(add, this.#shortcuts(), { align: "start" }), { "aria-haspopup": "menu" });
    this.submit = h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send", onclick: () => this.send() }, icon("send", 18));
    this.hint = h("span", { class: "usage" });
    this.box = h("div", { class: "composer-box" }, this.input,
      h("div", { class: "composer-bar" }, add, iconButton("at", "Mention somebody", () => this.#insert("@")), !this.inThread && iconButton("slash", "Use a command", () => this.#insert("/")), this.hint, this.submit));
    this.node = h("div", { class: "composer" }, this.box, h("div", { class: "composer-help", id: help }, h("kbd", null, "Enter"), " sends · ", h("kbd", null, "Shift Enter"), " new line"));
    this.#listen();
    this.refresh();
  }

  get #key() {
    return `${state.me?.id} ${this.channel()} ${this.thread()}`;
  }

  /** After the conversation or the person changed: other label, other draft. */
  refresh() {
    const label = this.label();
    this.input.setAttribute("aria-label", label);
    this.input.placeholder = label;
    if (this.shownFor === this.#key) return;
    if (this.shownFor) this.drafts.set(this.shownFor, this.input.value);
    this.shownFor = this.#key;
    this.list.close();
    this.set(this.drafts.get(this.shownFor) || "");
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  set(text) {
    this.input.value = text;
    this.#grow();
  }

  #listen() {
    const { input } = this;
    input.addEventListener("input", () => {
      this.#grow();
      this.#offer();
    });
    input.addEventListener("blur", () => this.list.close());
    on("commands", () => document.activeElement === input && input.value.startsWith("/") && this.#offer());
    input.addEventListener("click", () => this.#offer());
    input.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #pressed(event) {
    if (event.isComposing) return;
    const { list } = this;
    if (list.isOpen && list.step(event.key)) event.preventDefault();
    else if (event.key === "Tab" && !event.shiftKey && list.isOpen && list.options.length) {
      event.preventDefault();
      this.#take(list.options[Math.max(0, list.active)]);
    } else if (event.key === "Escape" && list.isOpen) {
      event.preventDefault();
      list.close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (list.isOpen && list.options[list.active]) this.#take(list.options[list.active]);
      else this.send();
    }
  }

  #grow() {
    const { input } = this;
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, 200)}px`;
    this.submit.disabled = !input.value.trim();
    this.box.classList.toggle("command", input.value.startsWith("/"));
  }

  #offer() {
    const { options, note, active } = suggestions(this.input.value, this.input.selectionStart);
    this.hint.textContent = note;
    if (options.length) this.list.show(options, { active });
    else this.list.close();
  }

  #take(option) {
    const { value } = this.input;
    const [from, to] = option.from === undefined ? [0, value.length] : [option.from, option.to];
    this.set(value.slice(0, from) + option.fill + value.slice(to));
    const caret = from + option.fill.length;
    this.focus();
    this.input.setSelectionRange(caret, caret);
    this.list.close();
    this.#offer();
  }

  #insert(sign) {
    const { input } = this;
    const space = sign === "@" && input.value && !/\s$/.test(input.value) ? " " : "";
    this.set(sign === "/" ? "/" : input.value + space + sign);
    this.focus();
    input.setSelectionRange(input.value.length, input.value.length);
    this.#offer();
  }

  #shortcuts() {
    const global = state.shortcuts.filter((one) => one.type === "global");
    const commands = this.inThread ? [] : state.commands;
    return [
      { title: global.length || commands.length ? "Shortcuts" : "This app has no shortcuts" },
      ...global.map((one) => ({ text: one.name, description: one.description || state.app.name, run: () => api.shortcut({ callback_id: one.callback_id }).catch((error) => toast(`${one.name}: ${error.message}`)) })),
      ...commands.map((one) => ({ text: one.command, description: one.description, run: () => this.#insertCommand(one) })),
    ];
  }

  #insertCommand(one) {
    this.set(`${one.command} `);
    this.focus();
    this.#offer();
  }

  async send() {
    const text = this.input.value.trim();
    const [channel, thread] = [this.channel(), this.thread()];
    if (!text || !channel) return;
    if (thread && text.startsWith("/")) return toast(`Commands do not work in threads, as in Slack. Mention @${state.people.get(state.app.bot_user_id)?.name || state.app.name} instead.`);
    this.set("");
    this.hint.textContent = "";
    this.list.close();
    try {
      if (text.startsWith("/")) await api.command(channel, text);
      else await api.say(channel, text, thread || undefined);
    } catch (error) {
      // Slackbot has told the person already; anything else was not sent and goes back into the box.
      if (["operation_timeout", "dispatch_failed", "unknown_command"].includes(error.code)) return;
      if (!this.input.value) this.set(text);
      toast(error.message);
    }
    return undefined;
  }
}

/** Type a line into the composer the way a person does, then send it. */
export async function typeOut(composer, text, calm) {
  composer.focus();
  composer.set("");
  const step = Math.max(1, Math.ceil(text.length / 40));
  for (let at = step; !calm && at < text.length; at += step) {
    composer.set(text.slice(0, at));
    await new Promise((go) => setTimeout(go, 16));
  }
  composer.set(text);
  await composer.send();
}

