// The guided tour: five steps of an on-call shift. Each looks at what really is and is over when it was done, whoever
// did it and however. It stands in the page's own flow, so it covers nothing, and can be left at any time.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { fill } from "./composer.jsx";
import { broken, panel, shop } from "./panel.jsx";
import { arrivedAnywhere, current, everywhere, go, place, state, userOf } from "./state.js";

const KEPT = "tour"; // in localStorage: {step, since} or "over"
const HEALTH = "/sre health";
const CHANGE = "/sre restart backend --why tour";

const tour = signal(null); // {step, since}: since when this step's deeds count, in the workspace's seconds
const said = signal(null); // the last line typed here, and when

export const noteSaid = (text, ts) => { said.value = { text, ts }; };

function keep(value) {
  tour.value = value;
  localStorage.setItem(KEPT, value ? JSON.stringify(value) : "over");
}

export function startTour() {
  keep({ step: 0, since: state.value.now });
}

/** For who comes for the first time, or left in the middle; never for who follows an address to somewhere. */
export function offerTour() {
  const kept = localStorage.getItem(KEPT);
  if (tour.value || kept === "over" || !shop.value) return;
  if (kept) tour.value = JSON.parse(kept);
  else if (arrivedAnywhere) startTour();
}

// --- what there is to see
const room = (name) => everywhere.value.find((each) => each.name === name);
const everyMessage = () => everywhere.value.flatMap(({ messages }) => messages);
const ofBot = ({ user }) => user === state.value.bot_user_id;
const wordsOf = ({ blocks = [], text }) => JSON.stringify([text, blocks]);
const isCard = (message) => ofBot(message) && message.metadata?.event_payload?.card?.startsWith("request:");
const isLater = ({ ts }) => Number(ts) >= tour.value.since - 1;
const asked = () => everyMessage().filter((each) => isCard(each) && isLater(each) && /asked by <@/.test(wordsOf(each)));
const isWaiting = (message) => message.blocks?.some(({ elements }) => elements?.some(({ action_id: id }) => id === "approve"));
const requester = (message) => /asked by <@(\w+)/.exec(wordsOf(message))?.[1];
const approver = (message) => /approved by <@(\w+)/.exec(wordsOf(message))?.[1];

const STEPS = [
  {
    title: "Ask how things are",
    spot: "compose",
    text: () => <>Type <code>{HEALTH}</code> in the box and press Enter. The answer comes as one card; the details are in its thread.</>,
    show: () => { go(state.value.of, room("sre-daily").ref); later(() => fill("compose", HEALTH)); },
    isDone: () => said.value?.text.startsWith(HEALTH) && everyMessage().some((each) => ofBot(each) && Number(each.ts) >= said.value.ts && /health/.test(each.text)),
  },
  {
    title: "Break the shop",
    spot: "break",
    text: () => <>Open <b>Break something…</b> and break anything, for example <b>Crash loop of a backend pod</b>.</>,
    show: () => { panel.value = "break"; },
    isDone: () => broken.value.length > 0,
  },
  {
    title: "Read the alert",
    spot: "alerts",
    text: () => <>Within a minute the alert arrives in <b>#sre-alerts</b> by itself. Open its thread: the probable cause is there, with the logs.</>,
    show: () => { panel.value = ""; go(state.value.of, room("sre-alerts").ref); },
    isDone: () => {
      const [here, { thread }] = [current.value, place.value];
      return here.name === "sre-alerts" && !panel.value && here.messages.some((each) => each.ts === thread && ofBot(each));
    },
  },
  {
    title: "Ask for a change, and be refused",
    spot: "people compose",
    text: () => {
      const card = asked().findLast(isWaiting);
      if (card && userOf(requester(card))?.name === state.value.of) return <>The plan is on the card. Press <b>Approve</b>: your own request is not yours to approve.</>;
      if (state.value.of !== "alice") return <>Be <b>Alice</b> (“You are”, at the left), who may ask for changes.</>;
      return <>In <b>#sre-daily</b>, ask to restart the backend: <code>{CHANGE}</code>. When the card is there, press <b>Approve</b>.</>;
    },
    show: () => { go("alice", room("sre-daily").ref); if (!asked().some(isWaiting)) later(() => fill("compose", CHANGE)); },
    isDone: () => state.value.ephemerals.some((each) => isLater(each) && /somebody else must approve/.test(each.text)),
  },
  {
    title: "Approve it as somebody else",
    spot: "people",
    text: () => (state.value.of === "bob"
      ? <>Read the plan and press <b>Approve</b>. Then watch: each step is checked while it is made.</>
      : <>Choose <b>Bob Approver</b> under “You are”. Four eyes: he sees the same card, and may say yes.</>),
    show: () => go("bob", room("sre-daily").ref),
    isDone: () => everyMessage().some((each) => isCard(each) && Number(each.ts) >= tour.value.since - 3600 && approver(each) && approver(each) !== requester(each)),
  },
];

const later = (act) => setTimeout(act, 400); // the channel is drawn first

function next() {
  const { step } = tour.value;
  keep({ step: step + 1, since: state.value.now });
}

export const spot = () => (tour.value && STEPS[tour.value.step]?.spot) ?? "";

export function Tour() {
  const open = tour.value;
  const isDone = open && state.value && STEPS[open.step]?.isDone();
  useEffect(() => { if (isDone) next(); }, [isDone, open?.step]);
  if (!open) return null;
  const step = STEPS[open.step];
  return (
    <section id="tour" aria-label="Guided tour">
      <ol class="dots" aria-hidden="true">{STEPS.map((each, n) => <li class={n < open.step ? "done" : n === open.step ? "now" : ""} />)}</ol>
      <div role="status">
        {step
          ? <><b>{open.step + 1} of {STEPS.length} · {step.title}.</b> {step.text()}</>
          : <><b>That was a shift.</b> Mend what you broke, look at the incident and change commands with <code>/sre help</code>, or break something worse.</>}
      </div>
      <p class="row">
        {step && <button type="button" class="button primary" id="tour-show" onClick={step.show}>Show me</button>}
        {step && <button type="button" class="button" id="tour-next" onClick={next}>Next step</button>}
        <button type="button" class="button" id="tour-end" onClick={() => keep(null)}>{step ? "Leave the tour" : "Close"}</button>
      </p>
    </section>
  );
}
