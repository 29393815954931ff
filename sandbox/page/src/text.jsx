// Slack's texts as elements: emoji, mrkdwn, dates, mentions. Everything drawn here was written by somebody else: it
// reaches the document only as text and a few properties, and only an http(s) URL becomes a link.
//
// `world` is what the names in a text mean: {me, users: Map, channels: Map, groups: Map, channelHref(id)}.

export function webUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return ["http:", "https:"].includes(url?.protocol) ? url.href : null;
}

export const outside = (url) => ({ href: url, target: "_blank", rel: "noopener noreferrer" });

/** A link, or just its label when a browser should not follow the URL. */
export function Link({ to, children }) {
  const url = webUrl(to);
  return url ? <a {...outside(url)}>{children}</a> : <span>{children}</span>;
}

// --- emoji
const SHORTCODES = {
  large_green_circle: "🟢", large_yellow_circle: "🟡", large_orange_circle: "🟠", large_blue_circle: "🔵", red_circle: "🔴",
  white_circle: "⚪", warning: "⚠️", x: "❌", white_check_mark: "✅", hourglass_flowing_sand: "⏳", fire: "🔥", pushpin: "📌",
  bell: "🔔", eyes: "👀", lock: "🔒", rotating_light: "🚨", "+1": "👍", thumbsup: "👍", "-1": "👎", tada: "🎉", no_entry: "⛔",
  raised_hand: "✋", memo: "📝", wrench: "🔧", mag: "🔍", link: "🔗", heart: "❤️", pray: "🙏", rocket: "🚀", no_entry_sign: "🚫",
};
// Drawn by us (emoji.svg): a traffic light must look like one on a machine without a colour emoji font.
const DRAWN = /(🟢|🟡|🟠|🔵|🔴|⚪|✅|❌|⏳|🔥|⚠️|📌|👀|🔔|🔒|✋|⛔|🚫|🔍|📎|📣|📝|🧪|🔧|🔎|👍|🔗|🖐️)/u;

/** The sign stays in the text, so that it can be copied and read aloud. */
export function signs(text) {
  return text.split(DRAWN).map((part, n) => (n % 2 === 0 ? part : (
    <span class="emoji" style={{ backgroundImage: `url("emoji.svg#u${part.codePointAt(0).toString(16)}")` }}>{part}</span>
  )));
}

export const emoji = (name) => signs(SHORTCODES[name.split("::")[0]] ?? `:${name}:`);

export function plain(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).flatMap((part, n) => (n % 2 ? emoji(part.slice(1, -1)) : signs(part)));
}

// --- mrkdwn
export const unescape = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);

// The first alternative that matches wins, so nothing inside code or <…> is formatted. Inside *…* either a
// whole <…> or one other character is taken, never both ways: no input makes the expression slow.
const styled = (mark, name) => {
  const inside = `(?=\\S)(?<${name}>(?:<[^<>]*>|[^${mark}\\n<])+?)(?<=\\S)`;
  return `(?<![\\p{L}\\p{N}${mark}])${mark}${inside}${mark}(?![\\p{L}\\p{N}${mark}])`;
};
const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "<(?<token>[^<>\\n]+)>",
    ":(?<emoji>[a-z0-9_+-]+(?:::[a-z0-9-]+)?):",
    styled("\\*", "bold"),
    styled("_", "italic"),
    styled("~", "strike"),
    "(?<url>https?://(?:(?!&[lg]t;)[^\\s<>|`])*(?!&[lg]t;)[^\\s<>|`.,;:!?)'\"*_~])",
  ].join("|"),
  "gu",
);
export const STYLES = { bold: "b", italic: "i", strike: "s", code: "code" };

/** `verbatim` as in Slack's text object: bare URLs are then left alone. */
export function mrkdwn(text, world, verbatim = false) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, n) => {
    if (n % 2) return <pre>{tokens(part, world)}</pre>;
    return part ? quotes(n ? part.replace(/^\n/, "") : part, world, verbatim) : [];
  });
}

function quotes(text, world, verbatim) {
  return text.split(/((?:^(?:&gt;|>).*\n?)+)/m).flatMap((part, n) => {
    if (n % 2 === 0) return inline(part, world, verbatim);
    return <blockquote>{inline(part.replace(/^(?:&gt;|>) ?/gm, "").trimEnd(), world, verbatim)}</blockquote>;
  });
}

function inline(text, world, verbatim) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...signs(unescape(text.slice(from, match.index))), formatted(match, world, verbatim));
    from = match.index + match[0].length;
  }
  return [...nodes, ...signs(unescape(text.slice(from)))];
}

function formatted({ 0: whole, groups }, world, verbatim) {
  if (groups.code) return <code>{tokens(groups.code, world)}</code>;
  if (groups.token) return token(groups.token, world);
  if (groups.emoji) return emoji(groups.emoji);
  if (groups.url) return verbatim ? unescape(whole) : <Link to={unescape(whole)}>{unescape(whole)}</Link>;
  const [name] = Object.keys(STYLES).filter((style) => groups[style]);
  const Style = STYLES[name];
  return <Style>{inline(groups[name], world, verbatim)}</Style>;
}

/** Code keeps Slack's links and mentions but no formatting. */
function tokens(text, world) {
  return text.split(/<([^<>\n]+)>/).map((part, n) => (n % 2 ? token(part, world) : unescape(part)));
}

function token(text, world) {
  const [target, ...rest] = text.split("|");
  const label = unescape(rest.join("|"));
  if (target.startsWith("@")) return person(target.slice(1), world, label);
  if (target.startsWith("#")) return channel(target.slice(1), world);
  if (target.startsWith("!")) return special(target.slice(1), label, world);
  const url = unescape(target);
  return webUrl(url) ? <Link to={url}>{label || url}</Link> : `<${unescape(text)}>`;
}

export const mention = (text, isMine) => <span class={isMine ? "mention mine" : "mention"}>{text}</span>;

export function person(id, world, label) {
  return mention(`@${world.users.get(id)?.profile.display_name || label || id}`, id === world.me.id);
}

export function channel(id, world) {
  const name = world.channels.get(id)?.name;
  return name ? <a href={world.channelHref(id)}>#{name}</a> : mention("private channel", false);
}

function special(text, label, world) {
  const [kind, id, format, url] = text.split("^");
  if (kind === "date") return moment(Number(id), format ?? "", label, unescape(url ?? ""));
  if (kind === "subteam") return group(id, world, label);
  return mention(label || `@${kind}`, ["here", "channel", "everyone"].includes(kind));
}

export function group(id, world, label) {
  const found = world.groups.get(id);
  return mention(found ? `@${found.handle}` : label || `@${id}`, found?.users.includes(world.me.id));
}

// --- dates, in the reader's own zone
const FORMATS = {
  date_num: { dateStyle: "short" }, date: { dateStyle: "long" }, date_short: { dateStyle: "medium" },
  date_long: { dateStyle: "full" }, time: { timeStyle: "short" }, time_secs: { timeStyle: "medium" },
};

let ahead = 0; // milliseconds: the workspace's clock may be moved on

export function tellTime(there) {
  ahead = Math.abs(there - Date.now()) < 5000 ? 0 : there - Date.now();
}

const here = () => Date.now() + ahead;

export function day(at, format = FORMATS.date_long) {
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  const away = Math.round((midnight(at) - midnight(here())) / 86400000);
  return { "-1": "Yesterday", 0: "Today", 1: "Tomorrow" }[away] ?? at.toLocaleDateString([], format);
}

export const clock = (at) => at.toLocaleTimeString([], FORMATS.time);

/** How long ago, as people say it; what lies ahead is now. */
export function ago(at) {
  const seconds = Math.max(0, Math.round((here() - at) / 1000));
  if (seconds < 60) return seconds < 5 ? "just now" : `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${day(at)} ${clock(at)}`;
}

export function moment(seconds, format, fallback, url) {
  const at = new Date(seconds * 1000);
  if (!format || Number.isNaN(at.getTime())) return fallback;
  const text = unescape(format).replace(/\{(\w+)\}/g, (whole, name) => {
    if (name === "ago") return ago(at);
    const options = FORMATS[name.replace("_pretty", "")];
    if (!options) return whole;
    return name.endsWith("_pretty") ? day(at, options) : at.toLocaleString([], options);
  });
  const node = <time dateTime={at.toISOString()} title={fallback}>{text}</time>;
  return webUrl(url) ? <Link to={url}>{node}</Link> : node;
}

export const textObject = (object, world) =>
  object.type === "mrkdwn" ? mrkdwn(object.text, world, object.verbatim) : plain(object.text);
