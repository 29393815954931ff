// Block Kit's elements: what can be pressed, chosen or typed. In a message a choice is sent at once; in a window it is
// kept by `act.typed` until the form is sent, and sent at once as well where the block says so.

import { useRef } from "preact/hooks";
import { Picture, Unknown } from "./blocks.jsx";
import { outside, plain, textObject, webUrl } from "./text.jsx";

/** `inputProps` are what a form adds: id, aria-invalid, aria-describedby, required. */
export function Element(props) {
  const Kind = KINDS[props.element.type];
  return Kind ? <Kind {...props} /> : <Unknown what="element" thing={props.element} />;
}

export const isDrawnHere = (type) => type in KINDS;

const KINDS = {
  image: ({ element }) => <Picture each={element} />,
  button: Button,
  overflow: Overflow,
  static_select: (props) => <Select {...props} options={optionsOf(props.element)} />,
  users_select: (props) => <Select {...props} options={people(props.world)} />,
  conversations_select: (props) => <Select {...props} options={channels(props.world)} />,
  channels_select: (props) => <Select {...props} options={channels(props.world)} />,
  multi_static_select: (props) => <Many {...props} options={optionsOf(props.element)} />,
  multi_users_select: (props) => <Many {...props} options={people(props.world)} />,
  multi_conversations_select: (props) => <Many {...props} options={channels(props.world)} />,
  multi_channels_select: (props) => <Many {...props} options={channels(props.world)} />,
  checkboxes: (props) => <Ticks {...props} kind="checkbox" />,
  radio_buttons: (props) => <Ticks {...props} kind="radio" />,
  datepicker: (props) => <Line {...props} kind="date" />,
  timepicker: (props) => <Line {...props} kind="time" />,
  datetimepicker: (props) => <Line {...props} kind="datetime-local" />,
  plain_text_input: (props) => (props.element.multiline ? <Words {...props} /> : <Line {...props} kind="text" />),
  email_text_input: (props) => <Line {...props} kind="email" />,
  url_text_input: (props) => <Line {...props} kind="url" />,
  number_input: (props) => <Line {...props} kind="number" />,
  rich_text_input: Words,
};

// --- what is chosen from
const option = ({ text, value, description }) => ({ value, text, description });
export const optionsOf = ({ options = [], option_groups: groups }) =>
  groups ? groups.map((each) => ({ label: each.label.text, options: each.options.map(option) })) : options.map(option);
const named = (value, text) => ({ value, text: { type: "plain_text", text } });
const people = ({ users }) => [...users.values()].filter(({ is_bot, deleted }) => !is_bot && !deleted)
  .map(({ id, real_name }) => named(id, real_name));
const channels = (world) => [...world.channels.values()].map(({ id, title }) => named(id, title));
const flat = (options) => options.flatMap((each) => each.options ?? [each]);

// --- what stands in an element before anybody touches it
const two = (text) => new Date((text - new Date(text * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16);

/** As the stand-in takes it: an option's value, an id, a date, seconds, or a list of them. */
export function initial(element) {
  const { initial_option: one, initial_options: many } = element;
  if (one) return one.value;
  if (many) return many.map(({ value }) => value);
  const [, value] = Object.entries(element).find(([name]) => name.startsWith("initial_")) ?? [];
  return value ?? null;
}

/** As Slack's client sends it: what was left open is nothing, not an empty choice. */
function sent(element, text) {
  if (!text) return null;
  if (element.type === "datetimepicker") return Math.floor(new Date(text).getTime() / 1000);
  if (element.type !== "rich_text_input") return text;
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] };
}

/** What the field shows: kept from typing, or the initial value; a time in the reader's own clock. */
function start({ block, element, act }) {
  const kept = act.kept?.(block, element);
  const value = kept === undefined ? initial(element) : kept;
  if (value && element.type === "datetimepicker") return two(value);
  return value && element.type === "rich_text_input" ? words(value) : value ?? "";
}

const words = (rich) => rich.elements.flatMap(({ elements }) => elements.map(({ text = "" }) => text)).join("");
const focusKey = ({ block, element }) => ({ "data-focus": `${block.block_id}/${element.action_id}` });
const label = ({ element, inputProps }) => (inputProps ? {} : { "aria-label": element.placeholder?.text || element.type.replaceAll("_", " ") });

/** Where a value goes: into the form, to the app, or both. */
function tell({ block, element, act }, value) {
  if (act.typed) act.typed(block, element, value);
  if (!act.typed || block.type !== "input" || block.dispatch_action) return act.press(block, element, value);
}

// --- the elements
function Button({ block, element, act }) {
  const [isBusy, url] = [act.isBusy(block, element), webUrl(element.url)];
  const isRefused = element.url && !url;
  const looks = {
    class: `button ${["primary", "danger"].includes(element.style) ? element.style : ""} ${isBusy ? "busy" : ""}`,
    title: isRefused ? `Not a web link: ${element.url}` : undefined,
    "aria-label": element.accessibility_label,
    "aria-busy": isBusy,
    onClick: () => isBusy || act.press(block, element), // Slack tells the app of link buttons too
    ...focusKey({ block, element }),
  };
  const text = plain(element.text.text);
  return url ? <a {...looks} {...outside(url)}>{text}</a> : <button type="button" {...looks} disabled={isRefused}>{text}</button>;
}

function Overflow({ block, element, act }) {
  const menu = useRef();
  const choose = ({ value, url }) => {
    menu.current.open = false;
    if (webUrl(url)) window.open(webUrl(url), "_blank", "noopener");
    act.press(block, element, value);
  };
  return (
    <details class="overflow" ref={menu} {...closing(menu)}>
      <summary class="button" aria-label="More actions" {...focusKey({ block, element })}>⋯</summary>
      <div class="menu">
        {element.options.map((each) => (
          <button type="button" class="choose" onClick={() => choose(each)}>
            {plain(each.text.text)}{each.description && <small>{plain(each.description.text)}</small>}
          </button>
        ))}
      </div>
    </details>
  );
}

/** A menu closes when the focus leaves it, and at Escape. A press on a label focuses what is around the menu. */
export const closing = (menu) => ({
  onFocusOut: ({ relatedTarget: next }) => {
    if (next && !menu.current.contains(next) && !next.contains(menu.current)) menu.current.open = false;
  },
  onKeyDown: (event) => {
    if (event.key !== "Escape" || !menu.current.open) return;
    event.stopPropagation();
    menu.current.open = false;
    menu.current.querySelector("summary").focus();
  },
});

function Select({ options, inputProps, ...props }) {
  const { block, element, act } = props;
  const [first, placeholder] = [start(props), element.placeholder?.text ?? "Choose…"];
  const change = async ({ target }) => {
    if (!target.value && block.type !== "input") return;
    await tell(props, target.value || null);
    if (!act.typed) target.value = first; // so that the same can be chosen again
  };
  const draw = ({ value, text, options: inner, label: title }) =>
    inner ? <optgroup label={title}>{inner.map(draw)}</optgroup> : <option value={value} selected={value === first}>{plain(text.text)}</option>;
  return (
    <select class="button" disabled={act.isBusy(block, element)} onChange={change} {...label({ element, inputProps })} {...focusKey(props)} {...inputProps}>
      {!initial(element) && <option value="" selected={!first}>{plain(placeholder)}</option>}
      {options.map(draw)}
    </select>
  );
}

/** Several of many: ticked in a list that opens, named in the line. */
function Many({ options, inputProps, ...props }) {
  const menu = useRef();
  const chosen = [].concat(start(props) || []);
  const known = flat(options);
  const title = known.filter(({ value }) => chosen.includes(value)).map(({ text }) => text.text).join(", ");
  const toggle = (value) => tell(props, chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value]);
  return (
    <details class="many" ref={menu} {...closing(menu)}>
      <summary class="button" {...focusKey(props)} {...described(inputProps)}>{plain(title || props.element.placeholder?.text || "Choose…")}</summary>
      <div class="menu">
        {known.map(({ value, text }) => (
          <label class="tick"><input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} /><span>{plain(text.text)}</span></label>
        ))}
      </div>
    </details>
  );
}

const described = (inputProps) => ({ id: inputProps?.id, "aria-describedby": inputProps?.["aria-describedby"] });

function Ticks({ kind, inputProps, ...props }) {
  const { block, element, world } = props;
  const chosen = [].concat(start(props) || []);
  const name = `${block.block_id}/${element.action_id}`;
  const toggle = ({ value }) => {
    if (kind === "radio") return tell(props, value);
    return tell(props, chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value]);
  };
  return (
    <div class="ticks" role={kind === "radio" ? "radiogroup" : "group"} aria-labelledby={inputProps?.["aria-labelledby"]} {...(inputProps ? {} : { "aria-label": "Choices" })}>
      {element.options.map((each) => (
        <label class="tick">
          <input type={kind} name={name} value={each.value} checked={chosen.includes(each.value)} onChange={() => toggle(each)} data-focus={`${name}/${each.value}`} />
          <span>{textObject(each.text, world)}{each.description && <small>{textObject(each.description, world)}</small>}</span>
        </label>
      ))}
    </div>
  );
}

function field(props) {
  const { element, act, inputProps } = props;
  const told = ({ target }) => tell(props, sent(element, target.value));
  const looks = { defaultValue: start(props), placeholder: element.placeholder?.text ?? "", ...label({ element, inputProps }), ...focusKey(props), ...inputProps };
  return act.typed ? { ...looks, autofocus: Boolean(element.focus_on_load), onInput: told } : { ...looks, onChange: told };
}

function Line({ kind, ...props }) {
  const { min_value: min, max_value: max, is_decimal_allowed: decimal, max_length: longest } = props.element;
  return <input type={kind} class="line" min={min} max={max} step={decimal ? "any" : undefined} maxLength={kind === "text" ? longest ?? 3000 : undefined} {...field(props)} />;
}

function Words(props) {
  return <textarea rows={4} class="line" maxLength={props.element.max_length ?? 3000} {...field(props)} />;
}
