// A person's or app's picture: initials on their colour.
import { h, icon } from "./dom.js";
import { displayName, state } from "./state.js";

const initialsOf = (person) => person.initials || displayName(person).split(/\s+/).slice(0, 2).map((word) => word[0]).join("").toUpperCase();

/** A square avatar of `size` pixels; an app shows a bolt. */
export function avatar(person, size = 36) {
  const isApp = person?.is_bot && (person.id === state.app.bot_user_id || person.name !== "slackbot");
  const node = h("span", { class: `avatar size-${size}${person?.is_bot ? " bot" : ""}`, "aria-hidden": "true" }, person ? (isApp ? icon("bolt", Math.round(size * 0.55)) : initialsOf(person)) : "?");
  if (person?.color) node.style.backgroundColor = person.color.startsWith("#") ? person.color : `#${person.color}`;
  return node;
}
