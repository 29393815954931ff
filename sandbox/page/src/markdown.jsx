// Standard Markdown, as the `markdown` block and canvases have it: headings, lists, quotes, code, tables, rules and
// the styles within a line. Raw HTML stays text. Anything unusual is drawn as the text it is.

import { Link, plain } from "./text.jsx";

const INLINE = /`([^`\n]+)`|!?\[([^\]\n]*)\]\(([^()\s]+)\)|\*\*([^*\n]+)\*\*|__([^_\n]+)__|~~([^~\n]+)~~|\*([^*\n]+)\*|(?<!\w)_([^_\n]+)_(?!\w)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?])/g;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...plain(text.slice(from, match.index)), piece(match));
    from = match.index + match[0].length;
  }
  return [...nodes, ...plain(text.slice(from))];
}

function piece([, code, label, url, bold, strong, gone, italic, slanted, bare]) {
  if (code) return <code>{code}</code>;
  if (url) return <Link to={url}>{label || url}</Link>;
  if (bare) return <Link to={bare}>{bare}</Link>;
  if (gone) return <s>{inline(gone)}</s>;
  return bold || strong ? <b>{inline(bold || strong)}</b> : <i>{inline(italic || slanted)}</i>;
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
const isRuler = (line = "") => /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/.test(line) && line.includes("-");
const ITEM = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const OPENERS = /^(#{1,6}\s|```|>|\s*(?:[-*+]|\d+[.)])\s)/;

/** Each reader takes lines from the front and answers what they are, or nothing when they are not its own. */
const READERS = [
  (lines) => {
    if (!lines[0].startsWith("```")) return null;
    lines.shift();
    const end = lines.findIndex((line) => line.startsWith("```"));
    const code = lines.splice(0, end < 0 ? lines.length : end + 1);
    return <pre>{(end < 0 ? code : code.slice(0, -1)).join("\n")}</pre>;
  },
  (lines) => {
    const [, marks, text] = /^(#{1,6})\s+(.*)$/.exec(lines[0]) ?? [];
    if (!marks) return null;
    lines.shift();
    return <p class={`heading h${marks.length}`} role="heading" aria-level={Math.min(6, marks.length + 2)}>{inline(text)}</p>;
  },
  (lines) => (/^\s*(?:[-*_]\s*){3,}$/.test(lines[0]) && lines.shift() !== undefined ? <hr /> : null),
  (lines) => {
    if (!lines[0].startsWith(">")) return null;
    const quoted = [];
    while (lines[0]?.startsWith(">")) quoted.push(lines.shift().replace(/^> ?/, ""));
    return <blockquote>{markdown(quoted.join("\n"))}</blockquote>;
  },
  (lines) => {
    if (!lines[0].includes("|") || !isRuler(lines[1])) return null;
    const head = cells(lines.shift());
    lines.shift();
    const rows = [];
    while (lines[0]?.includes("|")) rows.push(cells(lines.shift()));
    return <Table head={head.map(inline)} rows={rows.map((row) => row.map(inline))} />;
  },
  (lines) => (ITEM.test(lines[0]) ? list(lines) : null),
];

function list(lines) {
  const [, indent, number] = ITEM.exec(lines[0]);
  const items = [];
  for (let found = ITEM.exec(lines[0]); found && found[1].length >= indent.length; found = ITEM.exec(lines[0] ?? "")) {
    if (found[1].length > indent.length) items.at(-1).push(list(lines));
    else items.push([task(found[3]), lines.shift() && null]);
  }
  const List = number ? "ol" : "ul";
  return <List start={number ? Number(number) : undefined}>{items.map((item) => <li>{item}</li>)}</List>;
}

function task(text) {
  const [, mark, rest] = /^\[([ xX])\]\s+(.*)$/.exec(text) ?? [];
  return mark ? [mark === " " ? "☐ " : "☑ ", ...inline(rest)] : inline(text);
}

export function Table({ head, rows, align = () => undefined, caption }) {
  return (
    <div class="table" tabIndex={0} role="region" aria-label={caption ?? "Table"}>
      <table>
        {head && <thead><tr>{head.map((cell, n) => <th scope="col" class={align(n)}>{cell}</th>)}</tr></thead>}
        <tbody>{rows.map((row) => <tr>{row.map((cell, n) => <td class={align(n)}>{cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

export function markdown(text) {
  const [lines, nodes] = [text.split("\n"), []];
  while (lines.length) {
    if (!lines[0].trim()) lines.shift();
    else nodes.push(READERS.map((read) => () => read(lines)).reduce((found, read) => found ?? read(), null) ?? paragraph(lines));
  }
  return nodes;
}

function paragraph(lines) {
  const words = [lines.shift()];
  while (lines[0]?.trim() && !OPENERS.test(lines[0])) words.push(lines.shift());
  return <p class="text">{inline(words.join("\n"))}</p>;
}
