// Drop-down menus: overflow elements, a message's menu, the composer's shortcuts, the inspector's faults.
import { $, h, place } from "./dom.js";

let open = null;

export function closeMenu() {
  open?.();
}

/** Show `items` ({text, description?, run, checked?} or {title}) under `anchor`. Arrow keys move, Escape closes. */
export function openMenu(anchor, items, { align = "end" } = {}) {
  const again = open?.anchor === anchor;
  closeMenu();
  if (again) return;
  const node = h("div", { class: "menu", role: "menu" }, items.map((item) => item.title
    ? h("div", { class: "menu-title", role: "presentation" }, item.title)
    : h("button", { type: "button", class: `menu-item${item.danger ? " danger" : ""}`, role: item.checked === undefined ? "menuitem" : "menuitemcheckbox", "aria-checked": item.checked === undefined ? null : String(item.checked), onclick: () => { close(true); item.run(); } },
        h("span", null, item.text), item.description && h("span", { class: "hint" }, item.description))));
  const away = (event) => !node.contains(event.target) && !anchor.contains(event.target) && close(false);
  const close = (refocus) => {
    node.remove();
    document.removeEventListener("mousedown", away, true);
    window.removeEventListener("resize", close);
    anchor.setAttribute("aria-expanded", "false");
    open = null;
    if (refocus && anchor.isConnected) anchor.focus({ preventScroll: true });
  };
  close.anchor = anchor;
  node.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const all = [...node.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) all[(at + step + all.length) % all.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") close(true);
    else return;
    event.preventDefault();
  });
  $("#layer").append(node);
  place(node, anchor, { align });
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("mousedown", away, true);
  window.addEventListener("resize", close);
  open = close;
  node.querySelector("button")?.focus();
}
