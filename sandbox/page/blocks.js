// Slack's message formats as DOM: mrkdwn, Block Kit, rich text. Everything drawn here was written by somebody
// else: it reaches the DOM only through text nodes and a few properties, and only an http(s) URL becomes a link.
//
// `world` is what the names in a text mean: {me, users: Map, channels: Map, groups: Map, channelHref(id)}.
// `act` is what the elements of a message do: {press(block, element), isBusy(block, element), wrong(block)}.

export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria-") || key.startsWith("data-") || key === "role") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children.flat(2).filter(Boolean)); // so that callers can write: condition && node
  return node;
}

function webUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  return ["http:", "https:"].includes(url?.protocol) ? url.href : null;
}

const outside = (url) => ({ href: url, target: "_blank", rel: "noopener noreferrer" });

/** A link, or just its label when a browser should not follow the URL. */
export function link(text, label) {
  return webUrl(text) ? el("a", outside(webUrl(text)), label) : el("span", {}, label);
}

// --- emoji
const SHORTCODES = {
  large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", white_circle: "⚪", warning: "⚠️", x: "❌",
  white_check_mark: "✅", hourglass_flowing_sand: "⏳", fire: "🔥", pushpin: "📌", bell: "🔔", eyes: "👀", lock: "🔒",
  rotating_light: "🚨", "+1": "👍", "-1": "👎", tada: "🎉", no_entry: "⛔",
};
// Drawn by us (emoji.svg): a traffic light must look like one on a machine without a colour emoji font.
const DRAWN = /(🟢|🟡|🟠|🔵|🔴|⚪|✅|❌|⏳|🔥|⚠️|📌|👀|🔔|🔒|✋|⛔|🚫|🔍|📎|📣|📝|🧪|🔧|🔎|👍|🔗|🖐️)/u;

/** The sign stays in the text, so that it can be copied and read aloud. */
function withSigns(text) {
  return text.split(DRAWN).map((part, n) => {
    if (n % 2 === 0) return part;
    const sign = el("span", { className: "emoji" }, part);
    sign.style.backgroundImage = `url("emoji.svg#u${part.codePointAt(0).toString(16)}")`;
    return sign;
  });
}

export const emoji = (name) => withSigns(SHORTCODES[name.split("::")[0]] ?? `:${name}:`);

export function plain(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).flatMap((part, n) => (n % 2 ? emoji(part.slice(1, -1)) : withSigns(part)));
}

// --- mrkdwn
const unescape = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);

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
    "(?<url>https?://[^\\s<>|`]+[^\\s<>|`.,;:!?)'\"*_~])",
  ].join("|"),
  "gu",
);
const STYLES = { bold: "b", italic: "i", strike: "s", code: "code" };

/** `verbatim` as in Slack's text object: bare URLs are then left alone. */
export function mrkdwn(text, world, verbatim = false) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, n) => {
    if (n % 2) return el("pre", {}, tokens(part, world));
    return part ? quotes(n ? part.replace(/^\n/, "") : part, world, verbatim) : [];
  });
}

function quotes(text, world, verbatim) {
  return text.split(/((?:^(?:&gt;|>).*\n?)+)/m).flatMap((part, n) => {
    if (n % 2 === 0) return inline(part, world, verbatim);
    return el("blockquote", {}, inline(part.replace(/^(?:&gt;|>) ?/gm, "").trimEnd(), world, verbatim));
  });
}

function inline(text, world, verbatim) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...withSigns(unescape(text.slice(from, match.index))), ...formatted(match, world, verbatim));
    from = match.index + match[0].length;
  }
  return [...nodes, ...withSigns(unescape(text.slice(from)))];
}

function formatted({ 0: whole, groups }, world, verbatim) {
  if (groups.code) return [el("code", {}, tokens(groups.code, world))];
  if (groups.token) return [token(groups.token, world)];
  if (groups.emoji) return emoji(groups.emoji);
  if (groups.url) return [verbatim ? unescape(whole) : link(unescape(whole), unescape(whole))];
  const [name] = Object.keys(STYLES).filter((style) => groups[style]);
  return [el(STYLES[name], {}, inline(groups[name], world, verbatim))];
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
  return webUrl(unescape(target)) ? link(unescape(target), label || unescape(target)) : `<${unescape(text)}>`;
}

const mention = (text, isMine) => el("span", { className: isMine ? "mention mine" : "mention" }, text);

function person(id, world, label) {
  return mention(`@${world.users.get(id)?.profile.display_name || label || id}`, id === world.me.id);
}

function channel(id, world) {
  const name = world.channels.get(id)?.name;
  return name ? el("a", { href: world.channelHref(id) }, `#${name}`) : mention("private channel", false);
}

function special(text, label, world) {
  const [kind, id, format, url] = text.split("^");
  if (kind === "date") return moment(Number(id), format ?? "", label, unescape(url ?? ""));
  if (kind === "subteam") return group(id, world, label);
  return mention(label || `@${kind}`, ["here", "channel", "everyone"].includes(kind));
}

function group(id, world, label) {
  const found = world.groups.get(id);
  return mention(found ? `@${found.handle}` : label || `@${id}`, found?.users.includes(world.me.id));
}

// --- dates, in the reader's own zone
const FORMATS = {
  date_num: { dateStyle: "short" }, date: { dateStyle: "long" }, date_short: { dateStyle: "medium" },
  date_long: { dateStyle: "full" }, time: { timeStyle: "short" }, time_secs: { timeStyle: "medium" },
};

export function day(at, format = FORMATS.date_long) {
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  const away = Math.round((midnight(at) - midnight(Date.now())) / 86400000);
  return { "-1": "Yesterday", 0: "Today", 1: "Tomorrow" }[away] ?? at.toLocaleDateString([], format);
}

export const clock = (at) => at.toLocaleTimeString([], FORMATS.time);

function moment(seconds, format, fallback, url) {
  const at = new Date(seconds * 1000);
  if (!format || Number.isNaN(at.getTime())) return fallback;
  const text = unescape(format).replace(/\{(\w+)\}/g, (whole, name) => {
    const options = FORMATS[name.replace("_pretty", "")];
    if (!options) return whole;
    return name.endsWith("_pretty") ? day(at, options) : at.toLocaleString([], options);
  });
  const node = el("time", { dateTime: at.toISOString(), title: fallback }, text);
  return webUrl(url) ? link(url, node) : node;
}

// --- text objects and blocks
export const textObject = (object, world) =>
  object.type === "mrkdwn" ? mrkdwn(object.text, world, object.verbatim) : plain(object.text);

const drawn = (object, world, className = "") => object && el("div", { className }, textObject(object, world));

const BLOCKS = {
  section: (block, world, act) => [
    el("div", { className: "words" },
      drawn(block.text, world, "text"),
      block.fields && el("div", { className: "fields" }, block.fields.map((field) => drawn(field, world)))),
    block.accessory && element(block, block.accessory, world, act),
  ],
  header: (block, world) => el("h3", {}, textObject(block.text, world)),
  context: (block, world, act) =>
    block.elements.map((each) => (each.text?.trim ? drawn(each, world) : element(block, each, world, act))),
  divider: () => el("hr"),
  actions: (block, world, act) => block.elements.map((each) => element(block, each, world, act)),
  image: (block, world) => [drawn(block.title, world, "caption"), picture(block)],
  rich_text: (block, world) => block.elements.map((part) => RICH[part.type]?.(part, world) ?? unknown("rich text", part)),
};

export function blocks(list, world, act) {
  return list.flatMap((block) => {
    const wrong = act.wrong(block);
    return [
      el("div", { className: `block ${block.type}` }, attempt(block, world, act) ?? unknown("block", block)),
      wrong && el("p", { className: "wrong", role: "alert" }, withSigns(`⚠️ ${wrong}`)),
    ];
  });
}

function attempt(block, world, act) {
  try {
    return BLOCKS[block.type]?.(block, world, act);
  } catch (error) {
    console.warn("not a block as we know it", block, error);
  }
}

/** What we cannot draw must be seen: it may be the part that matters. */
export function unknown(what, thing) {
  const title = `This page does not draw the ${what} “${thing.type}”`;
  return el("details", { className: "unknown" }, el("summary", {}, title), el("pre", {}, JSON.stringify(thing, null, 2)));
}

function picture(each) {
  if (!webUrl(each.image_url)) return unknown("picture", each);
  const image = el("img", { alt: each.alt_text, title: each.alt_text });
  const instead = () => image.replaceWith(link(each.image_url, `Picture: ${each.alt_text}`));
  image.addEventListener("error", instead, { once: true }); // also when it is not on this machine
  image.src = webUrl(each.image_url);
  return image;
}

/** A menu of a message: what is chosen is sent at once, and the menu shows its placeholder again. */
function menu(block, each, act) {
  const node = el("select", {
    className: "button", disabled: act.isBusy(block, each), "aria-label": each.placeholder?.text ?? "",
    "data-focus": `${block.block_id}/${each.action_id}`,
  }, el("option", { value: "" }, plain(each.placeholder?.text ?? "Choose…")), options(each));
  node.addEventListener("change", () => node.value && act.press(block, { ...each, value: node.value }));
  return node;
}

export const options = ({ options: all }) => all.map(({ value, text }) => el("option", { value }, plain(text.text)));

function element(block, each, world, act) {
  if (each.type === "image") return picture(each);
  if (each.type === "static_select") return menu(block, each, act);
  if (each.type !== "button") return unknown("element", each);
  const isBusy = act.isBusy(block, each);
  const isRefused = each.url && !webUrl(each.url);
  const looks = {
    className: `button ${["primary", "danger"].includes(each.style) ? each.style : ""} ${isBusy ? "busy" : ""}`,
    title: isRefused ? `Not a web link: ${each.url}` : each.accessibility_label ?? "",
    "data-focus": `${block.block_id}/${each.action_id}`,
    "aria-busy": isBusy,
    ...(webUrl(each.url) ? outside(webUrl(each.url)) : { type: "button", disabled: isRefused }),
  };
  const node = el(webUrl(each.url) ? "a" : "button", looks, plain(each.text.text));
  node.addEventListener("click", () => isBusy || act.press(block, each)); // Slack tells the app of link buttons too
  return node;
}

// --- rich text
const RICH = {
  rich_text_section: (part, world) => el("div", { className: "text" }, richText(part.elements, world)),
  rich_text_quote: (part, world) => el("blockquote", {}, richText(part.elements, world)),
  rich_text_preformatted: (part, world) => el("pre", {}, richText(part.elements, world)),
  rich_text_list: ({ style, elements }, world) =>
    el(style === "ordered" ? "ol" : "ul", {}, elements.map((each) => el("li", {}, richText(each.elements, world)))),
};
const INLINE_RICH = {
  text: (piece) => withSigns(piece.text),
  link: (piece) => link(piece.url, piece.text || piece.url),
  user: (piece, world) => person(piece.user_id, world),
  channel: (piece, world) => channel(piece.channel_id, world),
  usergroup: (piece, world) => group(piece.usergroup_id, world),
  broadcast: (piece) => mention(`@${piece.range}`, true),
  emoji: (piece) => emoji(piece.name),
  date: (piece) => moment(piece.timestamp, piece.format, piece.fallback ?? "", piece.url),
};

function richText(pieces, world) {
  return pieces.flatMap((piece) => {
    const styles = Object.keys(STYLES).filter((style) => piece.style?.[style]);
    const inner = INLINE_RICH[piece.type]?.(piece, world) ?? unknown("rich text", piece);
    return styles.reduce((node, style) => el(STYLES[style], {}, node), inner);
  });
}
