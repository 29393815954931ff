"""Writes down what people mark in an incident's room, and what becomes of it: edits and deletions too.

bot/ears.py keeps that something happened to a message; `step` then reads the message as Slack has it and compares
(commands/transcript.py). An event lost or told twice changes nothing: after the bot was away, and now and then, whole
rooms are compared. One process at a time writes. Slack is read here and answered with a check mark under what was
captured; all else that is said goes through the courier.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from threading import Event
from typing import Any

import orjson
from redis.exceptions import RedisError
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.ears import HEARD, Heard
from bot.outbox import Outbox, Sent
from bot.records import Records
from bot.state import KEEP, Conflict, State, TooLarge
from bot.wire import Refusal, Wire
from commands import tasking, transcript
from commands.finding import Suggestion
from commands.ledger import Draft, Kept
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.response.seeing import may_see
from commands.transcript import Known, Said, Seen

log = logging.getLogger(__name__)

# When somebody listened last.
_LISTENED = "scribe"
DONE = "white_check_mark"  # under what was captured, so that who marked it sees that it landed

# A room is compared whole after the bot was away for longer than AWAY, and every so often besides.
AWAY, EVERY = timedelta(seconds=60), timedelta(minutes=10)
AGAIN = timedelta(seconds=30)  # where Slack did not answer
_PATIENCE = 3  # times that what happened to one message is tried before the others
_IDLE = 0.3  # seconds between two looks for something new
_PAGE = 200


class Scribe:
    """wire: Slack, to read. me: the bot's own user id, "" while it is not known. greet: tells a user in a channel
    how its incident stands, once for each delivery. offer: tells who put a ☑ under a message, and nobody else, how it
    becomes an action."""

    def __init__(
        self,
        state: State,
        records: Records,
        wire: Wire,
        *,
        me: Callable[[], str] = lambda: "",
        greet: Callable[[str, str, str], None] = lambda user, channel, delivery: None,
        offer: Callable[[Heard, str, Suggestion], None] = lambda heard, text, suggestion: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._state = state
        self._records = records
        self._outbox = Outbox(state)
        self._wire = wire
        self._me = me
        self._greet = greet
        self._offer = offer
        self._now = now
        self._waited = 0  # for what happened first of all

    def run(self, stop: Event) -> None:
        """Write until told to stop; Slack or the store being away only delays."""
        while not stop.is_set():
            try:
                with self._state.lease("scribe") as is_ours:
                    while is_ours and not stop.is_set():
                        self.look_in_turn()
                        if not self.step():
                            stop.wait(_IDLE)
                stop.wait(0 if is_ours else 2)
            except RedisError as error:
                log.warning("the scribe waits for the store: %s", error)
                stop.wait(1)
            except Exception:
                log.exception("the scribe could not write; it tries again")
                stop.wait(1)

    def step(self) -> bool:
        """Look at the oldest thing that happened; False when there is none."""
        raw = self._state.redis.lindex(HEARD, 0)
        if raw is None:
            return False
        wait = self._tried(raw)
        if wait and self._waited < _PATIENCE:
            self._waited += 1
            self._pause(wait)  # Slack said when: nothing else can be read meanwhile either
            return True
        self._waited = 0
        change = self._state.redis.pipeline().lrem(HEARD, 1, raw)
        if wait:  # perhaps of this message alone: behind the others
            change.rpush(HEARD, raw)
        change.execute()
        return True

    def _tried(self, raw: bytes) -> float:
        """Seconds to wait before it is tried again; 0 when it is done, or will never be."""
        try:
            return self._asked(Heard(**orjson.loads(raw)))
        except (RedisError, Conflict):
            raise
        except Exception:  # the others must not wait for it; whole rooms are compared now and then
            log.exception("what happened to a message could not be looked at: %r", raw[:200])
            return 0.0

    def _asked(self, heard: Heard) -> float:
        try:
            self._look(heard)
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_limit or no.is_silence:
                return max(no.retry_after.total_seconds(), 0.2)
            self._not_allowed(heard.channel, heard.thread, no)
        except RedisError:
            raise
        except (SlackClientError, HTTPException, OSError):
            return 1.0
        return 0.0

    def _not_allowed(self, channel: str, thread: str, no: Refusal) -> None:
        log.warning("Slack does not let the scribe read %s: %s", channel, no.code)
        id = self._records.in_room(channel, thread)
        what = f"may not read what is marked with 📌: {no.needed or no.code}"
        told = replace(draft(Kind.SCOPE, what, what=what), key=f"scope {what}", source="slack")
        if id:
            self._records.append_open(id, lambda _: [told])

    # --- one message ---

    def _look(self, heard: Heard) -> None:
        of = f"{heard.channel} {heard.ts}"
        if heard.what in ("joined", "left"):
            self._come_or_gone(heard)
            return
        if heard.what == "wanted":
            self._offer_task(heard)
            return
        said = None if heard.what == "deleted" else self._read(heard)
        if said is None:
            self._write(
                self._room(heard), lambda incident: transcript.gone(of, self._known(incident, of), heard.by)
            )
            return
        id = self._records.in_room(said.channel, said.thread or said.ts)
        before = self._records.incident(id) if id else None
        if before is None or (self._is_new(before.record, said) and not _may_mark(before.record, heard)):
            return
        said = self._whole(id, said) if self._is_new(before.record, said) else said
        then = _as_it_was(heard, said)
        written = self._write(
            id, lambda incident: transcript.followed(said, then, self._known(incident, of), heard.by)
        )
        if written is not None and written.head.seq > before.record.head.seq and said.pinned_by:
            self._mark(said)

    def _come_or_gone(self, heard: Heard) -> None:
        """Who joins the channel of an incident is told how it stands; nobody else sees that."""
        id = self._records.in_room(heard.channel)
        if heard.by == self._me() or not id:
            return
        kind, text = (Kind.JOINED, "joined") if heard.what == "joined" else (Kind.LEFT, "left")
        told = replace(
            draft(kind, text, user=heard.by), at=transcript.moment(heard.ts), by=heard.by, source="slack",
            key=f"{text} {heard.by} {heard.ts}",
        )  # fmt: skip
        before = self._records.incident(id)
        after = self._records.append_open(id, lambda _: [told])
        is_new = before is not None and after is not None and after.head.seq > before.record.head.seq
        if is_new and heard.what == "joined":
            self._greet(heard.by, heard.channel, f"greeted {heard.channel} {heard.by} {heard.ts}")

    def _offer_task(self, heard: Heard) -> None:
        said = self._read(heard)
        id = self._records.in_room(said.channel, said.thread or said.ts) if said else ""
        stored = self._records.incident(id) if id else None
        if said and stored and not stored.record.is_over and _may_mark(stored.record, heard):
            self._offer(
                replace(heard, thread=said.thread), *tasking.offer(said.text, heard.by, stored.record)
            )

    def _room(self, heard: Heard) -> str:
        return self._records.in_room(heard.channel, heard.thread or heard.ts)

    def _is_new(self, incident: Incident, said: Said) -> bool:
        known = self._known(incident, said.of)
        return bool(said.pinned_by) and (known is None or known.standing is not transcript.Standing.HELD)

    def _known(self, incident: Incident, of: str) -> Known | None:
        return self._records.said(incident.id, of).get(of)

    def _write(self, id: str, making: Callable[[Incident], tuple[Draft, ...]]) -> Incident | None:
        return self._records.append_open(id, making) if id else None

    def _read(self, heard: Heard) -> Said | None:
        """The message as Slack has it; None when it is gone."""
        try:  # of a reply Slack tells that alone, of any other message its thread, which it begins
            answer = self._wire.ask(
                "conversations.replies", {"channel": heard.channel, "ts": heard.ts, "limit": 1}
            )
        except SlackApiError as error:
            if Refusal.of(error).code in ("message_not_found", "thread_not_found"):
                return None
            raise
        told = next((each for each in answer["messages"] if each["ts"] == heard.ts), None)
        if told is None or _is_gone(told):
            return None
        return self._said(heard.channel, told)

    def _said(self, channel: str, told: Mapping[str, Any]) -> Said:
        is_own = bool(told.get("user")) and told.get("user") == self._me()
        pinned_to = () if is_own else told.get("pinned_to") or ()
        edited = told.get("edited") or {}
        return Said(
            channel, str(told["ts"]), transcript.plain(str(told.get("text") or "")), author=str(told.get("user") or ""),
            name=str(told.get("username") or (told.get("bot_profile") or {}).get("name") or ""),
            thread=str(told.get("thread_ts") or ""),
            pinned_by=transcript.marks(told.get("reactions") or (), pinned_to, channel),
            edited=str(edited.get("ts") or ""), editor=str(edited.get("user") or ""),
            files=tuple(_named(file) for file in told.get("files") or ()),
        )  # fmt: skip

    def _mark(self, said: Said) -> None:
        """Only a courtesy: whatever goes wrong with it, the message is captured."""
        where = {"channel": said.channel, "timestamp": said.ts, "name": DONE}
        try:
            self._wire.call("reactions.add", json=where)
        except (SlackApiError, SlackClientError, HTTPException, OSError) as error:
            log.info("no check mark under %s: %s", said.of, error)

    # --- files ---

    def _whole(self, id: str, said: Said) -> Said:
        """What is captured anew, with a link to it and the content of its files."""
        files = tuple(self._within(id, kept) for kept in said.files)
        return replace(said, permalink=self._link(said), files=files)

    def _within(self, id: str, kept: Kept) -> Kept:
        """Of one incident so many bytes are kept: the store is in memory, and nothing is accepted once that is full."""
        sum_of = f"said-bytes-{id}"
        before = int(self._state.recall(sum_of) or 0)
        if not kept.missing and before + kept.size > transcript.ALL:
            full = f"{transcript.ALL >> 20} MiB of files are kept of this incident already"
            return replace(kept, stored="", missing=full)
        fetched = self._fetched(kept)
        if fetched.stored:
            self._state.remember(sum_of, str(before + fetched.size), KEEP)
        return fetched

    def _link(self, said: Said) -> str:
        """Without one the message is captured all the same."""
        where = {"channel": said.channel, "message_ts": said.ts}
        try:
            return str(self._wire.ask("chat.getPermalink", where).get("permalink") or "")
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_limit or no.is_silence:
                raise
            log.info("no link to %s: %s", said.of, no.code)
            return ""

    def _fetched(self, kept: Kept) -> Kept:
        if kept.missing:
            return kept
        try:
            content = self._wire.download(kept.stored, transcript.MOST)
        except OSError as error:
            return replace(kept, stored="", missing=f"Slack did not give it: {error}")
        digest = hashlib.sha256(content).hexdigest()
        stored = f"said-{digest[:24]}"
        try:
            self._state.change().keep_file(stored, content).commit()
        except TooLarge as error:
            return replace(kept, stored="", sha256=digest, missing=str(error))
        return replace(kept, sha256=digest, stored=stored, size=len(content))

    # --- whole rooms ---

    def look_in_turn(self) -> None:
        """Everything after the bot was away, else each room now and then. A room that cannot be compared must not keep
        the others from it, nor what is heard."""
        heard = self._state.heard(_LISTENED)
        self._state.beat(_LISTENED)
        was_away = heard is None or self._now() - heard > AWAY
        for incident in self._records.open_incidents():
            mark = f"caught-up:{incident.id}"
            if incident.room.channel and (was_away or not self._state.marked(mark)):
                is_done = self._caught_up(incident)
                self._state.change().remind(mark, "1", EVERY if is_done else AGAIN).commit()

    def _caught_up(self, incident: Incident) -> bool:
        """False where it is worth another try soon."""
        try:
            self.catch_up(incident)
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_limit or no.is_silence:
                return False
            self._not_allowed(incident.room.channel, incident.room.thread, no)
        except (RedisError, Conflict):
            raise
        except (SlackClientError, HTTPException, OSError) as error:
            log.warning("%s is caught up with later: %s", incident.id, error)
            return False
        except Exception:
            log.exception("%s cannot be caught up with", incident.id)
        return True

    def catch_up(self, incident: Incident) -> None:
        """Compare all that was said in its room with what the record has of it. Raises what Slack says instead."""
        known = self._records.said(incident.id)  # before: what is captured meanwhile is not gone
        seen = self._seen(incident)
        marked = {of: said for of, said in seen.said.items() if said.pinned_by and of not in known}
        new = {of: self._whole(incident.id, said) for of, said in marked.items()}
        seen = replace(seen, said={**seen.said, **new})

        def making(now: Incident) -> tuple[Draft, ...]:
            later = self._records.said(now.id)
            return transcript.caught_up(
                seen, {of: each for of, each in later.items() if of in known or of in seen.said}
            )

        self._records.append_open(incident.id, making)

    def _seen(self, incident: Incident) -> Seen:
        room = incident.room
        if not room.is_own:
            channel, ts = self._thread(incident)
            return Seen({said.of: said for said in self._replies(channel, ts)} if ts else {}, channel)
        said: dict[str, Said] = {}
        for told in self._pages("conversations.history", channel=room.channel):
            each = self._said(room.channel, told)
            if not _is_gone(told):
                said[each.of] = each
            if told.get("reply_count"):
                said |= {reply.of: reply for reply in self._replies(room.channel, each.ts)}
        return Seen(said, room.channel)

    def _thread(self, incident: Incident) -> tuple[str, str]:
        """Channel and ts of the message under which it is told, "" while there is none: where it was declared, the
        card of its alert, or its own."""
        if incident.room.thread:
            return incident.room.channel, incident.room.thread
        card, _, key = (incident.alert or f"incident:{incident.id} card").partition(" ")
        root = self._outbox.sent(card).get(key, Sent())
        return root.channel, root.ts

    def _replies(self, channel: str, ts: str) -> list[Said]:
        found = self._pages("conversations.replies", channel=channel, ts=ts)
        return [self._said(channel, told) for told in found if not _is_gone(told)]

    def _pages(self, method: str, **where: Any) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        while True:
            answer = self._wire.ask(method, {**where, "limit": _PAGE, "cursor": cursor})
            yield from answer["messages"]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return


def _may_mark(incident: Incident, heard: Heard) -> bool:
    """In the thread of an alert others read along: of a private incident they learn nothing there, by no check mark
    either."""
    return may_see(incident, heard.by, (), heard.channel)


def _as_it_was(heard: Heard, said: Said) -> Said | None:
    """Of an edit that another has overtaken before it was read: the message as the event told it."""
    if not heard.edited or heard.edited == said.edited:
        return None
    return replace(said, text=heard.text, edited=heard.edited, editor=heard.by)


def _is_gone(told: Mapping[str, Any]) -> bool:
    """Of a deleted parent Slack keeps an empty message, for its replies."""
    return told.get("subtype") == "tombstone"


def _named(told: Mapping[str, Any]) -> Kept:
    """A file that is not fetched yet: `stored` is where Slack has it."""
    name, kind, size = (
        str(told.get("name") or "file"),
        str(told.get("mimetype") or ""),
        int(told.get("size") or 0),
    )
    missing = transcript.refused(name, kind, size)
    url = str(told.get("url_private_download") or told.get("url_private") or "")
    return Kept(name, kind, size, stored="" if missing else url, missing=missing)
