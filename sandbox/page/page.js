// The sandbox page: the workspace as one person sees it. Holds no truth of its own: the address says who and
// where (#person/channel/thread), the stand-in says what there is, and every notice of it draws anew.

import { blocks, clock, day, el, emoji, link, mrkdwn, plain, textObject, unknown } from "./blocks.js";
import { drawWindow } from "./window.js";

const $ = (id) => document.getElementById(id);
const HOME = "sre-daily"; // where a person who has chosen no channel looks
const BACKOFF = { first: 500, most: 8000 }; // milliseconds

const openFiles = new Set(); // ids of the files that are read here: a message is drawn anew when it changes
let state = null; // the newest answer of /_standin/state, and `of`: whom it was asked for
const presses = new Map(); // "person/channel/ts/block" → {busy: action_id} or {wrong: text}; known to this page only
const drafts = new Map(); // place → text not sent yet

// --- where we are
function place() {
  const [person = "", channel = "", thread = ""] = location.hash.slice(1).split("/");
  return { person, channel, thread };
}

/** Whether the screen shows what the person sees whom the address names. */
const isDrawn = () => state?.of === place().person;

/** Nobody acts as somebody else: until the person who was chosen is drawn, only the choice can be touched. */
function guard() {
  for (const id of ["about-more", "channels", "channel", "thread", "window", "confirm", "edit"]) $(id).inert = !isDrawn();
  if (!isDrawn()) for (const id of ["confirm", "edit"]) $(id).close(); // what is asked there was asked of the one before
}

const href = (...parts) => `#${parts.join("/")}`;
const userOf = (id) => state.users.find((user) => user.id === id);
const bot = () => userOf(state.bot_user_id);
const me = () => state.users.find((user) => user.name === state.of);
const joined = (facts) => facts.filter(Boolean).join(" · ");
const nameOf = (id) => (["slackbot", "USLACKBOT"].includes(id) ? "Slackbot" : userOf(id)?.real_name ?? id);

/** The direct message with the bot goes by the bot's name, because it need not exist yet. */
function directMessage() {
  const found = state.channels.find(({ kind, members }) => kind === "im" && members.includes(bot().id));
  const ref = `@${bot().name}`;
  const empty = { id: ref, kind: "im", messages: [], pins: [], bookmarks: [], members: [me().id, bot().id] };
  return { ...empty, ...found, ref, name: bot().real_name, title: bot().real_name };
}

function rooms() {
  const shown = state.channels.filter(({ kind }) => kind !== "im").sort((a, b) => a.name.localeCompare(b.name));
  return shown.map((room) => ({ ...room, ref: room.id, title: `${room.kind === "public" ? "#" : "🔒"}${room.name}` }));
}

function current() {
  const all = [...rooms(), directMessage()];
  return all.find(({ ref }) => ref === place().channel) ?? all.find(({ name }) => name === HOME) ?? all[0];
}

function world() {
  const byId = (list) => new Map(list.map((each) => [each.id, each]));
  const [users, groups, channels] = [state.users, state.usergroups, rooms()].map(byId);
  return { me: me(), users, groups, channels, channelHref: (id) => href(state.of, id) };
}

// --- talking to the stand-in
async function post(path, body) {
  if (body.user && body.user !== place().person) throw new Error(`Nothing was sent: you are ${place().person} now.`);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
    throw new Error("The sandbox does not answer.");
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok || said.ok === false) throw new Error(said.error || `${path} answered ${answer.status}`);
  return said.result;
}

let [asked, shown, timer] = [0, 0, 0];

async function refresh() {
  const [turn, { person }] = [++asked, place()];
  const answer = await fetch(`/_standin/state${person && `?user=${encodeURIComponent(person)}`}`).catch(() => null);
  if (!answer) return; // `listen` notices as well, and asks again when the connection is back
  const fresh = await answer.json();
  if (answer.status === 404) return location.replace("#"); // nobody of that name here
  if (!person) return location.replace(href(fresh.users.find(isSomebody).name));
  if (turn < shown || place().person !== person) return; // what is on the screen is newer
  shown = turn;
  state = { ...fresh, of: person };
  draw();
}

/** A burst of notices is one request, and a steady stream does not put it off. */
function soon() {
  timer ||= setTimeout(() => { timer = 0; refresh(); }, 50);
}

function listen(wait = BACKOFF.first) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/_standin/live`);
  socket.addEventListener("open", drawStrip);
  socket.addEventListener("message", () => {
    wait = BACKOFF.first;
    $("connection").textContent = "";
    soon();
  });
  socket.addEventListener("close", () => {
    $("connection").textContent = "Connection lost. Trying again…";
    setTimeout(listen, wait * (0.5 + Math.random() / 2), Math.min(wait * 2, BACKOFF.most));
  });
}

// --- drawing
/** An item that has not changed keeps its node, so focus and a screen reader's place survive. */
function sync(list, items, drawItem) {
  const before = new Map([...list.children].map((node) => [node.key, node]));
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const nodes = items.map((item) => {
    const [looks, old] = [JSON.stringify(item), before.get(item.key)];
    return old?.looks === looks ? old : Object.assign(drawItem(item), { key: item.key, looks });
  });
  const kept = new Set(nodes);
  for (const node of before.values()) if (!kept.has(node)) node.remove();
  nodes.forEach((node, n) => list.children[n] === node || list.insertBefore(node, list.children[n] ?? null));
  const again = focused && !list.contains(document.activeElement) && `[data-focus="${CSS.escape(focused)}"]`;
  if (again) list.querySelector(again)?.focus();
}

function draw() {
  guard();
  if (!isDrawn()) return; // the answer for who was chosen is on its way, and draws
  const channel = current();
  if (!document.hidden) markRead(channel);
  drawSidebar(channel);
  drawChannel(channel);
  drawThread(channel, place().thread);
  drawWindow(state.views.at(-1), { user: state.of, world: world(), post, sync, draw });
  document.body.dataset.view = !$("thread").hidden ? "thread" : place().channel ? "messages" : "channels";
}

// --- who and which channel
const isSomebody = (user) => !user.is_bot && !user.deleted;
const groupsOf = (user) => state.usergroups.filter(({ users }) => users.includes(user.id));

function drawSidebar(channel) {
  $("team").textContent = state.team.name;
  const people = state.users.filter(isSomebody).map((user) => {
    const status = [user.is_restricted && "guest", user.is_stranger && "other company"];
    return { key: user.name, text: joined([user.real_name, ...status, ...groupsOf(user).map(({ handle }) => handle)]) };
  });
  sync($("people"), people, ({ key, text }) => el("option", { value: key }, text));
  $("people").value = state.of;
  const line = (each) => ({
    key: each.ref, title: each.title, isShared: each.is_ext_shared, isHere: each.ref === channel.ref,
    href: href(state.of, each.ref), count: unread(each),
  });
  const [over, under] = [{ key: "1", over: "Channels" }, { key: "2", over: "Direct messages" }];
  const lines = [over, ...rooms().map(line), under, line(directMessage())];
  sync($("channels"), lines, (item) => (item.over ? el("li", { className: "over" }, item.over) : channelLine(item)));
  document.title = `${channel.title} · ${state.of} · SRE Bot sandbox`;
}

function channelLine({ key, href: target, title, isShared, isHere, count }) {
  const looks = { href: target, className: count ? "unread" : "", "data-focus": key };
  if (isHere) looks["aria-current"] = "page";
  return el("li", {}, el("a", looks,
    el("span", { className: "name" }, plain(title)),
    isShared && el("span", { className: "tag" }, "shared"),
    count > 0 && el("span", { className: "badge", role: "img", "aria-label": `${count} unread` }, String(count)),
  ));
}

const readMarks = () => JSON.parse(localStorage.getItem(`read/${state.of}`) ?? "{}");
const whispers = (channel) => state.ephemerals.filter((each) => each.channel === channel.id);
const everything = (channel) => [...channel.messages.flatMap((each) => [each, ...each.replies]), ...whispers(channel)];

function markRead(channel) {
  const latest = everything(channel).map(({ ts }) => ts).sort().at(-1);
  if (latest) localStorage.setItem(`read/${state.of}`, JSON.stringify({ ...readMarks(), [channel.ref]: latest }));
}

/** How much others wrote since the channel was last looked at. */
function unread(channel) {
  const since = readMarks()[channel.ref] ?? "";
  return everything(channel).filter((each) => each.ts > since && (each.user !== me().id || each.is_ephemeral)).length;
}

// --- the two panes
const at = ({ ts }) => new Date(Number(ts) * 1000);
const oldestFirst = (messages) => messages.sort((a, b) => (a.ts < b.ts ? -1 : 1));
const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function drawChannel(channel) {
  $("channel-name").replaceChildren(...plain(channel.title));
  $("channel-about").replaceChildren(...about(channel));
  $("to-channels").href = href(state.of);
  const shown = oldestFirst([...channel.messages, ...whispers(channel).filter(({ thread_ts }) => !thread_ts)]);
  const items = timeline(shown, channel, false);
  if (!items.length) items.push({ key: "nothing", note: "Nothing here yet. Try /sre help." });
  show($("messages"), channel.ref, items);
  settle($("compose"), channel, "");
}

function about(channel) {
  const told = channel.topic?.value || channel.purpose?.value || "Only you and the bot";
  const pinned = channel.pins.length > 0 && `${channel.pins.length} pinned`;
  const facts = [told, counted(channel.members.length, "member", "members"), pinned, channel.is_archived && "archived"];
  return [...plain(joined(facts)), ...channel.bookmarks.flatMap((each) => [" · ", link(each.link, each.title)])];
}

function drawThread(channel, thread) {
  const parent = channel.messages.find(({ ts }) => ts === thread);
  $("thread").hidden = !parent;
  if (!parent) return;
  $("thread-about").replaceChildren(...plain(channel.title));
  $("close-thread").href = href(state.of, channel.ref);
  const replies = oldestFirst([...parent.replies, ...whispers(channel).filter(({ thread_ts }) => thread_ts === thread)]);
  const rule = { key: "rule", rule: replies.length ? counted(replies.length, "reply", "replies") : "No replies yet" };
  show($("replies"), thread, [...timeline([parent], channel, true), rule, ...timeline(replies, channel, true)]);
  settle($("reply"), channel, thread);
}

/** The log is turned around (page.css): its 0 is the newest message, and there it stays unless one scrolls up. */
function show(list, of, items) {
  const log = list.parentElement;
  sync(list, items, drawItem);
  if (log.dataset.of !== of) log.scrollTop = 0;
  log.dataset.of = of;
}

/** Messages as items, with a rule where the day changes. Whatever should cause a redraw is in the item. */
function timeline(messages, { id, ref }, isThread) {
  const names = [state.of, ...state.users.map(({ real_name }) => real_name), ...rooms().map(({ title }) => title)].join();
  return messages.flatMap((message, n) => {
    const [date, before] = [day(at(message)), messages[n - 1]];
    const isNewDay = !isThread && (!before || day(at(before)) !== date);
    const pressed = [...presses].filter(([key]) => key.startsWith(`${state.of}/${id}/${message.ts}/`));
    const own = whispers({ id }).filter(({ thread_ts }) => thread_ts === message.ts).length;
    const item = { key: message.ts, message, isThread, pressed, own, names, channel: id, ref };
    return isNewDay ? [{ key: `day ${date}`, rule: date }, item] : [item];
  });
}

// --- one line of a pane
function drawItem(item) {
  if (item.rule) return el("li", { className: "rule" }, el("span", {}, item.rule));
  if (item.note) return el("li", { className: "note" }, item.note);
  return messageLine(item);
}

function messageLine(item) {
  const { message } = item;
  const whose = !message.is_ephemeral ? message.user ?? message.bot_id : message.source === "slackbot" ? "slackbot" : bot().id;
  const name = message.username ?? nameOf(whose);
  const when = { dateTime: at(message).toISOString(), title: at(message).toLocaleString() };
  const kinds = { whisper: message.is_ephemeral, pinned: message.pinned_to, notice: !isSaid(message) };
  const avatar = el("span", { className: "avatar", "aria-hidden": "true" }, name[0]);
  avatar.style.background = `hsl(${[...whose].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 0) % 360} 40% 42%)`;
  const app = (userOf(whose)?.is_bot || !message.user) && el("span", { className: "tag" }, "app");
  const hasThread = !item.isThread && !message.is_ephemeral && !message.reply_count;
  return el("li", { className: `message ${Object.keys(kinds).filter((kind) => kinds[kind]).join(" ")}` },
    message.is_ephemeral && el("p", { className: "mark" }, plain("👀 Only visible to you")),
    message.pinned_to && el("p", { className: "mark" }, plain("📌 Pinned")),
    avatar,
    el("div", { className: "byline" }, el("b", {}, name), app, el("time", when, clock(at(message)))),
    el("div", { className: "body" }, body(item)),
    el("div", { className: "tools" }, hasThread && threadLink(item, "tool", "Reply in thread"), menu(item)),
  );
}

/** Said by somebody, and not a line that Slack writes itself: who joined, what was renamed or deleted. */
const isSaid = ({ subtype }) => [undefined, "bot_message", "thread_broadcast"].includes(subtype);

/** What a person may do with a message. */
function menu({ channel, message }) {
  const { ts, user, reactions = [], pinned_to: pins } = message;
  if (message.is_ephemeral || !isSaid(message)) return null;
  const marked = reactions.some(({ name, users }) => name === "pushpin" && users.includes(me().id));
  const entry = (label, what, fields = {}) => {
    const onclick = () => amend(what, { channel, ts, ...fields });
    return el("button", { type: "button", className: "choose", onclick }, plain(label));
  };
  const own = user === me().id && [
    el("button", { type: "button", className: "choose", onclick: () => rewrite(channel, message) }, "Edit"),
    el("button", { type: "button", className: "choose", onclick: () => remove(channel, ts) }, "Delete"),
  ];
  return el("details", { className: "tool" },
    el("summary", { "aria-label": "More for this message", "data-focus": `more ${ts}` }, "⋯"),
    entry(marked ? "Take 📌 back" : "React 📌", marked ? "unreact" : "react", { emoji: "pushpin" }),
    entry(pins ? "Unpin" : "Pin", pins ? "unpin" : "pin"),
    own,
  );
}

async function amend(what, fields, user = state.of) {
  const told = complain($("compose"));
  await post(`/_standin/${what}`, { user, ...fields }).then(() => told(), told);
}

async function remove(channel, ts, user = state.of) {
  const asked = { title: { text: "Delete this message?" }, text: { type: "plain_text", text: "It cannot be taken back." } };
  if (await confirmed({ ...asked, confirm: { text: "Delete" }, style: "danger" })) await amend("delete", { channel, ts }, user);
}

function rewrite(channel, { ts, text }, user = state.of) {
  const [dialog, box] = [$("edit"), $("edit").querySelector("textarea")];
  box.value = text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);
  dialog.onsubmit = ({ submitter }) => {
    if (submitter.value && box.value.trim()) void amend("edit", { channel, ts, text: withIds(box.value.trim()) }, user);
  };
  dialog.showModal();
}

function body(item) {
  const { message } = item;
  const isEdited = message.edited && { className: "edited", title: at(message.edited).toLocaleString() };
  return [
    message.blocks && blocks(message.blocks, world(), actions(item)),
    !message.blocks && el("div", { className: "text" }, mrkdwn(message.text, world())),
    isEdited && el("small", isEdited, "(edited)"),
    (message.attachments ?? []).map((each) => unknown("attachment", { type: each.title ?? each.fallback, ...each })),
    (message.files ?? []).map(fileLine),
    message.reactions && el("p", { className: "reactions" }, message.reactions.map(reaction)),
    !item.isThread && (message.reply_count || item.own > 0) && replyLine(item),
  ];
}

/** A shared file: to read here, to open, to keep. */
function fileLine(file) {
  const path = `/_standin/files/${encodeURIComponent(file.id)}`;
  if (file.mimetype === "image/png") return el("p", { className: "file" }, el("img", { src: path, alt: file.title || file.name }));
  const text = el("pre", { tabIndex: 0 });
  const preview = el("details", { className: "file" },
    el("summary", { "data-focus": `file ${file.id}` }, `📎 ${file.title || file.name} (${file.size} bytes)`),
    text,
    el("p", {},
      el("a", { href: path, target: "_blank", rel: "noopener" }, "Open"), " · ",
      el("a", { href: path, download: file.name }, "Download")));
  preview.open = openFiles.has(file.id);
  const show = async () => {
    const answer = await fetch(path).catch(() => null);
    text.textContent = answer?.ok ? (await answer.text()).slice(0, 4000) : "It could not be read.";
  };
  preview.addEventListener("toggle", () => {
    openFiles[preview.open ? "add" : "delete"](file.id);
    if (preview.open && !text.textContent) void show();
  });
  if (preview.open) void show();
  return preview;
}

function reaction({ name, users, count }) {
  const label = `${name}: ${users.map(nameOf).join(", ")}`;
  return el("span", { title: label, role: "img", "aria-label": label }, emoji(name), ` ${count}`);
}

function replyLine(item) {
  const { reply_count: count, latest_reply: ts } = item.message;
  const last = ts && `last reply ${day(at({ ts }))} ${clock(at({ ts }))}`;
  const told = joined([last, item.own > 0 && `${item.own} only visible to you`]);
  const title = count ? counted(count, "reply", "replies") : "Thread";
  return threadLink(item, "replies", el("b", {}, title), el("span", {}, told));
}

const threadLink = ({ ref, message: { ts } }, className, ...label) =>
  el("a", { className, href: href(state.of, ref, ts), "data-focus": `${className} ${ts}` }, ...label);

// --- pressing
function actions({ channel, message }, user = state.of) {
  const key = (block) => `${user}/${channel}/${message.ts}/${block.block_id}`;
  return {
    isBusy: (block, element) => presses.get(key(block))?.busy === element.action_id,
    wrong: (block) => presses.get(key(block))?.wrong,
    press: async (block, element) => {
      if (!isDrawn()) return;
      if (element.confirm && !(await confirmed(element.confirm))) return;
      presses.set(key(block), { busy: element.action_id });
      draw();
      const { action_id, value } = element;
      presses.set(key(block), { wrong: await pressed({ user, channel, ts: message.ts, action_id, value }) });
      draw();
    },
  };
}

/** What went wrong, as Slack says it beside the button; nothing when all went well. */
async function pressed(fields) {
  try {
    const { error, status } = await post("/_standin/press", fields);
    if (error === "operation_timeout") return `Operation timed out. Apps need to respond within 3 seconds. (${error})`;
    return error && `This app ${status ? `responded with Status Code ${status}` : "did not respond"}. (${error})`;
  } catch (error) {
    return error.message;
  }
}

function confirmed({ title, text, confirm, deny, style }) {
  const dialog = $("confirm");
  const [no, yes] = dialog.querySelectorAll("button");
  $("confirm-title").replaceChildren(...plain(title.text));
  $("confirm-text").replaceChildren(...textObject(text, world()));
  no.textContent = deny?.text ?? "Cancel";
  yes.textContent = confirm?.text ?? "OK";
  yes.className = `button ${style === "danger" ? "danger" : "primary"}`;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onsubmit = ({ submitter }) => resolve(submitter === yes);
    dialog.onclose = () => dialog.open || resolve(false); // Escape; the word of an earlier question may come late
  });
}

// --- writing
const complain = (form) => (error) => {
  const line = form.querySelector(".wrong");
  line.textContent = error?.message ?? error ?? "";
  line.hidden = !line.textContent;
};

function fill(box, text) {
  box.value = text;
  box.dispatchEvent(new Event("input"));
}

function makeComposer(form) {
  form.append($("composer").content.cloneNode(true));
  const box = form.querySelector("textarea");
  box.addEventListener("input", () => {
    box.rows = Math.min(8, box.value.split("\n").length);
    drafts.set(form.dataset.place, box.value);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [text, from] = [box.value.trim(), form.dataset.place];
    if (!text || !state) return;
    fill(box, "");
    complain(form)();
    try {
      complain(form)(await send(text, form.dataset.channel, form.dataset.thread));
    } catch (error) {
      complain(form)(error);
      if (form.dataset.place === from && !box.value) fill(box, text); // to be tried again
    }
  });
}

/** Type it as the person would. Answers what the person should be told, if anything. */
async function send(text, channel, thread) {
  const fields = { user: state.of, channel, ...(thread && { thread_ts: thread }) };
  const [, command, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  if (command === "sre") return void (await post("/_standin/command", { ...fields, text: rest }));
  if (command !== undefined) throw new Error(`/${command} is not a valid command.`);
  const toBot = /^@sre(?:_bot)?(?:\s+([\s\S]*))?$/.exec(text);
  if (!toBot) return void (await post("/_standin/post", { ...fields, text: withIds(text) }));
  await post("/_standin/mention", { ...fields, text: withIds(toBot[1] ?? "") });
  if (!current().members.includes(bot().id)) return `${bot().real_name} is not in this channel and does not see this.`;
}

/** Names become ids, as Slack's own message box does it. */
function withIds(text) {
  const known = new Map([["@here", "<!here>"], ["@channel", "<!channel>"], ["@everyone", "<!everyone>"]]);
  for (const { handle, id } of state.usergroups) known.set(`@${handle}`, `<!subteam^${id}>`);
  for (const { name, id } of state.users) known.set(`@${name}`, `<@${id}>`);
  for (const { name, id } of rooms()) known.set(`#${name}`, `<#${id}>`);
  known.set("@sre", `<@${bot().id}>`);
  return text.replace(/(?<![\w<])[@#][a-z0-9_-]+(?:\.[a-z0-9_-]+)*/g, (name) => known.get(name) ?? name);
}

function settle(form, channel, thread) {
  const [key, isFirst] = [[state.of, channel.ref, thread].join("/"), !form.dataset.place];
  if (form.dataset.place === key) return;
  Object.assign(form.dataset, { place: key, channel: channel.ref, thread });
  const box = form.querySelector("textarea");
  fill(box, drafts.get(key) ?? "");
  box.placeholder = thread ? "@sre … or a reply" : "/sre …, @sre … or a message";
  box.setAttribute("aria-label", thread ? "Reply in the thread" : `Message ${channel.name}`);
  complain(form)();
  // On a phone the keyboard would cover what one came to read; and choosing a person goes on until one leaves it.
  if (!isFirst && matchMedia("(min-width: 700px)").matches && document.activeElement !== $("people")) box.focus();
}

// --- the strip: what is real here, and breaking things. Both are optional: 404 hides them.
async function optional(path) {
  const answer = await fetch(path).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

async function drawStrip() {
  const [told, trouble] = await Promise.all([optional("/_sandbox/about"), optional("/_sandbox/faults")]);
  $("about").hidden = !told;
  $("trouble").hidden = !trouble;
  $("strip").hidden = !told && !trouble;
  if (told) drawAbout(told);
  if (trouble) drawFaults(trouble.faults);
}

function drawAbout(told) {
  const names = (real) => told.parts.filter((part) => part.real === real).map(({ name }) => name).join(", ");
  $("about-line").replaceChildren(el("b", {}, "Real: "), names(true), el("b", {}, " Stand-ins: "), names(false));
  const tag = (real) => el("span", { className: real ? "tag real" : "tag" }, real ? "real" : "stand-in");
  const part = ({ name, real, note }) => el("li", {}, el("b", {}, name), tag(real), note);
  $("about-more").replaceChildren(el("ul", {}, told.parts.map(part)), el("p", {}, (told.try ?? []).map(tryButton)));
}

function tryButton(line) {
  const onclick = () => {
    $("about").open = false;
    const box = $("compose").querySelector("textarea");
    fill(box, line);
    box.focus();
  };
  return el("button", { type: "button", className: "button", onclick }, line);
}

function drawFaults(faults) {
  const items = [{ name: "", title: "Break something…" }, ...faults].map((fault) => ({ key: fault.name, ...fault }));
  sync($("faults"), items.filter(({ on }) => !on), ({ name, title }) => el("option", { value: name }, title));
  $("faults").value = "";
  sync($("broken"), items.filter(({ on }) => on), ({ name, title }) => {
    const looks = { type: "button", className: "button", title: `Mend: ${title}`, onclick: () => turn("mend", name) };
    return el("li", {}, plain(`⚠️ ${title}`), el("button", looks, "Mend"));
  });
}

async function turn(verb, fault) {
  await post(`/_sandbox/${verb}`, { fault }).catch(complain($("compose")));
  await drawStrip();
}

// --- start
for (const form of [$("compose"), $("reply")]) makeComposer(form);
$("people").addEventListener("change", ({ target }) => {
  location.hash = href(target.value, place().channel);
  guard(); // now: the event of the address comes later, and the answer later still
});
$("faults").addEventListener("change", ({ target }) => target.value && turn("break", target.value));
document.addEventListener("visibilitychange", draw);
window.addEventListener("hashchange", () => {
  draw();
  if (!isDrawn()) refresh();
});
guard();
refresh();
listen();
