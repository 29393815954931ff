// The middle and the right: a channel with its messages, one thread, and what belongs to a channel (pins, canvas, people).

import { useLayoutEffect, useRef } from "preact/hooks";
import { Composer } from "./composer.jsx";
import { Home } from "./home.jsx";
import { markdown } from "./markdown.jsx";
import { Avatar, Message } from "./message.jsx";
import { panel } from "./panel.jsx";
import { at, bot, counted, current, go, href, isDrawn, joined, latestFirst, markRead, nameOf, place, state, userOf, whispers, world } from "./state.js";
import { Link, clock, day, mrkdwn, plain } from "./text.jsx";

const oldestFirst = (messages) => [...messages].sort((a, b) => latestFirst(b, a));

export function Channel() {
  const channel = current.value;
  const isHome = channel.ref === `@${bot().name}` && place.value.thread === "home";
  useLayoutEffect(() => { if (!document.hidden) markRead(channel); });
  const shown = oldestFirst([...channel.messages, ...whispers(channel).filter(({ thread_ts }) => !thread_ts)]);
  return (
    <main id="channel" inert={!isDrawn.value}>
      <Head channel={channel} isHome={isHome} />
      {isHome ? <Home /> : <>
        <Log id="messages" label="Messages" of={channel.ref}>
          {shown.length ? timeline(shown, channel) : <Empty channel={channel} />}
        </Log>
        <Composer id="compose" channel={channel} />
      </>}
    </main>
  );
}

function Head({ channel, isHome }) {
  const isApp = channel.ref === `@${bot().name}`;
  return (
    <header class="head">
      <a id="to-channels" href={href(state.value.of)} aria-label="All channels">‹</a>
      <div>
        <h1 id="channel-name">{plain(channel.title)}</h1>
        <div id="channel-about"><About channel={channel} /></div>
      </div>
      {isApp && (
        <nav class="tabs" aria-label="Of the app">
          <a id="home-tab" href={href(state.value.of, channel.ref, "home")} aria-current={isHome ? "page" : undefined}>Home</a>
          <a id="messages-tab" href={href(state.value.of, channel.ref)} aria-current={isHome ? undefined : "page"}>Messages</a>
        </nav>
      )}
    </header>
  );
}

function About({ channel }) {
  const { topic, purpose, members, pins, is_archived: isOver, bookmarks, canvas } = channel;
  const told = topic?.value || purpose?.value || "Only you and the bot";
  const facts = [counted(members.length, "member", "members"), pins.length > 0 && `${pins.length} pinned`, canvas && "canvas", isOver && "archived"];
  return (
    <>
      <p class="topic">{plain(told)}</p>
      <p class="facts">
        <button type="button" class="quiet" id="open-about" aria-expanded={panel.value === "about"} onClick={() => { panel.value = panel.value === "about" ? "" : "about"; }}>{joined(facts)}</button>
        {bookmarks.map((each) => <span class="bookmark"><Link to={each.link}>{plain(each.title)}</Link></span>)}
      </p>
    </>
  );
}

function Empty({ channel }) {
  const isHere = channel.members.includes(bot().id);
  return (
    <li class="note">
      <b>{plain(channel.title)}</b>
      <p>Nothing here yet. {isHere ? "Try /sre help." : `${bot().real_name} is not in this channel.`}</p>
    </li>
  );
}

export function Thread() {
  const [channel, thread] = [current.value, place.value.thread];
  const parent = panel.value ? null : channel.messages.find(({ ts }) => ts === thread);
  const replies = parent ? oldestFirst([...parent.replies, ...whispers(channel).filter(({ thread_ts }) => thread_ts === thread)]) : [];
  return (
    <aside id="thread" aria-label="Thread" hidden={!parent} inert={!isDrawn.value} onKeyDown={leave}>
      {parent && <>
        <header class="head">
          <div><h2>Thread</h2><p id="thread-about">{plain(channel.title)}</p></div>
          <a id="close-thread" class="close" href={href(state.value.of, channel.ref)} aria-label="Close the thread">×</a>
        </header>
        <Log id="replies" label="Thread" of={thread}>
          {timeline([parent], channel, true)}
          <li class="rule" key="rule"><span>{replies.length ? counted(replies.length, "reply", "replies") : "No replies yet"}</span></li>
          {timeline(replies, channel, true)}
        </Log>
        <Composer id="reply" channel={channel} thread={thread} />
      </>}
    </aside>
  );
}

function leave(event) {
  if (event.key === "Escape" && !event.target.closest("details[open]")) go(state.value.of, current.value.ref);
}

/** The log is turned around (page.css): its 0 is the newest message, and there it stays unless one scrolls up. */
function Log({ id, label, of, children }) {
  const log = useRef();
  useLayoutEffect(() => { log.current.scrollTop = 0; }, [of]);
  return <div class="log" role="log" aria-label={label} tabIndex={0} ref={log}><ol id={id}>{children}</ol></div>;
}

/** Messages, with a rule where the day changes. */
function timeline(messages, channel, isThread = false) {
  const own = whispers(channel);
  return messages.flatMap((message, n) => {
    const [date, before] = [day(at(message)), messages[n - 1]];
    const isNewDay = !isThread && (!before || day(at(before)) !== date);
    const line = (
      <Message key={message.ts} message={message} channel={channel.id} place={channel.ref} isThread={isThread}
        own={own.filter(({ thread_ts: thread }) => thread === message.ts).length} />
    );
    return isNewDay ? [<li class="rule" key={`day ${date}`}><span>{date}</span></li>, line] : [line];
  });
}

/** What belongs to a channel and is no message. */
export function AboutPanel() {
  const { title, topic, purpose, members, pins, bookmarks, canvas, messages, ref } = current.value;
  const pinned = messages.filter(({ ts }) => pins.includes(ts));
  return (
    <>
      <h2 class="panel-title">{plain(title)}</h2>
      <Part title="Topic">{topic?.value && <p class="text">{mrkdwn(topic.value, world.value)}</p>}</Part>
      <Part title="Purpose">{purpose?.value && <p class="text">{plain(purpose.value)}</p>}</Part>
      <Part title="Bookmarks">{bookmarks.length > 0 && <ul>{bookmarks.map((each) => <li><Link to={each.link}>{plain(each.title)}</Link></li>)}</ul>}</Part>
      <Part title="Pinned">{pinned.length > 0 && <ul>{pinned.map((each) => (
        <li class="pin"><b>{nameOf(each.user)}</b> <time>{day(at(each))} {clock(at(each))}</time><p>{mrkdwn(each.text.slice(0, 160), world.value)}</p>
          <a href={href(state.value.of, ref, each.ts)} onClick={() => { panel.value = ""; }}>Open its thread</a></li>
      ))}</ul>}</Part>
      <Part title="Canvas">{canvas && <div class="canvas">{markdown(canvas)}</div>}</Part>
      <Part title={counted(members.length, "member", "members")}>
        <ul>{members.map((id) => <li class="member"><Avatar whose={id} name={nameOf(id)} isApp={userOf(id)?.is_bot} /> {nameOf(id)}</li>)}</ul>
      </Part>
    </>
  );
}

const Part = ({ title, children }) => children && <section class="part"><h3>{title}</h3>{children}</section>;

