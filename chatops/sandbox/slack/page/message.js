// One message: its head, its content, its files, reactions and thread line. It is redrawn in place when it changes.
import { h, icon, iconButton } from "./dom.js";
import { api } from "./api.js";
import { avatar } from "./avatar.js";
import { isCard } from "./blocks.js";
import { agoOf, timeOf, whenOf } from "./dates.js";
import { emoji } from "./emoji.js";
import { filePreview } from "./files.js";
import { openMenu } from "./menu.js";
import { mrkdwn, words } from "./mrkdwn.js";
import { authorOf, displayName, emit, isGuest, state } from "./state.js";
import { Surface } from "./surface.js";
import { announce, toast } from "./toast.js";

const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** The words of a message, for announcements and the tour: its text and every text in its blocks. */
export function textOf(message) {
  const found = [message.text || ""];
  const walk = (value) => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (value && typeof value === "object") {
      if (typeof value.text === "string") found.push(value.text);
      Object.values(value).forEach(walk);
    }
  };
  walk(message.blocks);
  walk(message.attachments);
  return found.join("\n");
}

export class MessageView {
  /** `thread` is the ts of the thread whose panel this stands in, or "" in a channel. */
  constructor(channel, message, thread = "") {
    Object.assign(this, { channel, thread, surfaces: new Map() });
    this.gutter = h("div", { class: "gutter" });
    this.head = h("div", { class: "head" });
    this.content = h("div", { class: "content" });
    this.foot = h("div", { class: "foot" });
    this.tools = h("div", { class: "tools" }, this.#tools());
    this.node = h("article", { class: "message", tabindex: "-1", data: { ts: message.ts, channel } }, this.gutter, h("div", { class: "body" }, this.head, this.content, this.foot), this.tools);
    this.update(message);
  }

  #tools() {
    const more = iconButton("more", "More actions", () => openMenu(more, this.#menu()), { "aria-haspopup": "menu" });
    const reply = !this.thread && iconButton("reply", "Reply in thread", () => this.#openThread());
    return [reply, more].filter(Boolean);
  }

  #menu() {
    const shortcuts = this.message.is_ephemeral ? [] : state.shortcuts.filter((one) => one.type === "message");
    const link = `${location.origin}/archives/${this.channel}/p${this.message.ts.replace(".", "")}`;
    const copy = (text, what) => navigator.clipboard.writeText(text).then(() => toast(`${what} copied`, "info"), () => toast("This browser does not allow copying."));
    return [
      ...shortcuts.map((one) => ({ text: one.name, description: one.description || state.app.name, run: () => this.#shortcut(one) })),
      { text: "Reply in thread", run: () => this.#openThread() },
      { text: "Copy link", run: () => copy(link, "Link") },
      { text: "Copy text", run: () => copy(words(this.message.text), "Text") },
    ];
  }

  #openThread() {
    emit("open-thread", { channel: this.channel, ts: this.thread || this.message.thread_ts || this.message.ts });
  }

  #shortcut(one) {
    const body = { callback_id: one.callback_id, channel: this.channel, message_ts: this.message.ts };
    api.shortcut(body).catch((error) => toast(`${one.name}: ${error.message}`));
  }

  update(message) {
    const old = this.message;
    this.message = message;
    if (!old || old.user !== message.user) this.#drawHead();
    const parts = ["text", "blocks", "attachments", "files", "edited"];
    const isNew = !old || parts.some((name) => !same(old[name], message[name]));
    if (isNew) this.#drawContent();
    if (isNew && old) this.edited = true; // until somebody lets it glow
    if (!old || ["reply_count", "latest_reply", "reactions"].some((name) => !same(old[name], message[name]))) this.drawFoot();
  }

  /** Follow-up messages of the same person show no picture and name. */
  group(follows) {
    if (this.follows === follows) return;
    this.follows = follows;
    this.node.classList.toggle("follows", follows);
    const clock = h("time", { class: "side-time", title: whenOf(this.message.ts), "aria-hidden": "true" }, timeOf(this.message.ts));
    this.gutter.replaceChildren(follows ? clock : avatar(authorOf(this.message), 36));
  }

  #drawHead() {
    const { message } = this;
    const author = authorOf(message);
    const name = message.username || displayName(author);
    this.node.setAttribute("aria-label", `${name}, ${timeOf(message.ts)}`);
    this.node.classList.toggle("ephemeral", Boolean(message.is_ephemeral));
    this.node.classList.toggle("system", message.subtype === "tombstone" || /_(join|leave|topic|purpose|name)$/.test(message.subtype || ""));
    this.head.replaceChildren(
      h("span", { class: "author" }, name),
      author?.is_bot ? h("span", { class: "badge app" }, "APP") : "",
      author && !author.is_bot && isGuest(author) ? h("span", { class: "badge guest" }, "GUEST") : "",
      h("time", { title: whenOf(message.ts), datetime: new Date(Number(message.ts) * 1000).toISOString() }, timeOf(message.ts)),
      message.is_ephemeral ? h("span", { class: "only-you" }, icon("eye", 14), "Only visible to you") : "");
  }

  #drawContent() {
    const { message } = this;
    const edited = message.edited && h("span", { class: "edited", title: whenOf(message.edited.ts || message.ts) }, "(edited)");
    const parts = [];
    if (message.blocks?.length) parts.push(this.#blocks("blocks", message.blocks));
    else if (message.text) parts.push(h("div", { class: "text" }, mrkdwn(message.text), edited && " ", edited));
    for (const [index, one] of (message.attachments || []).entries()) parts.push(this.#attachment(one, index));
    for (const file of message.files || []) parts.push(filePreview(file));
    if (message.blocks?.length && edited) parts.push(edited);
    const wanted = new Set(parts);
    [...this.content.childNodes].filter((one) => !wanted.has(one)).forEach((one) => one.remove());
    parts.forEach((part, index) => this.content.childNodes[index] !== part && this.content.insertBefore(part, this.content.childNodes[index] || null));
  }

  #blocks(key, blocks) {
    if (!this.surfaces.has(key)) this.surfaces.set(key, new Surface("message", () => ({ channel: this.channel, message_ts: this.message.ts })));
    const surface = this.surfaces.get(key);
    surface.show(blocks);
    surface.node.classList.toggle("card", isCard(blocks));
    return surface.node;
  }

  #attachment(one, index) {
    const bar = h("div", { class: "attachment" },
      one.blocks?.length ? this.#blocks(`attachment${index}`, one.blocks)
        : h("div", { class: "text" }, one.title && h("strong", null, mrkdwn(one.title), h("br")), mrkdwn(one.text || one.fallback || "")));
    if (one.color) bar.style.borderLeftColor = /^[0-9a-f]{6}$/i.test(one.color) ? `#${one.color}` : one.color;
    return bar;
  }

  drawFoot() {
    const { message } = this;
    const reactions = (message.reactions || []).map((one) => h("span", { class: "reaction" }, emoji(one.name) || `:${one.name}:`, ` ${one.count || one.users?.length || 1}`));
    const replies = !this.thread && message.reply_count ? this.#threadLine() : null;
    this.foot.replaceChildren(...[reactions.length ? h("div", { class: "reactions" }, reactions) : null, replies].filter(Boolean));
  }

  #threadLine() {
    const { message } = this;
    const faces = (message.reply_users || []).slice(0, 4).map((id) => avatar(state.people.get(id) || authorOf({ bot_id: id }), 22));
    const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
    return h("button", { type: "button", class: "thread-line", onclick: () => this.#openThread() },
      h("span", { class: "faces" }, faces), h("span", { class: "count" }, count),
      h("span", { class: "ago" }, message.latest_reply ? `last ${agoOf(message.latest_reply)}` : ""), icon("chevron", 14));
  }

  /** A short glow that says where something changed. */
  flash() {
    this.edited = false;
    this.node.classList.remove("flash");
    void this.node.offsetWidth; // restarts the animation
    this.node.classList.add("flash");
  }

  /** Says who wrote, not what: the text stands in the list already, and would be found there twice. */
  speak() {
    announce(`New message from ${displayName(authorOf(this.message))}${this.message.is_ephemeral ? ", only visible to you" : ""}`);
  }
}
