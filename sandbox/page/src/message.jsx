// One message: who said it and when, what it is made of, its files, its marks, its thread, and what one may do with it.

import { useMemo, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { Blocks, Unknown } from "./blocks.jsx";
import { ask, askText } from "./dialogs.jsx";
import { closing } from "./elements.jsx";
import { actions } from "./sending.js";
import { at, bot, counted, href, isBot, joined, me, nameOf, post, state, userOf, withIds, world } from "./state.js";
import { ago, clock, day, emoji, mrkdwn, plain, signs } from "./text.jsx";

const QUICK = ["white_check_mark", "eyes", "+1"];
const openFiles = new Set(); // ids of the files that are read here: a pane that was left is drawn anew

export const now = signal(Date.now()); // for "5 min ago"; the same minute is not drawn twice
export const refused = signal({}); // channel → why the last thing one did to a message was refused

/** Drawn again only when something in it is another. */
export function Message({ message, channel, place, isThread, own }) {
  const names = world.value;
  return useMemo(
    () => <Line message={message} channel={channel} place={place} isThread={isThread} own={own} world={names} />,
    [message, channel, place, isThread, own, names],
  );
}

/** Said by somebody, and not a line that Slack writes itself: who joined, what was renamed or deleted. */
const isSaid = ({ subtype }) => [undefined, "bot_message", "thread_broadcast"].includes(subtype);

function author(message) {
  const whose = !message.is_ephemeral ? message.user ?? message.bot_id : message.source === "slackbot" ? "slackbot" : bot().id;
  return { whose, name: message.username ?? nameOf(whose), isApp: userOf(whose)?.is_bot || !message.user };
}

export function Avatar({ whose, name, isApp }) {
  const hue = [...whose].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 0) % 360;
  return <span class={isApp ? "avatar app" : "avatar"} aria-hidden="true" style={{ "--hue": hue }}>{isApp ? <Pulse /> : name[0]}</span>;
}

/** The bot's face: a heartbeat. */
const Pulse = () => (
  <svg viewBox="0 0 36 36" width="24" height="24"><path d="M4 19h8l3-9 6 17 4-11 2 3h5" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>
);

function Line({ message, channel, place, isThread, own, world: names }) {
  const who = author(message);
  const kinds = { whisper: message.is_ephemeral, pinned: message.pinned_to, notice: !isSaid(message) };
  const when = at(message);
  return (
    <li class={["message", ...Object.keys(kinds).filter((kind) => kinds[kind])].join(" ")} data-ts={message.ts}>
      {message.is_ephemeral && <p class="mark">{plain("👀 Only visible to you")}</p>}
      {message.pinned_to && <p class="mark">{plain("📌 Pinned")}</p>}
      <Avatar {...who} />
      <div class="byline">
        <b>{who.name}</b>{who.isApp && <span class="tag">app</span>}
        <time dateTime={when.toISOString()} title={when.toLocaleString()}>{clock(when)}</time>
        {message.edited && <small class="edited" title={at(message.edited).toLocaleString()}>(edited)</small>}
      </div>
      <Body message={message} channel={channel} place={place} isThread={isThread} own={own} world={names} />
      {!isBot() && !message.is_ephemeral && isSaid(message) && <Tools message={message} channel={channel} place={place} isThread={isThread} />}
    </li>
  );
}

function Body({ message, channel, place, isThread, own, world: names }) {
  const { blocks, text, attachments = [], files = [], reactions } = message;
  return (
    <div class="body">
      {blocks
        ? <Blocks list={blocks} world={names} act={actions({ channel, ts: message.ts })} />
        : <div class="text">{mrkdwn(text ?? "", names)}</div>}
      {attachments.map((each) => <Attachment each={each} world={names} act={actions({ channel, ts: message.ts })} />)}
      {files.map((file) => <File key={file.id} file={file} />)}
      {reactions && <p class="reactions">{reactions.map((each) => <Reaction {...each} channel={channel} ts={message.ts} />)}</p>}
      {!isThread && (message.reply_count > 0 || own > 0) && <Replies message={message} place={place} own={own} />}
    </div>
  );
}

const COLOURS = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

/** The older way to say more; what else stands in one is seen as what it is. */
function Attachment({ each, world: names, act }) {
  const { blocks, title, text, color, fallback } = each;
  if (!blocks && !text) return <Unknown what="attachment" thing={{ type: title ?? fallback, ...each }} />;
  return (
    <div class="attachment" style={{ borderColor: COLOURS[color] ?? (/^#?[0-9a-f]{6}$/i.test(color) ? `#${color.replace("#", "")}` : undefined) }}>
      {title && <b>{plain(title)}</b>}
      {text && <div class="text">{mrkdwn(text, names)}</div>}
      {blocks && <Blocks list={blocks} world={names} act={act} />}
    </div>
  );
}

/** A shared file: to read here, to open, to keep. */
function File({ file }) {
  const [text, setText] = useState("");
  const path = `/_standin/files/${encodeURIComponent(file.id)}`;
  const title = file.title || file.name;
  if (file.mimetype === "image/png") return <p class="file"><a href={path} target="_blank" rel="noopener noreferrer"><img src={path} alt={title} /></a></p>;
  const show = async ({ target }) => {
    openFiles[target.open ? "add" : "delete"](file.id);
    if (!target.open || text) return;
    const answer = await fetch(path).catch(() => null);
    setText(answer?.ok ? await answer.text() : "This file cannot be read.");
  };
  return (
    <details class="file" open={openFiles.has(file.id)} onToggle={show}>
      <summary>{signs(`📎 ${title} (${file.size} bytes)`)}</summary>
      <pre tabIndex={0}>{text}</pre>
      <p class="file-links"><a href={path} target="_blank" rel="noopener noreferrer">Open</a> <a href={path} download={file.name}>Download</a></p>
    </details>
  );
}

function Reaction({ name, users, count, channel, ts }) {
  const isMine = users.includes(me().id);
  const label = `${name}: ${users.map(nameOf).join(", ")}`;
  return (
    <button type="button" class="reaction" title={label} aria-label={label} aria-pressed={isMine} onClick={() => react(channel, ts, name, isMine)}>
      {emoji(name)} {count}
    </button>
  );
}

const react = (channel, ts, name, isMine) => amend(isMine ? "unreact" : "react", { channel, ts, emoji: name });

/** What is refused is told above the box in which one writes. */
async function amend(what, fields, user = state.value.of) {
  const failed = await post(`/_standin/${what}`, { user, ...fields }).then(() => "", (error) => error.message);
  refused.value = { ...refused.value, [fields.channel]: failed };
}

function Replies({ message: { reply_count: count, latest_reply: ts, reply_users: users = [], ts: thread }, place, own }) {
  now.value;
  const told = joined([ts && `last reply ${ago(at({ ts }))}`, own > 0 && `${own} only visible to you`]);
  return (
    <a class="replies" href={href(state.value.of, place, thread)}>
      <span class="faces">{users.slice(0, 3).map((id) => <Avatar whose={id} name={nameOf(id)} isApp={userOf(id)?.is_bot} />)}</span>
      <b>{count ? counted(count, "reply", "replies") : "Thread"}</b><span class="soft">{told}</span>
    </a>
  );
}

// --- what a person may do with a message
function Tools({ message, channel, place, isThread }) {
  const { ts, user, text, reactions = [], pinned_to: pins } = message;
  const menu = useRef();
  const has = (name) => reactions.some((each) => each.name === name && each.users.includes(me().id));
  const entry = (label, act) => (
    <button type="button" class="choose" onClick={() => { menu.current.open = false; act(); }}>{plain(label)}</button>
  );
  const rewrite = async (who = state.value.of) => {
    const said = await askText(text);
    if (said) await amend("edit", { channel, ts, text: withIds(said) }, who);
  };
  const remove = async (who = state.value.of) => {
    const asked = { title: { text: "Delete this message?" }, text: { type: "plain_text", text: "It cannot be taken back." } };
    if (await ask({ ...asked, confirm: { text: "Delete" }, style: "danger" })) await amend("delete", { channel, ts }, who);
  };
  return (
    <div class="tools">
      {QUICK.map((name) => (
        <button type="button" class="quick" aria-label={`React ${name}`} aria-pressed={has(name)} onClick={() => react(channel, ts, name, has(name))}>{emoji(name)}</button>
      ))}
      {!isThread && <a class="quick reply" href={href(state.value.of, place, ts)}>Reply<span class="hidden"> in thread</span></a>}
      <details class="tool" ref={menu} {...closing(menu)}>
        <summary aria-label="More for this message">⋯</summary>
        <div class="menu">
          {entry(has("pushpin") ? "Take 📌 back" : "React 📌", () => react(channel, ts, "pushpin", has("pushpin")))}
          {entry(pins ? "Unpin" : "Pin", () => amend(pins ? "unpin" : "pin", { channel, ts }))}
          {user === me().id && entry("Edit", rewrite)}
          {user === me().id && entry("Delete", remove)}
        </div>
      </details>
    </div>
  );
}
