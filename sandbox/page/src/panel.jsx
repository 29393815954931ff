// The right side when no thread is there: what can be broken and what is, the clock, the reset, and what is real.

import { computed, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { fill } from "./composer.jsx";
import { ask } from "./dialogs.jsx";
import { now } from "./message.jsx";
import { forgetRead, isBot, isDrawn, optional, place, post } from "./state.js";
import { AboutPanel } from "./panes.jsx";
import { ago, plain } from "./text.jsx";

export const panel = signal(""); // "", "break" or "about"
export const shop = signal(null); // GET /_sandbox/state; null where nobody serves it, and then nothing of it is shown
const trouble = signal("");
const doing = signal(""); // what takes a while: "reset" or "clock"

export const broken = computed(() => shop.value?.faults.filter(({ on }) => on) ?? []);

export async function lookAtShop() {
  const found = await optional("/_sandbox/state");
  if (found && shop.value && found.resets !== shop.value.resets) forgetRead(); // of a workspace that is gone
  shop.value = found;
}

export async function lookAgain() {
  if (shop.value && !document.hidden) await lookAtShop();
}

async function turn(path, body) {
  trouble.value = "";
  await post(`/_sandbox/${path}`, body).catch((error) => { trouble.value = error.message; });
  await lookAtShop();
}

async function wait(path, body) {
  doing.value = path;
  await turn(path, body);
  doing.value = "";
}

export const toggle = (name) => { panel.value = panel.value === name ? "" : name; };

// --- the strip on top: what is broken is always seen
export function Strip() {
  return (
    <header id="strip" hidden={!shop.value}>
      <b class="brand">SRE Bot sandbox</b>
      <ul id="broken" aria-label="Broken on purpose">
        {broken.value.map(({ name, title }) => (
          <li key={name}>{plain(`⚠️ ${title}`)} <button type="button" class="button" title={`Mend: ${title}`} onClick={() => turn("mend", { fault: name })}>Mend</button></li>
        ))}
        {shop.value && !broken.value.length && <li class="fine">{doing.value === "reset" ? "Starting over…" : "Nothing is broken."}</li>}
        {shop.value?.clock?.ahead && <li class="fine">The clock is {shop.value.clock.ahead} ahead.</li>}
      </ul>
      <button type="button" class="button" id="open-break" aria-expanded={panel.value === "break"} onClick={() => toggle("break")}>Break something…</button>
    </header>
  );
}

// --- the panel
export function Panel() {
  const pane = useRef();
  const of = panel.value;
  useEffect(() => { if (of) pane.current?.querySelector(".close")?.focus(); }, [of]);
  return (
    <aside id="breaking" aria-label={of === "about" ? "About this channel" : "Break things"} hidden={!of} inert={!isDrawn.value} ref={pane}>
      {of && <>
        <button type="button" class="close" aria-label="Close the panel" onClick={() => { panel.value = ""; }}>×</button>
        <div class="inside">{of === "about" ? <AboutPanel /> : <Breaking />}</div>
      </>}
    </aside>
  );
}

const GROUPS = { pods: "Pods", nodes: "Nodes", services: "Services", monitoring: "Monitoring", house: "The bot's own house" };

function Breaking() {
  if (!shop.value) return null;
  const { faults, backend } = shop.value;
  const groups = [...new Set(faults.map(({ group = "" }) => group))];
  return (
    <>
      <h2 class="panel-title">Break something</h2>
      <p class="wrong" role="alert" hidden={!trouble.value}>{trouble.value}</p>
      <p class="soft">Pods, metrics, logs and alerts follow by themselves; an alert takes some seconds.
        {backend?.pods > 0 && ` Backend: ${backend.ready} of ${backend.pods} pods ready.`}</p>
      {broken.value.length > 1 && <button type="button" class="button" id="mend-all" onClick={() => turn("mend", {})}>Mend all</button>}
      <div id="faults">
        {groups.map((group) => (
          <section class="part" key={group}>
            {group && <h3>{GROUPS[group] ?? group}</h3>}
            <ul>{faults.filter((each) => (each.group ?? "") === group).map((fault) => <Fault key={fault.name} {...fault} />)}</ul>
          </section>
        ))}
      </div>
      <World />
      <Real />
    </>
  );
}

/** `once` is a fault that is over as soon as it was made; `off` says why one cannot be had here. */
function Fault({ name, title, expect, on, since, once, last, off }) {
  now.value;
  const [isBusy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    await turn(on ? "mend" : "break", { fault: name });
    setBusy(false);
  };
  const when = on ? since : once && last;
  return (
    <li class={on ? "fault on" : "fault"} data-fault={name}>
      <div>
        <b>{plain(title)}</b>
        {(on || when) && <span class="since"> {on ? "broken" : "done"}{when && ` ${ago(new Date(when))}`}</span>}
        {expect && <p>{code(expect)}</p>}
        {off && <p>Not here: {off}</p>}
      </div>
      <button type="button" class={on ? "button primary" : "button"} aria-label={`${on ? "Mend" : "Break"}: ${title}`} disabled={isBusy || Boolean(off)} onClick={act}>{on ? "Mend" : "Break"}</button>
    </li>
  );
}

const code = (text) => text.split("`").map((part, n) => (n % 2 ? <code>{part}</code> : plain(part)));

// --- the clock and the reset, where they are offered
function World() {
  const { clock, resets } = shop.value;
  if (!clock && resets === undefined) return null;
  const reset = async () => {
    const text = "Everything is mended, the clock is right again, and every message is gone.";
    const asked = { title: { text: "Start over?" }, text: { type: "plain_text", text }, confirm: { text: "Start over" }, style: "danger" };
    if (await ask(asked)) await wait("reset", {});
  };
  return (
    <section class="part" id="world">
      {clock && <>
        <h3>Time</h3>
        <p class="soft">{clock.off || `For what takes hours: reminders, clocks of incidents, windows. ${clock.ahead ? `Now ${clock.ahead} ahead.` : "It is now."}`}</p>
        {!clock.off && <p class="row">{clock.steps.map((step) => (
          <button type="button" class="button" disabled={Boolean(doing.value)} aria-label={`Move the clock on by ${step}`} onClick={() => wait("clock", { skip: step })}>+{step}</button>
        ))}</p>}
      </>}
      {resets !== undefined && <>
        <h3>From the start</h3>
        <p class="row"><button type="button" class="button danger" id="reset" disabled={Boolean(doing.value)} onClick={reset}>{doing.value === "reset" ? "Starting over…" : "Start over…"}</button></p>
      </>}
    </section>
  );
}

function Real() {
  const { parts = [], try: lines = [] } = shop.value;
  const tag = ({ real, missing }) => (missing ? <span class="tag">missing</span> : <span class={real ? "tag real" : "tag"}>{real ? "real" : "stand-in"}</span>);
  return (
    <section class="part" id="about">
      <h3>What is real here</h3>
      <ul id="about-more">{parts.map((part) => (
        <li><b>{part.name}</b> {tag(part)}<p>{part.note}</p>{part.replace && <p>The real one: <code>{part.replace}</code></p>}</li>
      ))}</ul>
      {!isBot() && place.value.thread !== "home" && lines.length > 0 && <>
        <h3>Lines to try</h3>
        <p class="row">{lines.map((line) => <button type="button" class="button" onClick={() => fill("compose", line)}>{line}</button>)}</p>
      </>}
    </section>
  );
}
