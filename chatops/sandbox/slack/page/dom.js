// Building the page's elements. Nothing here, or anywhere on the page, turns data into markup: text stays text.

const SVG = "http://www.w3.org/2000/svg";

// Line icons on a 20 x 20 grid; each entry is a list of path data.
const ICONS = {
  hash: ["M7.5 3 6 17", "M14 3l-1.500 14", "M3.500 7.500h13.500", "M3 12.500h13.500"],
  lock: ["M5 9h10v8H5z", "M7 9V6.500a3 3 0 0 1 6 0V9"],
  home: ["M3 9.500 10 3.500l7 6", "M5 8.500V16.500h10V8.500", "M8.500 16.500v-4h3v4"],
  close: ["M5 5l10 10", "M15 5 5 15"],
  back: ["M12.500 4 6.500 10l6 6"],
  down: ["M10 4v12", "M5 11l5 5 5-5"],
  chevron: ["M5.500 8l4.500 4.500L14.500 8"],
  send: ["M3 10 17 3.500 13 17l-3.500-5.500z", "M9.500 11.500 17 3.500"],
  plus: ["M10 4v12", "M4 10h12"],
  at: ["M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0z", "M13 7v4.200c0 2.400 4 2.200 4-1.200a7 7 0 1 0-2.800 5.600"],
  slash: ["M3.500 3.500h13v13h-13z", "M12 6.500l-4 7"],
  more: ["M4.500 10h.01", "M10 10h.01", "M15.500 10h.01"],
  reply: ["M3.500 4h13v9h-7L6 16.500V13H3.500z"],
  eye: ["M2.500 10S5.200 5 10 5s7.500 5 7.500 5-2.700 5-7.500 5-7.500-5-7.500-5z", "M12 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0z"],
  pulse: ["M2.500 10.500H6L8.500 4l3.500 12.500 2.500-6h3"],
  flag: ["M5 17V3.500", "M5 4.500c4-2.500 6 2 10.500 0v7c-4.500 2-6.500-2.500-10.500 0"],
  check: ["M4 10.500l4 4 8-9"],
  warn: ["M10 3.500 17.500 16.500h-15z", "M10 8.500v3.500", "M10 14.200h.01"],
  file: ["M5 3h6.500L15.500 7v10H5z", "M11.500 3v4h4"],
  image: ["M3.500 4.500h13v11h-13z", "M3.500 13l4-4 3.500 3.500 2-2 3.500 3.500", "M13 7.700h.01"],
  link: ["M8.500 11.500a3 3 0 0 0 4.200 0l2.800-2.800a3 3 0 0 0-4.200-4.200L10 5.800", "M11.500 8.500a3 3 0 0 0-4.200 0l-2.800 2.800a3 3 0 0 0 4.200 4.200L10 14.200"],
  bolt: ["M11 2.500 4.500 11.500H9.500L8.500 17.500 15.500 8.500H10.500z"],
  pause: ["M7 4.500v11", "M13 4.500v11"],
  play: ["M6 4l10 6-10 6z"],
  trash: ["M4 6h12", "M8 6V4h4v2", "M5.500 6l1 11h7l1-11"],
  restart: ["M4.500 10a5.500 5.500 0 1 0 1.800-4.100", "M4.500 3.500v3.200h3.200"],
  out: ["M11 4h5v5", "M16 4l-7 7", "M8 5H4v11h11v-4"],
  people: ["M10 7a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0z", "M2.500 16c0-3 2-5 5-5s5 2 5 5", "M13 4.800a2.500 2.500 0 0 1 0 4.600", "M14.500 11.300c1.800.6 3 2.300 3 4.700"],
};

function put(node, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name === "class") node.setAttribute("class", value);
  else if (name === "data") Object.entries(value).forEach(([key, one]) => (node.dataset[key] = one));
  else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name in node && !(node instanceof SVGElement) && !name.includes("-") && typeof value !== "string") node[name] = value;
  else if (name === "value") node.value = value;
  else node.setAttribute(name, value === true ? "" : value);
}

/** An element with attributes (`class`, `data`, `onclick`, `aria-label`, …) and children (nodes, strings, lists, null). */
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) put(node, name, value);
  node.append(...children.flat(4).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true", class: `icon icon-${name}` })) {
    svg.setAttribute(key, value);
  }
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A button that shows only an icon; `label` is its accessible name and tooltip. */
export function iconButton(name, label, onclick, extra = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

let last = 0;
export const uid = (prefix) => `${prefix}-${(last += 1)}`;

export const $ = (selector, root = document) => root.querySelector(selector);

/** The elements of `root` that the Tab key reaches. */
export function focusable(root) {
  const all = root.querySelectorAll("button, [href], input, select, textarea, summary, [tabindex='0']");
  return [...all].filter((one) => !one.disabled && one.tabIndex >= 0 && one.offsetParent !== null);
}

/** Keep Tab inside `root`; call on its keydown. */
export function trapTab(event, root) {
  if (event.key !== "Tab") return;
  const all = focusable(root);
  if (!all.length) return event.preventDefault();
  const [first, end] = [all[0], all[all.length - 1]];
  if (event.shiftKey && (document.activeElement === first || document.activeElement === root)) {
    event.preventDefault();
    end.focus();
  } else if (!event.shiftKey && document.activeElement === end) {
    event.preventDefault();
    first.focus();
  }
}

/** Put `node` (position: fixed) under `anchor`, or above where there is no room below. */
export function place(node, anchor, { align = "start", width } = {}) {
  const box = anchor.getBoundingClientRect();
  if (width) node.style.width = `${Math.max(box.width, width === true ? 0 : width)}px`;
  const [high, wide] = [node.offsetHeight, node.offsetWidth];
  const below = window.innerHeight - box.bottom;
  const top = below >= high + 10 || below >= box.top ? box.bottom + 4 : box.top - high - 4;
  const left = align === "end" ? box.right - wide : box.left;
  node.style.top = `${Math.max(8, Math.min(top, window.innerHeight - high - 8))}px`;
  node.style.left = `${Math.max(8, Math.min(left, window.innerWidth - wide - 8))}px`;
}

export const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
