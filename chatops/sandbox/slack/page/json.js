// JSON as coloured text that folds.
import { h } from "./dom.js";

const LONG = 60;
const SHORT = 400;

function leaf(value) {
  const kind = value === null ? "null" : typeof value;
  return h("span", { class: `json-${kind}` }, JSON.stringify(value));
}

function tree(value, name, depth) {
  const label = name === null ? null : h("span", { class: "json-key" }, `${name}: `);
  if (value === null || typeof value !== "object") return h("div", { class: "json-row" }, label, leaf(value));
  const entries = Array.isArray(value) ? value.map((one, index) => [index, one]) : Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return h("div", { class: "json-row" }, label, open + close);
  const count = h("span", { class: "json-count" }, ` ${entries.length}`);
  const details = h("details", { class: "json-node", open: entries.length <= LONG && (depth < 3 || JSON.stringify(value).length < SHORT) }, h("summary", null, label, open, count));
  const fill = () => details.childElementCount === 1 && details.append(h("div", { class: "json-children" }, entries.map(([key, one]) => tree(one, key, depth + 1))), h("div", { class: "json-row" }, close));
  if (details.open) fill();
  details.addEventListener("toggle", fill);
  return details;
}

/** A value, or a text that holds JSON or a form, as a folding tree. */
export function jsonTree(value) {
  return h("div", { class: "json" }, tree(parsed(value), null, 0));
}

function parsed(value) {
  if (typeof value !== "string" || !/^[[{]/.test(value)) return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
