// What could come next in the message box: words, verbs and flags of the declared grammar, people and channels.
// Pure: from the text up to the caret to {from, items: [{insert, label, detail}], hint}.

const MOST = 12;

/** `grammar` is /grammar.json; `names` are {people, channels}: lists of {insert, label, detail}. */
export function complete(text, grammar, names) {
  const [, sigil, part] = /(?:^|\s)([@#])([\w.-]*)$/.exec(text) ?? [];
  if (sigil) return offer(text.length - part.length - 1, sigil + part, sigil === "@" ? names.people : names.channels);
  if (/^\/\w*$/.test(text)) return offer(0, text, [{ insert: "/sre ", label: "/sre", detail: "ask the bot, or have it do something" }]);
  const line = /^(?:\/sre|@sre(?:_bot)?)\s+(.*)$/s.exec(text)?.[1];
  return line === undefined || !grammar ? NOTHING : ofLine(text, line, grammar);
}

export const NOTHING = { from: 0, items: [], hint: "" };

function offer(from, typed, all, hint = "") {
  const start = typed.toLowerCase();
  const rank = ({ label }) => (label.toLowerCase().startsWith(start) ? 0 : 1);
  const fits = all.filter(({ label }) => label.toLowerCase().includes(start.replace(/^[@#/]/, "")));
  const items = fits.sort((a, b) => rank(a) - rank(b)).filter((each) => each.insert.trim() !== typed).slice(0, MOST);
  return { from, items, hint };
}

function ofLine(text, line, { words, shortcuts, flags: known }) {
  const tokens = line.split(/\s+/);
  const typed = tokens.pop();
  const from = text.length - typed.length;
  const short = shortcuts.find(({ name }) => name === tokens[0]);
  const [name, verb] = short ? [short.word, short.verb] : [tokens[0], tokens[1]];
  if (!tokens.length) return offer(from, typed, [...words, ...shortcuts].map(({ name, summary }) => ({ insert: `${name} `, label: name, detail: summary })));
  const word = words.find((each) => each.name === name || each.aliases.includes(name));
  if (!word) return NOTHING;
  const found = word.verbs.find((each) => each.name === (verb ?? "")) ?? word.verbs.find((each) => each.name === "");
  const flags = (found?.flags ?? []).map((n) => known[n]);
  const hint = found ? usage(word, found, flags) : "";
  if (typed.startsWith("-")) return offer(from, typed, offered(flags), hint);
  if (tokens.length === 1 && !short) return { ...offer(from, typed, verbs(word)), hint };
  return { from, items: typed ? [] : examples(line, word), hint };
}

const verbs = (word) => word.verbs.filter(({ name }) => name)
  .map(({ name, summary, names, change }) => ({ insert: `${name} `, label: `${name}${names ? ` ${names}` : ""}`, detail: summary, change }));
const offered = (flags) => flags.map(({ name, value, help }) => ({ insert: `--${name} `, label: `--${name}${value ? ` ${value}` : ""}`, detail: help }));
const usage = (word, { name, names }, flags) =>
  ["/sre", word.name, name, names, ...flags.slice(0, 4).map((each) => `[--${each.name}${each.value ? ` ${each.value}` : ""}]`), flags.length > 4 && "…"].filter(Boolean).join(" ");

/** Whole lines that begin as this one does. */
const examples = (line, word) => word.verbs.flatMap((verb) => verb.examples).filter((each) => each.startsWith(line) && each !== line)
  .map((each) => ({ insert: each.slice(line.length), label: each, detail: "example" }));
