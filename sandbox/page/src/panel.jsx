// The right side when no thread is there: what can be broken and what is, the clock, the reset, and what is real.

import { computed, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { fill } from "./composer.jsx";
import { ask } from "./dialogs.jsx";
import { now } from "./message.jsx";
import { isBot, isDrawn, optional, place, post } from "./state.js";
import { AboutPanel } from "./panes.jsx";
import { ago, plain } from "./text.jsx";

export const panel = signal(""); // "", "break" or "about"
export const shop = signal(null); // GET /_sandbox/faults; null where nobody serves it
export const told = signal(null); // GET /_sandbox/about
const trouble = signal("");

export const broken = computed(() => shop.value?.faults.filter(({ on }) => on) ?? []);

/** Both are optional: 404 hides them. */
export async function lookAtShop() {
  [told.value, shop.value] = await Promise.all([optional("/_sandbox/about"), optional("/_sandbox/faults")]);
}

export async function lookAgain() {
  if (shop.value && !document.hidden) shop.value = (await optional("/_sandbox/faults")) ?? shop.value;
}

async function turn(path, body) {
  trouble.value = "";
  await post(`/_sandbox/${path}`, body).catch((error) => { trouble.value = error.message; });
  await lookAgain();
}

export const toggle = (name) => { panel.value = panel.value === name ? "" : name; };

// --- the strip on top: what is broken is always seen
export function Strip() {
  return (
    <header id="strip" hidden={!shop.value && !told.value}>
      <b class="brand">SRE Bot sandbox</b>
      <ul id="broken" aria-label="Broken on purpose">
        {broken.value.map(({ name, title }) => (
          <li key={name}>{plain(`⚠️ ${title}`)} <button type="button" class="button" title={`Mend: ${title}`} onClick={() => turn("mend", { fault: name })}>Mend</button></li>
        ))}
        {shop.value && !broken.value.length && <li class="fine">The shop is fine.</li>}
      </ul>
      <button type="button" class="button" id="open-break" aria-expanded={panel.value === "break"} onClick={() => toggle("break")}>
        {shop.value ? "Break something…" : "What is real here"}
      </button>
    </header>
  );
}

// --- the panel
export function Panel() {
  const pane = useRef();
  const of = panel.value;
  useEffect(() => { if (of) pane.current?.querySelector(".close")?.focus(); }, [of]);
  const leave = ({ key }) => { if (key === "Escape") panel.value = ""; };
  return (
    <aside id="breaking" aria-label={of === "about" ? "About this channel" : "Break things"} hidden={!of} inert={!isDrawn.value} ref={pane} onKeyDown={leave}>
      {of && <>
        <button type="button" class="close" aria-label="Close the panel" onClick={() => { panel.value = ""; }}>×</button>
        <div class="inside">{of === "about" ? <AboutPanel /> : <Breaking />}</div>
      </>}
    </aside>
  );
}

function Breaking() {
  return (
    <>
      <h2 class="panel-title">{shop.value ? "Break something" : "What is real here"}</h2>
      <p class="wrong" role="alert" hidden={!trouble.value}>{trouble.value}</p>
      {shop.value && <Faults />}
      {shop.value && <World />}
      {told.value && <Real />}
    </>
  );
}

function Faults() {
  const { faults, backend } = shop.value;
  const groups = Map.groupBy ? Map.groupBy(faults, ({ group }) => group ?? "") : grouped(faults);
  return (
    <>
      <p class="soft">What happens is real: pods, metrics, logs and alerts follow. Alerts need some seconds.
        {backend && ` Backend: ${backend.ready} of ${backend.pods} pods ready.`}</p>
      {[...groups].map(([group, list]) => (
        <section class="part" key={group}>
          {group && <h3>{group}</h3>}
          <ul id={group ? undefined : "faults"} class="faults">{list.map((fault) => <Fault key={fault.name} {...fault} />)}</ul>
        </section>
      ))}
      {broken.value.length > 1 && <button type="button" class="button" id="mend-all" onClick={() => turn("mend", {})}>Mend all</button>}
    </>
  );
}

function grouped(faults) {
  const groups = new Map();
  for (const fault of faults) groups.set(fault.group ?? "", [...(groups.get(fault.group ?? "") ?? []), fault]);
  return groups;
}

function Fault({ name, title, expect, on, since }) {
  now.value;
  const [isBusy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    await turn(on ? "mend" : "break", { fault: name });
    setBusy(false);
  };
  return (
    <li class={on ? "fault on" : "fault"} data-fault={name}>
      <div>
        <b>{plain(title)}</b>
        {on && <span class="since"> broken{since ? ` ${ago(new Date(since))}` : ""}</span>}
        {expect && <p>{code(expect)}</p>}
      </div>
      <button type="button" class={on ? "button primary" : "button"} aria-label={`${on ? "Mend" : "Break"}: ${title}`} disabled={isBusy} onClick={act}>{on ? "Mend" : "Break"}</button>
    </li>
  );
}

const code = (text) => text.split("`").map((part, n) => (n % 2 ? <code>{part}</code> : plain(part)));

// --- the clock and the reset, where they are offered
const SPEEDS = [1, 5, 20, 60];

function World() {
  const { clock, can_reset: canReset } = shop.value;
  if (!clock && !canReset) return null;
  const reset = async () => {
    const asked = { title: { text: "Start over?" }, text: { type: "plain_text", text: "Everything is mended, and every message is gone." } };
    if (await ask({ ...asked, confirm: { text: "Start over" }, style: "danger" })) await turn("reset", {});
  };
  return (
    <section class="part" id="world">
      <h3>Time and start</h3>
      {clock && <p class="row">
        <label>Time goes <select id="speed" value={String(clock.speed)} onChange={({ target }) => turn("clock", { speed: Number(target.value) })}>
          {[...new Set([...SPEEDS, clock.speed])].sort((a, b) => a - b).map((each) => <option value={String(each)}>{each === 1 ? "as it does" : `${each} times as fast`}</option>)}
        </select></label>
        {[15, 60].map((minutes) => <button type="button" class="button" onClick={() => turn("clock", { skip: minutes * 60 })}>+{minutes} min</button>)}
      </p>}
      {canReset && <button type="button" class="button danger" id="reset" onClick={reset}>Start over…</button>}
    </section>
  );
}

function Real() {
  const tag = ({ real, missing }) => (missing ? <span class="tag">missing</span> : <span class={real ? "tag real" : "tag"}>{real ? "real" : "stand-in"}</span>);
  return (
    <section class="part" id="about">
      <h3>What is real here</h3>
      <ul id="about-more">{told.value.parts.map((part) => <li><b>{part.name}</b> {tag(part)}<p>{part.note}</p></li>)}</ul>
      {!isBot() && place.value.thread !== "home" && (told.value.try ?? []).length > 0 && <>
        <h3>Lines to try</h3>
        <p class="row">{told.value.try.map((line) => <button type="button" class="button" onClick={() => fill("compose", line)}>{line}</button>)}</p>
      </>}
    </section>
  );
}
