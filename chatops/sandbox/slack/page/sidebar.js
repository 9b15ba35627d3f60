// The list of places: the app, channels, direct messages, with what is unread.
import { $, h, icon } from "./dom.js";
import { api } from "./api.js";
import { avatar } from "./avatar.js";
import { HOME, appChannel, channelName, emit, isGuest, on, state } from "./state.js";
import { toast } from "./toast.js";

const root = $("#sidebar");

function place(id, label, sign, { unread = 0, mentions = 0, note = "" } = {}) {
  const current = state.channel === id || (id === HOME && state.channel === appChannel()?.id);
  const marks = mentions ? h("span", { class: "mentions", "aria-label": `${mentions} mention${mentions === 1 ? "" : "s"}` }, String(mentions)) : unread ? h("span", { class: "unread-dot", "aria-label": "unread" }) : null;
  return h("li", null, h("a", {
    href: `?as=${state.me.id}&channel=${id}`, class: `place${current ? " current" : ""}${unread || mentions ? " unread" : ""}`, "aria-current": current ? "page" : undefined,
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      emit("goto", { channel: id, user: true });
    },
  }, sign, h("span", { class: "place-name" }, label), note && h("span", { class: "badge guest" }, note), marks));
}

function section(title, items) {
  return items.length ? h("section", { class: "places" }, h("h2", null, title), h("ul", null, items)) : null;
}

// What happens outside of Slack, for there is nobody else here to do it.
function levers() {
  const buttons = (state.levers || []).map((label) => h("button", {
    type: "button", class: "lever",
    onclick: async (event) => {
      const button = event.currentTarget;
      button.disabled = true;
      try {
        toast((await api.lever(label)).said, "info");
      } catch (error) {
        toast(error.message);
      } finally {
        button.disabled = false;
      }
    },
  }, icon("bolt", 16), label));
  return buttons.length ? h("section", { class: "places" }, h("h2", null, "The world outside"), buttons) : null;
}

function draw() {
  if (!state.me) return;
  const focused = root.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const all = [...state.channels.values()].filter((one) => !one.is_archived);
  const channels = all.filter((one) => !one.is_im).sort((one, other) => one.name.localeCompare(other.name));
  const direct = all.filter((one) => one.is_im && one.user !== state.app.bot_user_id);
  const own = appChannel();
  root.replaceChildren(...[
    h("div", { class: "workspace" }, h("span", { class: "workspace-mark" }, (state.team.name || "?")[0]), h("div", null, h("strong", null, state.team.name), h("span", null, "local Slack, on this machine only"))),
    section("App", [place(HOME, state.app.name, avatar(state.people.get(state.app.bot_user_id), 20), own || {})]),
    section("Channels", channels.map((one) => place(one.id, one.name, icon(one.is_private ? "lock" : "hash", 17), one))),
    section("Direct messages", direct.map((one) => {
      const person = state.people.get(one.user);
      return place(one.id, channelName(one), avatar(person, 20), { ...one, note: person && !person.is_bot && isGuest(person) ? "guest" : "" });
    })),
    levers(),
  ].filter(Boolean));
  if (focused) $(`[href="${CSS.escape(focused)}"]`, root)?.focus();
}

on("boot channels route", draw);
