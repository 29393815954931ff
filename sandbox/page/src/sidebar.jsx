// The left edge: who one is, the channels with what is unread in them, the ways to the look and to help.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bot, connection, counted, current, everywhere, go, groupsOf, href, isDrawn, isSomebody, joined, me, place, state, unread } from "./state.js";
import { plain } from "./text.jsx";
import { startTour } from "./tour.jsx";

const THEMES = { auto: "Look: as the system", light: "Look: light", dark: "Look: dark" };
const theme = signal(localStorage.getItem("theme") ?? "auto");

function wear(name) {
  theme.value = name;
  localStorage.setItem("theme", name);
}

export function Sidebar() {
  const here = current.value;
  useEffect(() => { document.title = `${here.title} · ${state.value.of} · SRE Bot sandbox`; }, [here.title, state.value.of]);
  useEffect(() => { document.documentElement.dataset.theme = theme.value; }, [theme.value]);
  return (
    <nav id="sidebar" aria-label="Channels">
      <p id="team">{state.value.team.name}</p>
      <People />
      <ul id="channels" inert={!isDrawn.value}>
        {sections().flatMap(([title, list]) => [
          <li key={title} class="over">{title}</li>,
          ...list.map((each) => <Line key={each.ref} each={each} isHere={each.ref === here.ref} />),
        ])}
      </ul>
      <p id="connection" role="status">{connection.value}</p>
      <footer>
        <label><span class="hidden">Look</span><select id="theme" value={theme.value} onChange={({ target }) => wear(target.value)}>
          {Object.entries(THEMES).map(([name, title]) => <option value={name}>{title}</option>)}
        </select></label>
        <button type="button" class="quiet" id="help" onClick={startTour}>Guided tour</button>
      </footer>
    </nav>
  );
}

function sections() {
  const [ims, all] = [[], []];
  for (const each of everywhere.value) (each.kind === "im" ? ims : all).push(each);
  const isIncident = ({ name, is_archived: isOver }) => /^(inc|sec)-/.test(name) && !isOver;
  const parts = [["Incidents", all.filter(isIncident)], ["Channels", all.filter((each) => !isIncident(each))], ["Direct messages", ims]];
  return parts.filter(([, list]) => list.length);
}

function People() {
  const shown = [...state.value.users.filter(isSomebody), bot()];
  const text = (user) => {
    const status = [user.is_restricted && "guest", user.is_stranger && "other company", user.is_bot && "only looking"];
    return joined([user.real_name, ...status]);
  };
  const groups = groupsOf(me());
  const choose = ({ target }) => go(target.value, place.value.channel);
  return (
    <>
    <label class="you">You are <select id="people" value={place.value.person} onChange={choose}>
      {shown.map((user) => <option key={user.name} value={user.name} selected={user.name === place.value.person}>{text(user)}</option>)}
    </select></label>
    <p class="groups">{groups.length ? `in ${groups.map(({ handle }) => `@${handle}`).join(", ")}` : "in no group"}</p>
    </>
  );
}

function Line({ each, isHere }) {
  const count = isHere ? 0 : unread(each);
  return (
    <li>
      <a href={href(state.value.of, each.ref)} data-name={each.name} class={count ? "unread" : each.is_archived ? "over-with" : ""} aria-current={isHere ? "page" : undefined}>
        <span class="name">{plain(each.title)}</span>
        {each.is_ext_shared && <span class="tag">shared</span>}
        {count > 0 && <span class="badge" role="img" aria-label={`${count} unread`}>{count}</span>}
      </a>
    </li>
  );
}

/** Alt+↑ and Alt+↓: the channel above and below, round and round; with Shift only those with something unread. */
export function stepChannel(step, isUnreadOnly) {
  const all = sections().flatMap(([, list]) => list).filter((each) => each === current.value || each.ref === current.value.ref || !isUnreadOnly || unread(each));
  const n = all.findIndex(({ ref }) => ref === current.value.ref);
  go(state.value.of, all[(n + step + all.length) % all.length].ref);
}

export const unreadAnywhere = () => {
  const count = everywhere.value.filter(({ ref }) => ref !== current.value.ref).reduce((sum, each) => sum + unread(each), 0);
  return count ? counted(count, "unread message", "unread messages") : "";
};
