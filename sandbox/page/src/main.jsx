// The sandbox page: the workspace as one person sees it. Puts the panes together, and starts what looks by itself.

import { effect, untracked } from "@preact/signals";
import { render } from "preact";
import { loadGrammar } from "./composer.jsx";
import { Confirm, Edit } from "./dialogs.jsx";
import { now } from "./message.jsx";
import { Panel, Strip, lookAgain, lookAtShop, panel, shop } from "./panel.jsx";
import { Channel, Thread } from "./panes.jsx";
import { Sidebar, stepChannel, unreadAnywhere } from "./sidebar.jsx";
import { current, isDrawn, listen, markRead, place, refresh, state } from "./state.js";
import { Tour, offerTour, spot } from "./tour.jsx";
import { Window } from "./window.jsx";
import "./page.css";

const LOOK = 4000; // milliseconds between looks at what is broken: others break things too

function App() {
  if (!state.value) return <p class="splash" role="status">Opening the workspace…</p>;
  const { thread, channel } = place.value;
  const hasThread = current.value.messages.some(({ ts }) => ts === thread);
  const view = panel.value ? "panel" : hasThread ? "thread" : channel ? "messages" : "channels";
  return (
    <div id="app" data-view={view} data-spot={spot()}>
      <a class="skip" href="#channel" onClick={skip}>Skip to the channel</a>
      <Strip />
      <Tour />
      <Sidebar />
      <Channel />
      <Thread />
      <Panel />
      <Window />
      <Confirm />
      <Edit />
      <p class="hidden" role="status">{unreadAnywhere()}</p>
    </div>
  );
}

function skip(event) {
  event.preventDefault();
  document.querySelector("#compose textarea, #home")?.focus();
}

function keys(event) {
  if (event.key === "Escape" && panel.value && !event.defaultPrevented && !document.querySelector("dialog[open]")) panel.value = "";
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key) || !state.value || !isDrawn.value) return;
  event.preventDefault();
  stepChannel(event.key === "ArrowUp" ? -1 : 1, event.shiftKey);
}

async function opened() {
  await Promise.all([lookAtShop(), loadGrammar()]);
}

render(<App />, document.getElementById("root"));
window.addEventListener("keydown", keys);
window.addEventListener("hashchange", () => { if (place.value.thread && panel.value === "break") panel.value = ""; });
document.addEventListener("visibilitychange", () => state.value && !document.hidden && markRead(current.value));
effect(() => { if (state.value && shop.value) untracked(offerTour); });
setInterval(() => { lookAgain(); now.value = Math.floor(Date.now() / 10000) * 10000; }, LOOK);
refresh();
listen(opened);
