// What the page knows: the address says who and where (#person/channel/thread), the stand-in says what there is,
// and every notice of it asks anew. Holds no truth of its own but what is not sent yet and what was read.

import { batch, computed, signal, untracked } from "@preact/signals";
import { tellTime } from "./text.jsx";

const HOME = "sre-daily"; // where a person who has chosen no channel looks
const BACKOFF = { first: 500, most: 8000 }; // milliseconds

function parse() {
  const [person = "", channel = "", thread = ""] = location.hash.slice(1).split("/");
  return { person, channel, thread };
}

export const place = signal(parse());
export const state = signal(null); // the newest answer of /_standin/state, and `of`: whom it was asked for
export const connection = signal("");
export const presses = signal({}); // "person/place/block" → {busy: action_id} or {wrong: text}
export const drafts = new Map(); // place → text not sent yet
export const arrivedAnywhere = !parse().channel; // nobody's address led here: a first visit, perhaps

/** Whether the screen shows what the person sees whom the address names. */
export const isDrawn = computed(() => state.value?.of === place.value.person);

export const href = (...parts) => `#${parts.join("/")}`;

export function go(...parts) {
  location.hash = href(...parts);
  place.value = parse(); // now: the event of the address comes later, and the answer later still
}

// --- who and what there is
export const userOf = (id) => state.value.users.find((user) => user.id === id);
export const bot = () => userOf(state.value.bot_user_id);
export const me = () => state.value.users.find((user) => user.name === state.value.of);
export const isBot = () => me().id === state.value.bot_user_id;
export const isSomebody = (user) => !user.is_bot && !user.deleted;
export const groupsOf = (user) => state.value.usergroups.filter(({ users }) => users.includes(user.id));
export const joined = (facts) => facts.filter(Boolean).join(" · ");
export const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
export const nameOf = (id) => (["slackbot", "USLACKBOT"].includes(id) ? "Slackbot" : userOf(id)?.real_name ?? id);
export const at = ({ ts }) => new Date(Number(ts) * 1000);
export const latestFirst = (a, b) => (a.ts < b.ts ? 1 : -1);

/** The direct message with the bot goes by the bot's name, because it need not exist yet. */
function directMessage() {
  const found = state.value.channels.find(({ kind, members }) => kind === "im" && members.includes(bot().id));
  const ref = `@${bot().name}`;
  const empty = { id: ref, kind: "im", messages: [], pins: [], bookmarks: [], members: [me().id, bot().id] };
  return { ...empty, ...found, ref, name: bot().real_name, title: bot().real_name };
}

export const rooms = computed(() => {
  const shown = state.value.channels.filter(({ kind }) => kind !== "im").sort((a, b) => a.name.localeCompare(b.name));
  return shown.map((room) => ({ ...room, ref: room.id, title: `${room.kind === "public" ? "#" : "🔒"}${room.name}` }));
});

export const everywhere = computed(() => (isBot() ? rooms.value : [...rooms.value, directMessage()]));

export const current = computed(() => {
  const all = everywhere.value;
  return all.find(({ ref }) => ref === place.value.channel) ?? all.find(({ name }) => name === HOME) ?? all[0];
});

const names = computed(() => JSON.stringify([state.value.of, state.value.users, state.value.usergroups,
  rooms.value.map(({ id, name, title }) => [id, name, title])]));

/** What the names in a text mean; another object only when a name is another. */
export const world = computed(() => {
  names.value;
  return untracked(() => {
    const byId = (list) => new Map(list.map((each) => [each.id, each]));
    const { users, usergroups, of } = state.value;
    return { me: me(), users: byId(users), groups: byId(usergroups), channels: byId(rooms.value), channelHref: (id) => href(of, id) };
  });
});

/** Names become ids, as Slack's own message box does it. */
export function withIds(text) {
  const known = new Map([["@here", "<!here>"], ["@channel", "<!channel>"], ["@everyone", "<!everyone>"]]);
  for (const { handle, id } of state.value.usergroups) known.set(`@${handle}`, `<!subteam^${id}>`);
  for (const { name, id } of state.value.users) known.set(`@${name}`, `<@${id}>`);
  for (const { name, id } of rooms.value) known.set(`#${name}`, `<#${id}>`);
  known.set("@sre", `<@${bot().id}>`);
  return text.replace(/(?<![\w<])[@#][a-z0-9_-]+(?:\.[a-z0-9_-]+)*/g, (name) => known.get(name) ?? name);
}

// --- what was read
const marks = signal(0);
const readMarks = () => JSON.parse(localStorage.getItem(`read/${state.value.of}`) ?? "{}");
export const whispers = (channel) => state.value.ephemerals.filter((each) => each.channel === channel.id);
const everything = (channel) => [...channel.messages.flatMap((each) => [each, ...each.replies]), ...whispers(channel)];

export function markRead(channel) {
  const latest = everything(channel).map(({ ts }) => ts).sort().at(-1);
  if (!latest || readMarks()[channel.ref] === latest) return;
  localStorage.setItem(`read/${state.value.of}`, JSON.stringify({ ...readMarks(), [channel.ref]: latest }));
  marks.value += 1;
}

export function forgetRead() {
  for (const key of Object.keys(localStorage).filter((each) => each.startsWith("read/"))) localStorage.removeItem(key);
}

/** How much others wrote since the channel was last looked at. */
export function unread(channel) {
  marks.value;
  const since = readMarks()[channel.ref] ?? "";
  return everything(channel).filter((each) => each.ts > since && (each.user !== me().id || each.is_ephemeral)).length;
}

// --- talking to the stand-in
export async function post(path, body) {
  const { person } = place.value;
  if (body.user && body.user !== person) throw new Error(`Nothing was sent: you are ${person} now.`);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
    throw new Error("The sandbox does not answer.");
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok || said.ok === false) throw new Error(said.error || `${path} answered ${answer.status}`);
  return said.result;
}

/** Of an endpoint that need not be there. */
export async function optional(path) {
  const answer = await fetch(path).catch(() => null);
  return answer?.ok ? answer.json().catch(() => null) : null;
}

let [asked, shown, timer] = [0, 0, 0];
let before = new Map();

export async function refresh() {
  const [turn, { person }] = [++asked, place.value];
  const answer = await fetch(`/_standin/state${person && `?user=${encodeURIComponent(person)}`}`).catch(() => null);
  if (!answer) return; // `listen` notices as well, and asks again when the connection is back
  const fresh = await answer.json();
  if (answer.status === 404) return location.replace("#"); // nobody of that name here
  if (!person) return location.replace(href(fresh.users.find(isSomebody).name));
  if (turn < shown || place.value.person !== person) return; // what is on the screen is newer
  shown = turn;
  tellTime(fresh.now * 1000);
  state.value = kept({ ...fresh, of: person });
}

/** A message that has not changed stays the same object, so nothing draws it again. */
function kept(fresh) {
  const now = new Map();
  const same = (scope) => (each) => {
    const [key, looks] = [`${scope}/${each.ts}`, JSON.stringify(each)];
    const old = before.get(key);
    now.set(key, old?.looks === looks ? old : { looks, each });
    return now.get(key).each;
  };
  for (const channel of fresh.channels) {
    for (const message of channel.messages) message.replies = message.replies.map(same(channel.id));
    channel.messages = channel.messages.map(same(channel.id));
  }
  fresh.ephemerals = fresh.ephemerals?.map(same("ephemeral")) ?? [];
  fresh.views ??= [];
  before = now;
  return fresh;
}

/** A burst of notices is one request, and a steady stream does not put it off. */
function soon() {
  timer ||= setTimeout(() => { timer = 0; refresh(); }, 50);
}

export function listen(onOpen, wait = BACKOFF.first) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/_standin/live`);
  socket.addEventListener("open", onOpen);
  socket.addEventListener("message", ({ data }) => {
    wait = BACKOFF.first;
    connection.value = "";
    soon();
    if (JSON.parse(data).kind === "sandbox") onOpen();
  });
  socket.addEventListener("close", () => {
    connection.value = "Connection lost. Trying again…";
    setTimeout(listen, wait * (0.5 + Math.random() / 2), onOpen, Math.min(wait * 2, BACKOFF.most));
  });
}

window.addEventListener("hashchange", () => {
  batch(() => { place.value = parse(); });
  if (!isDrawn.value) refresh();
});
