// A place that shows blocks: a message, a modal or the App Home. It keeps values, sends clicks, and changes only blocks that differ.
import { $, h, icon } from "./dom.js";
import { api } from "./api.js";
import { renderBlock } from "./blocks.js";
import { TROUBLE } from "./dispatch.js";
import { hasState, keyOf, reconcile, stateValues } from "./values.js";

export class Surface {
  /** `where()` gives {channel, message_ts} or {view_id} for the server; `kind` is message, modal or home. */
  constructor(kind, where) {
    this.kind = kind;
    this.where = where;
    this.node = h("div", { class: `blocks blocks-${kind}` });
    this.blocks = [];
    this.values = new Map();
    this.drawn = new Map(); // key -> {json, node}
    this.errors = {};
    this.whenChanged = () => {};
  }

  get channel() {
    return this.where().channel;
  }

  show(blocks) {
    const focus = this.#focused();
    this.blocks = blocks;
    this.values = reconcile(this.values, blocks, this.channel);
    const next = new Map();
    const nodes = blocks.map((block, index) => {
      const key = block.block_id || `#${index}`;
      const json = JSON.stringify([block, this.errors[block.block_id] || ""]);
      const old = this.drawn.get(key);
      const node = old && old.json === json ? old.node : renderBlock(block, this);
      next.set(next.has(key) ? `${key}#${index}` : key, { json, node });
      return node;
    });
    this.drawn = next;
    this.#arrange(nodes);
    this.#refocus(focus);
  }

  // Moving a node that stays would drop its focus and its scroll position.
  #arrange(nodes) {
    const wanted = new Set(nodes);
    [...this.node.childNodes].filter((one) => !wanted.has(one)).forEach((one) => one.remove());
    nodes.forEach((node, index) => {
      if (this.node.childNodes[index] !== node) this.node.insertBefore(node, this.node.childNodes[index] || null);
    });
  }

  #focused() {
    const active = document.activeElement;
    if (!this.node.contains(active)) return null;
    return { active, focus: active.dataset.focus, from: active.selectionStart, to: active.selectionEnd };
  }

  #refocus(before) {
    if (!before || !before.focus || before.active.isConnected) return;
    const again = $(`[data-focus="${CSS.escape(before.focus)}"]`, this.node);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (before.from !== null && before.from !== undefined && again.setSelectionRange) again.setSelectionRange(before.from, before.to);
  }

  showErrors(errors) {
    this.errors = errors || {};
    this.show(this.blocks);
    const first = this.blocks.find((block) => this.errors[block.block_id]);
    const control = first && $("[aria-invalid=true]", this.node);
    if (control) control.focus();
  }

  get(block, element) {
    return this.values.get(keyOf(block, element));
  }

  set(block, element, state) {
    this.values.set(keyOf(block, element), { type: element.type, ...state });
    this.whenChanged();
  }

  stateValues() {
    return stateValues(this.values);
  }

  /** Tell the app about a click or a choice; `payload` is {value}, {selected_option} … A failure is shown beside the block. */
  async act(block, element, payload, node) {
    this.#complain(node, "");
    node?.setAttribute("aria-busy", "true");
    const body = { ...this.where(), block_id: block.block_id, action_id: element.action_id, ...payload };
    if (hasState(element) || this.kind !== "message") body.state_values = this.stateValues();
    try {
      await api.action(body);
    } catch (error) {
      const known = ["operation_timeout", "dispatch_failed", "unreachable", "not_json"].includes(error.code);
      this.#complain(node, known ? TROUBLE : error.message);
    } finally {
      node?.removeAttribute("aria-busy");
    }
  }

  suggest(block, element, value) {
    return api.suggest({ ...this.where(), block_id: block.block_id, action_id: element.action_id, value, state_values: this.stateValues() });
  }

  #complain(node, text) {
    const block = node?.closest(".block");
    if (!block) return;
    $(".trouble", block)?.remove();
    if (text) block.append(h("div", { class: "trouble", role: "alert" }, icon("warn", 15), text));
  }
}
