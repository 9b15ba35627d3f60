// Who is acting: one click switches the person and keeps the channel.
import { $, h } from "./dom.js";
import { avatar } from "./avatar.js";
import { displayName, emit, firstName, isGuest, isOutsider, on, state } from "./state.js";

const root = h("div", { class: "people", role: "group", "aria-label": "Who am I" });
const role = h("div", { class: "role", "aria-live": "polite" });
export const peopleBar = h("div", { class: "people-bar" }, role, root);

const actors = () => [...state.people.values()].filter((one) => !one.is_bot && !one.deleted);

function chip(person) {
  const current = person.id === state.me.id;
  const guest = isGuest(person);
  const title = [displayName(person), person.title || person.role, guest && "guest from another company"].filter(Boolean).join(" · ");
  return h("button", { type: "button", class: `person${current ? " current" : ""}${guest ? " is-guest" : ""}`, "aria-label": `Act as ${firstName(person)}`, "aria-pressed": String(current), title, onclick: () => emit("switch", { user: person.id }) },
    avatar(person, 26), h("span", { class: "person-name" }, firstName(person)), guest && h("span", { class: "guest-mark" }, "guest"));
}

function draw() {
  if (!state.me) return;
  const focused = root.contains(document.activeElement);
  root.replaceChildren(...actors().map(chip));
  if (focused) $("[aria-pressed=true]", root)?.focus();
  const about = state.me.title || state.me.role || "";
  role.replaceChildren(h("strong", null, displayName(state.me)), h("span", null, isOutsider(state.me) ? `${about || "Guest"} · another company` : about));
}

on("boot people", draw);
