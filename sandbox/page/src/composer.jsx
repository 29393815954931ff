// The box in which one writes: drafts by place, completion by keyboard and mouse, what went wrong.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { NOTHING, complete } from "./completion.js";
import { refused } from "./message.jsx";
import { send } from "./sending.js";
import { drafts, isBot, optional, place, rooms, state } from "./state.js";
import { plain } from "./text.jsx";
import { noteSaid } from "./tour.jsx";

const grammar = signal(null);

export async function loadGrammar() {
  grammar.value ??= await optional("/grammar.json");
}

function names() {
  const { users, usergroups } = state.value;
  const people = users.filter(({ deleted }) => !deleted).map(({ name, real_name }) => ({ insert: `@${name} `, label: `@${name}`, detail: real_name }));
  const groups = [...usergroups.map(({ handle, name }) => [handle, name]), ["here", "everybody who is here"]];
  const channels = rooms.value.map(({ name, purpose }) => ({ insert: `#${name} `, label: `#${name}`, detail: purpose?.value }));
  return { people: [...people, ...groups.map(([name, detail]) => ({ insert: `@${name} `, label: `@${name}`, detail }))], channels };
}

/** Puts a text into a box, as if it were typed there, and goes there. */
export function fill(id, text) {
  const box = document.querySelector(`#${id} textarea`);
  if (!box) return;
  box.value = text;
  box.focus();
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

export function Composer({ id, channel, thread = "" }) {
  const key = [state.value.of, channel.ref, thread].join("/");
  const box = useRef();
  const [wrong, setWrong] = useState("");
  const [menu, setMenu] = useState({ ...NOTHING, chosen: -1 });
  const told = wrong || (!thread && refused.value[channel.id]) || "";

  const put = (text) => {
    box.current.value = text;
    grow(box.current);
    drafts.set(box.current.form.dataset.place, text);
  };
  const was = useRef();
  useLayoutEffect(() => {
    if (!box.current) return; // the bot has none
    put(drafts.get(key) ?? "");
    setWrong("");
    setMenu({ ...NOTHING, chosen: -1 });
    // On a phone the keyboard would cover what one came to read; and choosing a person goes on until one leaves it.
    const isMoved = was.current && document.activeElement?.id !== "people" && !document.activeElement?.closest("#breaking, #tour");
    if (isMoved && matchMedia("(min-width: 700px)").matches) box.current.focus();
    was.current = key;
  }, [key]);

  const look = () => {
    const { value, selectionStart } = box.current;
    const found = selectionStart === value.length ? complete(value, grammar.value, names()) : NOTHING;
    setMenu({ ...found, chosen: -1 });
  };
  useLayoutEffect(() => { if (box.current?.matches(":focus")) look(); }, [grammar.value]); // who types may be faster than it
  const take = (item) => {
    put(box.current.value.slice(0, menu.from) + item.insert);
    box.current.focus();
    look();
  };
  const submit = async (event) => {
    event?.preventDefault();
    const [text, from] = [box.current.value.trim(), key];
    if (!text) return;
    put("");
    setMenu({ ...NOTHING, chosen: -1 });
    setWrong("");
    refused.value = {};
    try {
      const began = state.value.now;
      setWrong((await send(text, channel.ref, thread)) ?? "");
      noteSaid(text, began);
    } catch (error) {
      setWrong(error.message);
      if (box.current?.form.dataset.place === from && !box.current.value) put(text); // to be tried again
    }
  };
  const keys = (event) => {
    if (event.isComposing) return;
    if (isOpen && inMenu(event, menu, setMenu, take)) return event.preventDefault();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    submit();
  };
  const isOpen = menu.items.length > 0 || menu.hint !== "";
  const optionId = (n) => `${id}-option-${n}`;
  if (isBot()) return <p class="note">This is what the bot sees. It writes by itself; to write, be somebody else.</p>;
  return (
    <form id={id} data-place={key} onSubmit={submit}>
      <p class="wrong" role="alert" hidden={!told}>{told}</p>
      <div class="complete" hidden={!isOpen}>
        {menu.hint && <p class="usage"><code>{menu.hint}</code></p>}
        <ul id={`${id}-options`} role="listbox" aria-label="Suggestions" hidden={!menu.items.length}>
          {menu.items.map((item, n) => (
            <li key={item.label} id={optionId(n)} role="option" aria-selected={n === menu.chosen} ref={n === menu.chosen ? inView : undefined}
              onMouseDown={(event) => event.preventDefault()} onClick={() => take(item)}>
              <b>{item.label}</b><span>{item.change && <span class="tag">changes</span>} {plain(item.detail ?? "")}</span>
            </li>
          ))}
        </ul>
        {menu.items.length > 0 && <p class="keys" aria-hidden="true"><kbd>↑</kbd> <kbd>↓</kbd> choose <kbd>Tab</kbd> take <kbd>Esc</kbd> close</p>}
      </div>
      <div class="box">
        <textarea rows="1" autocomplete="off" spellcheck={false} ref={box} placeholder={thread ? "@sre … or a reply" : "/sre …, @sre … or a message"}
          aria-label={thread ? "Reply in the thread" : `Message ${channel.name}`} aria-autocomplete="list" aria-controls={`${id}-options`}
          aria-activedescendant={menu.chosen >= 0 ? optionId(menu.chosen) : undefined}
          onInput={() => { put(box.current.value); look(); }} onKeyDown={keys} onBlur={() => setMenu({ ...NOTHING, chosen: -1 })} />
        <button class="button primary" aria-label="Send" title="Send"><svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d="M3 3l15 7-15 7 2.500-7z" fill="currentColor" /></svg></button>
      </div>
      <p class="hidden" role="status">{menu.items.length ? `${menu.items.length} suggestions` : ""}</p>
    </form>
  );
}

const inView = (node) => node?.scrollIntoView({ block: "nearest" });

function grow(box) {
  box.rows = Math.min(8, box.value.split("\n").length);
}

/** Enter takes only what was chosen with the arrows: who typed a whole line wants to send it. */
function inMenu({ key, shiftKey }, menu, setMenu, take) {
  const { items, chosen } = menu;
  if (key === "Escape") return setMenu({ ...NOTHING, chosen: -1 }) ?? true;
  if (!items.length || shiftKey) return false;
  if (key === "ArrowDown") return setMenu({ ...menu, chosen: (chosen + 1) % items.length }) ?? true;
  if (key === "ArrowUp") return setMenu({ ...menu, chosen: (chosen <= 0 ? items.length : chosen) - 1 }) ?? true;
  if (key === "Tab" || (key === "Enter" && chosen >= 0)) return take(items[Math.max(0, chosen)]) ?? true;
  return false;
}
