// Misfortune on demand, from the inspector's menu: limits, errors, lost connections.
import { h, icon } from "./dom.js";
import { api } from "./api.js";
import { openMenu } from "./menu.js";
import { toast } from "./toast.js";

const AWAY_S = 10;
const NEXT = [
  ["Answer the next call with 429", "“slow down” for 3 s", { kind: "ratelimit", retry_after: 3 }],
  ["Answer the next call with 500", "Slack's own trouble", { kind: "error", status: 500 }],
  ["Let the next call time out", "no answer at all", { kind: "timeout" }],
  ["Drop the next call after storing it", "it worked, and nobody was told", { kind: "drop_after_store" }],
  ["Deliver the next event three times", "as Slack does when in doubt", { kind: "redeliver" }],
  [`Slack away for ${AWAY_S} s`, "connections cut, calls refused", { kind: "away", delay: AWAY_S }],
  ["Ask the app to reconnect", "Socket Mode's refresh", { kind: "disconnect" }],
];

let limited = null;
const shown = h("span", { class: "fault-count" });

async function attempt(work, done) {
  try {
    await work();
    toast(done, "info");
  } catch (error) {
    toast(error.message);
  }
  await refreshFaults();
}

/** Show how many faults are waiting to strike. */
export async function refreshFaults() {
  const [{ faults }, settings] = await Promise.all([api.faults(), api.settings({})]);
  limited = settings.rate_limits ?? limited;
  shown.textContent = faults?.length ? String(faults.length) : "";
  shown.title = (faults || []).map((one) => `${one.kind}${one.method ? ` on ${one.method}` : ""}`).join(", ");
}

function items() {
  const limits = { text: "Slack's rate limits", description: "one post a second and channel", checked: Boolean(limited), run: () => attempt(() => api.settings({ rate_limits: !limited }), limited ? "Rate limits are off" : "Rate limits are on") };
  const next = NEXT.map(([text, description, fault]) => ({ text, description, run: () => attempt(() => api.addFault(fault), `Armed: ${text}`) }));
  const clear = { text: "Clear all faults", run: () => attempt(() => api.clearFaults(), "All faults are cleared") };
  return [{ title: "Limits" }, limits, { title: "Make trouble" }, ...next, clear];
}

export function faultsButton() {
  const button = h("button", { type: "button", class: "button quiet", "aria-haspopup": "menu" }, icon("bolt", 15), "Faults", shown);
  button.addEventListener("click", async () => {
    await refreshFaults().catch((error) => toast(error.message));
    openMenu(button, items());
  });
  return button;
}
