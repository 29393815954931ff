// Block Kit: the blocks of a message or a view. What they look like is here; what acts is in elements.jsx.
//
// `act` is what the elements do: {press(block, element, value), isBusy(block, element), wrong(block)}, and in a window
// also {typed(block, element, value), kept(block, element)}.

import { Component } from "preact";
import { useState } from "preact/hooks";
import { Element } from "./elements.jsx";
import { Table, markdown } from "./markdown.jsx";
import { Link, STYLES, channel, emoji, group, mention, moment, person, plain, signs, textObject, webUrl } from "./text.jsx";

const drawn = (object, world, className = "") => object && <div class={className}>{textObject(object, world)}</div>;

const BLOCKS = {
  section: (block, world, act) => (
    <>
      <div class="words">
        {drawn(block.text, world, "text")}
        {block.fields && <div class="fields">{block.fields.map((field) => drawn(field, world))}</div>}
      </div>
      {block.accessory && <div class="accessory"><Element block={block} element={block.accessory} world={world} act={act} /></div>}
    </>
  ),
  header: (block, world) => <h3>{textObject(block.text, world)}</h3>,
  context: (block, world, act) => block.elements.map((each) => (
    each.text?.trim ? drawn(each, world) : <Element block={block} element={each} world={world} act={act} />
  )),
  divider: () => <hr />,
  actions: (block, world, act) => block.elements.map((each) => <Element block={block} element={each} world={world} act={act} />),
  image: (block, world) => [drawn(block.title, world, "caption"), <Picture each={block} />],
  rich_text: (block, world) => block.elements.map((part) => RICH[part.type]?.(part, world) ?? <Unknown what="rich text" thing={part} />),
  markdown: (block) => markdown(block.text),
  table: (block, world) => table(block, world),
  data_table: (block, world) => table(block, world),
};

function table({ rows: [head, ...rows], column_settings: columns = [], caption }, world) {
  const cell = (each) => (each?.type === "rich_text" ? BLOCKS.rich_text(each, world) : plain(String(each?.text ?? each?.value ?? "")));
  const [title, align] = [caption?.text ?? caption, (n) => columns[n]?.align];
  return <Table head={head.map(cell)} rows={rows.map((row) => row.map(cell))} align={align} caption={title} />;
}

export function Blocks({ list, world, act }) {
  return list.map((block, n) => <Block key={block.block_id ?? n} block={block} world={world} act={act} />);
}

/** One block. What cannot be drawn is shown as what it is: it may be the part that matters. */
class Block extends Component {
  componentDidCatch(error) {
    console.warn("not a block as we know it", this.props.block, error);
    this.setState({ failed: true });
  }

  render({ block, world, act }, { failed }) {
    const [draw, wrong] = [BLOCKS[block.type], act.wrong(block)];
    let inside = null;
    try {
      inside = failed ? null : draw?.(block, world, act);
    } catch (error) {
      console.warn("not a block as we know it", block, error);
    }
    return (
      <>
        <div class={`block ${block.type}`}>{inside ?? <Unknown what="block" thing={block} />}</div>
        {wrong && <p class="wrong" role="alert">{signs(`⚠️ ${wrong}`)}</p>}
      </>
    );
  }
}

export function Unknown({ what, thing }) {
  return (
    <details class="unknown">
      <summary>{`This page does not draw the ${what} “${thing.type}”`}</summary>
      <pre>{JSON.stringify(thing, null, 2)}</pre>
    </details>
  );
}

/** From this machine only (the policy sees to it): any other is a link, so that reading a message calls nobody. */
export function Picture({ each }) {
  const [isGone, setGone] = useState(false);
  const url = webUrl(each.image_url);
  if (!url) return <Unknown what="picture" thing={each} />;
  if (isGone) return <Link to={url}>Picture: {each.alt_text}</Link>;
  return <img src={url} alt={each.alt_text} title={each.alt_text} onError={() => setGone(true)} />;
}

// --- rich text
const RICH = {
  rich_text_section: (part, world) => <div class="text">{richText(part.elements, world)}</div>,
  rich_text_quote: (part, world) => <blockquote>{richText(part.elements, world)}</blockquote>,
  rich_text_preformatted: (part, world) => <pre>{richText(part.elements, world)}</pre>,
  rich_text_list: ({ style, elements, indent = 0 }, world) => {
    const List = style === "ordered" ? "ol" : "ul";
    return <List class={`in${indent}`}>{elements.map((each) => <li>{richText(each.elements, world)}</li>)}</List>;
  },
};
const INLINE = {
  text: (piece) => signs(piece.text),
  link: (piece) => <Link to={piece.url}>{piece.text || piece.url}</Link>,
  user: (piece, world) => person(piece.user_id, world),
  channel: (piece, world) => channel(piece.channel_id, world),
  usergroup: (piece, world) => group(piece.usergroup_id, world),
  broadcast: (piece) => mention(`@${piece.range}`, true),
  emoji: (piece) => emoji(piece.name),
  date: (piece) => moment(piece.timestamp, piece.format, piece.fallback ?? "", piece.url),
};

function richText(pieces, world) {
  return pieces.map((piece) => {
    const styles = Object.keys(STYLES).filter((style) => piece.style?.[style]);
    const inner = INLINE[piece.type]?.(piece, world) ?? <Unknown what="rich text" thing={piece} />;
    return styles.reduce((node, style) => {
      const Style = STYLES[style];
      return <Style>{node}</Style>;
    }, inner);
  });
}
