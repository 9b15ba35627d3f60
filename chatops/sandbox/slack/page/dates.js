// Days, times and "2 min ago", in the reader's own time zone.

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const TIME = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECONDS = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = format({ weekday: "long", day: "numeric", month: "long" });
const SHORT = format({ day: "numeric", month: "short", year: "numeric" });
const LONG = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const DATE = format({ day: "numeric", month: "long", year: "numeric" });
const NUMBERS = format({ day: "2-digit", month: "2-digit", year: "numeric" });

export const dateOf = (ts) => new Date(Number(ts) * 1000);
export const timeOf = (ts) => TIME.format(dateOf(ts));
export const secondsOf = (ts) => SECONDS.format(dateOf(ts));
export const whenOf = (ts) => `${LONG.format(dateOf(ts))}, ${SECONDS.format(dateOf(ts))}`;
export const dayKey = (ts) => dateOf(ts).toDateString();

function near(date, short) {
  const day = (offset) => new Date(Date.now() + offset * 86400e3).toDateString();
  const word = { [day(0)]: "Today", [day(-1)]: "Yesterday", [day(1)]: "Tomorrow" }[date.toDateString()];
  return word || short;
}

export const dayOf = (ts) => near(dateOf(ts), DAY.format(dateOf(ts)));

export function agoOf(ts) {
  const minutes = Math.floor((Date.now() / 1000 - Number(ts)) / 60);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return near(dateOf(ts), SHORT.format(dateOf(ts)));
}

/** Slack's `<!date^…>` format string, e.g. "{date_short_pretty} at {time}"; lower case inside a sentence as Slack has it. */
export function slackDate(seconds, pattern) {
  const date = new Date(Number(seconds) * 1000);
  const tokens = {
    date_num: NUMBERS.format(date),
    date_slash: NUMBERS.format(date),
    date: DATE.format(date),
    date_short: SHORT.format(date),
    date_long: LONG.format(date),
    date_pretty: near(date, DATE.format(date)),
    date_short_pretty: near(date, SHORT.format(date)),
    date_long_pretty: near(date, LONG.format(date)),
    time: TIME.format(date),
    time_secs: SECONDS.format(date),
    ago: agoOf(seconds),
  };
  return pattern.replace(/\{(\w+)\}/g, (whole, name, offset) => {
    const text = tokens[name];
    if (text === undefined) return whole;
    return offset > 0 && name.endsWith("pretty") && /^(Today|Yesterday|Tomorrow)$/.test(text) ? text.toLowerCase() : text;
  });
}
