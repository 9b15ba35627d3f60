// A scrolling list of messages, for a channel and for a thread: grouped by person and day, kept in place while it changes.
import { h, icon } from "./dom.js";
import { dayKey, dayOf } from "./dates.js";
import { MessageView } from "./message.js";

const TOGETHER_S = 300;
const NEAR_PX = 80;

const follows = (before, message) =>
  Boolean(before) && (before.user || before.bot_id) === (message.user || message.bot_id) && Boolean(before.is_ephemeral) === Boolean(message.is_ephemeral) &&
  Number(message.ts) - Number(before.ts) < TOGETHER_S && dayKey(before.ts) === dayKey(message.ts);

export class MessageList {
  /** `intro()` gives the node above the first message, `read(ts)` is called when the newest message is in view. */
  constructor({ label, intro = () => null, read = () => {} }) {
    Object.assign(this, { intro, read, views: new Map(), rows: new Map(), newFrom: "" });
    this.list = h("div", { class: "list", role: "log", "aria-label": label, "aria-live": "off" });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, this.list);
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd(true) }, icon("down", 15), h("span", null, "Newest"));
    this.node = h("div", { class: "messages" }, this.scroller, this.jump);
    this.stuck = true;
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Pictures and files that arrive late must not push the newest message out of view.
    new ResizeObserver(() => this.stuck && this.#bottom()).observe(this.list);
    new ResizeObserver(() => this.stuck && this.#bottom()).observe(this.scroller);
  }

  /** Empty the list for another conversation. */
  reset(key, newFrom = "") {
    Object.assign(this, { key, newFrom, stuck: true, unseen: 0 });
    this.views.clear();
    this.rows.clear();
    this.list.replaceChildren();
    this.jump.hidden = true;
  }

  /** Bring the list to these messages, oldest first; nodes of messages that stay are kept. */
  show(channel, messages, { thread = "", replies = 0 } = {}) {
    const rows = [];
    const intro = this.rows.get("intro") || this.intro(messages);
    if (intro) rows.push(["intro", intro]);
    const gone = new Set(this.views.keys());
    let before = null;
    let marked = false;
    messages.forEach((message, index) => {
      gone.delete(message.ts);
      const newDay = !thread && (!before || dayKey(before.ts) !== dayKey(message.ts));
      const isNew = Boolean(this.newFrom) && !marked && message.ts > this.newFrom;
      if (newDay) rows.push(this.#row(`day ${dayKey(message.ts)}`, () => h("div", { class: "day", role: "separator" }, h("span", null, dayOf(message.ts)))));
      if (isNew && before) rows.push(this.#row("new", () => h("div", { class: "new", role: "separator" }, h("span", null, "New"))));
      if (isNew) marked = true;
      if (thread && index === 1) rows.push([`replies ${replies}`, h("div", { class: "replies" }, h("span", null, `${replies} ${replies === 1 ? "reply" : "replies"}`))]);
      const view = this.views.get(message.ts) || new MessageView(channel, message, thread);
      this.views.set(message.ts, view);
      view.update(message);
      view.group(!newDay && !(isNew && before) && !(thread && index === 1) && follows(before, message));
      rows.push([message.ts, view.node]);
      before = message;
    });
    gone.forEach((ts) => this.views.delete(ts));
    this.#arrange(rows);
    this.newest = before?.ts || "";
    if (this.stuck) this.#bottom();
    this.#scrolled();
  }

  #row(key, make) {
    return [key, this.rows.get(key) || make()];
  }

  #arrange(rows) {
    this.rows = new Map(rows);
    const wanted = new Set(rows.map(([, node]) => node));
    [...this.list.childNodes].filter((one) => !wanted.has(one)).forEach((one) => one.remove());
    rows.forEach(([, node], index) => this.list.childNodes[index] !== node && this.list.insertBefore(node, this.list.childNodes[index] || null));
  }

  /** Something new came at the end: keep to the end, or say so. */
  arrived(mine) {
    if (mine || this.stuck) return this.toEnd();
    this.unseen = (this.unseen || 0) + 1;
    this.jump.lastChild.textContent = `${this.unseen} new`;
    return undefined;
  }

  toEnd(smooth = false) {
    this.stuck = true;
    this.unseen = 0;
    if (smooth) this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: "smooth" });
    else this.#bottom();
    this.#scrolled();
  }

  #bottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.stuck = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.jump.hidden = this.stuck;
    if (this.stuck) {
      this.unseen = 0;
      this.jump.lastChild.textContent = "Newest";
      if (this.newest) this.read(this.newest);
    }
  }

  /** Scroll to a message and let it glow; false when it is not in the list. */
  reveal(ts) {
    const view = this.views.get(ts);
    if (!view) return false;
    this.stuck = false;
    view.node.scrollIntoView({ block: "center" });
    view.flash();
    return true;
  }
}
