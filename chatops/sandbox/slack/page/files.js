// Pictures and files in messages: images inline, text with its first lines, everything else as a line that opens it.
import { h, icon } from "./dom.js";

const TEXT = /^(text\/|application\/(json|xml|yaml|x-yaml|x-diff|javascript))|\+json$/;
const TEXT_NAMES = /\.(txt|log|md|diff|patch|ya?ml|json|jsonl|csv|py|sh|toml|ini|conf|sql)$/i;
const FIRST = 6;

function sizeOf(bytes) {
  if (!Number.isFinite(bytes)) return "";
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

// Only the local Slack's own files are fetched, whatever host the address names.
function local(file) {
  const address = new URL(file.url || file.url_private || `/sandbox/files/${file.id}/${encodeURIComponent(file.name)}`, location.href);
  return address.pathname.startsWith("/sandbox/files/") ? address.pathname : address.href;
}

const lookOf = (line, diff) => (!diff ? "" : /^(\+\+\+|---|@@)/.test(line) ? "meta" : line[0] === "+" ? "added" : line[0] === "-" ? "removed" : "");

function lines(text, diff, most) {
  const all = text.replace(/\n$/, "").split("\n").slice(0, most);
  return all.map((line, index) => h("span", { class: `line ${lookOf(line, diff)}`, data: { line: String(index + 1) } }, `${line}\n`));
}

function textFile(file, url) {
  const diff = /\.(diff|patch)$/i.test(file.name) || /diff/.test(file.mimetype || "");
  const code = h("code", null);
  const more = h("button", { type: "button", class: "text-button", "aria-expanded": "false" }, "Show all");
  let whole = null;
  const show = (open) => {
    const text = whole ?? file.preview ?? "";
    code.replaceChildren(...lines(text, diff, open ? Infinity : FIRST));
    more.textContent = open ? "Show less" : "Show all";
    more.setAttribute("aria-expanded", String(open));
    more.hidden = whole !== null && whole.trimEnd().split("\n").length <= FIRST;
  };
  const load = async () => {
    if (whole === null) whole = await fetch(url).then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(answer.statusText))));
  };
  more.addEventListener("click", async () => {
    const open = more.getAttribute("aria-expanded") !== "true";
    try {
      await load();
      show(open);
    } catch {
      more.textContent = "This file could not be read. Try again?";
    }
  });
  show(false);
  if (!file.preview && (file.size ?? 0) < 200_000) load().then(() => show(false), () => show(false));
  return [h("pre", { class: "file-text", tabindex: "0" }, code), more];
}

/** A file as it stands in a message. */
export function filePreview(file) {
  const url = local(file);
  const isImage = /^image\//.test(file.mimetype || "");
  const isText = !isImage && (TEXT.test(file.mimetype || "") || TEXT_NAMES.test(file.name || ""));
  const head = h("div", { class: "file-line" }, icon(isImage ? "image" : "file", 20),
    h("span", { class: "file-name" }, file.title || file.name), h("span", { class: "file-size" }, sizeOf(file.size)),
    h("a", { class: "file-open", href: url, target: "_blank", rel: "noopener", "aria-label": `Open ${file.name}` }, "Open", icon("out", 14)));
  return h("div", { class: "file" }, head,
    isImage && h("img", { class: "image", src: url, alt: file.title || file.name, loading: "lazy" }),
    isText && textFile(file, url));
}

/** An image, or its description where it cannot be loaded (this page loads nothing from the internet). */
export function picture(element, className) {
  const kept = element.slack_file?.id ? `/sandbox/files/${encodeURIComponent(element.slack_file.id)}/picture` : "";
  const source = element.image_url || element.slack_file?.url || kept;
  const missing = () => h("span", { class: `${className} missing`, title: source, role: "img", "aria-label": element.alt_text }, icon("image", 16), className === "image" ? element.alt_text : null);
  if (!source.startsWith("data:image/") && new URL(source, location.href).origin !== location.origin) return missing();
  const image = h("img", { class: className, src: source, alt: element.alt_text || "", loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(missing()));
  return image;
}
