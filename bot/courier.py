"""The only Slack sender. It brings cards up to date: renders the record as it is now, compares with what
Slack has, and makes one call at a time until both agree.

So bursts coalesce, order within a card cannot go wrong, and a crash between any two steps is repaired by
the next claim. Slack gives no idempotency for posts: before each one its attempt is written down, and an
attempt without a known outcome is looked up in the channel's history by its metadata before it is made
again. Retries, Slack's clocks and dead letters live here and nowhere else. Never blocks intake: it runs
on threads of its own and waits only for itself.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from http.client import HTTPException
from threading import Event
from typing import Any

from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot import logs, render, standing, tracing
from bot.blocks import Message, with_remark
from bot.homes import CARD as HOME
from bot.homes import Homes
from bot.incidentcard import Offered
from bot.incidentwords import is_reply
from bot.metrics import BUGS
from bot.outbox import Claim, ClaimLost, Next, Outbox, Sent
from bot.rooms import LOOK, Rooms
from bot.state import State, lane_of
from bot.wire import Refusal, Wire
from commands.model import AlertGroup, Notice, Record, Request, Storm, Whisper
from commands.response.incident import Incident
from commands.site import Site

log = logging.getLogger(__name__)

METADATA = "sre_bot_message"

# chat.update is Tier 3 (50 a minute for the whole workspace); a little is left for other uses of the
# token. (docs.slack.dev, rate limits)
UPDATES_PER_MINUTE, UPDATE_BURST = 45, 5


# How long a sender that found nothing to send waits for mail: while a channel is about to open, every tenth of a
# second would be one that Slack gives away.
_SOON, _SELDOM = timedelta(milliseconds=30), timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class Pace:
    """Slack's clocks and our patience.

    post: chat.postMessage is one per second and channel. settle: Slack may still be taking in a post whose
    answer got lost; looking for it earlier could miss it. backoff: waits while Slack is down, the last one
    repeated. mend: a token or scope problem is mended by a person. lease: after it a courier that died is
    given up; it is renewed while a call is under way. dead: how often a refused message is tried again:
    somebody may have invited the bot meanwhile. progress: a change that is applied changes its card no more
    often than that. glance: how often meanwhile is looked whether it is over, because its end is not put off.
    root: how often is looked whether Slack has the card under which something is told. calm: over so much time the
    edits of alerts that are not critical spread when there are more than Slack takes. updates, burst: edits in a
    minute, and at once. look: how often the channel of an incident is looked at.
    """

    post: timedelta = timedelta(seconds=1)
    settle: timedelta = timedelta(seconds=3)
    backoff: tuple[timedelta, ...] = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 20, 30))
    mend: timedelta = timedelta(seconds=30)
    lease: timedelta = timedelta(seconds=6)
    dead: timedelta = timedelta(minutes=10)
    progress: timedelta = timedelta(seconds=3)
    glance: timedelta = timedelta(milliseconds=500)
    root: timedelta = timedelta(seconds=1)
    calm: timedelta = timedelta(seconds=10)
    updates: int = UPDATES_PER_MINUTE
    burst: int = UPDATE_BURST
    look: timedelta = LOOK


# Stands for the ts of a shared file's message, which Slack does not answer.
_SHARED = "shared"
_GONE = "file_gone"
# So long a name that no channel bears is not looked up again.
_MISSING = timedelta(minutes=1)
# Slack shares a file some time after it said so: for so many times `settle` one is looked for.
_PATIENCE = 10

# The installation is broken, not the message: everything waits until somebody mends it.
_ADMIN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "org_login_required",
    "ekm_access_denied",
    "missing_scope",
    "no_permission",
    "team_access_not_granted",
}
# The message is gone, or too old to be edited: what it says is posted anew.
_NO_EDIT = {"message_not_found", "edit_window_closed", "cant_update_message"}
# Nothing can be told there: the channel, not the message.
_NO_PLACE = {
    "channel_not_found": "is not there, or the bot is not in it",
    "not_in_channel": "has not invited the bot",
    "is_archived": "is archived",
    "restricted_action": "takes no posts of the bot",
}
_NO_EDITS = "is_inactive"  # of a channel that is archived
_ELSEWHERE = "told elsewhere"  # the dead letter of a channel
_NO_POST = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "restricted_action",
    "msg_too_long",
    "user_not_in_channel",  # of what one person alone is told
}


class Courier:
    """`step` does at most one message; several threads and processes may run it side by side.

    fallback: channels in which alerts are told, the first that takes them, when their own does not. site: where
    incidents have their channels, and what those are called; without it none is made. offered: which buttons would do
    something when pressed (commands/catalog.py). homes: the Home tabs, which are nobody's records.
    """

    def __init__(
        self,
        state: State,
        slack: WebClient,
        redact: Callable[[str], str],
        pace: Pace | None = None,
        *,
        fallback: tuple[str, ...] = (),
        site: Site | None = None,
        offered: Offered = tuple,
        homes: Homes | None = None,
    ) -> None:
        self._state = state
        self._homes = homes
        self._outbox = Outbox(state)
        self._pace = pace or Pace()
        self._wire = Wire(state, slack, min(_MISSING, self._pace.dead))
        self._redact = redact
        self._offered = offered
        calm = {"look": self._pace.look, "rest": self._pace.settle}
        self._rooms = Rooms(state, site, self._wire, redact, **calm) if site else None
        self._fallback = tuple(dict.fromkeys(filter(None, fallback)))
        self._failures = 0

    def run(self, stop: Event) -> None:
        """Send until told to stop; waits for Redis and Slack to come back by itself."""
        while not stop.is_set():
            try:
                if not self.step():
                    self._outbox.wait_for_mail(_SOON if self._outbox.is_due() else _SELDOM)
            except RedisError as error:
                log.warning("the outbox cannot be read: %s", error)
                stop.wait(1)
            except Exception:
                log.exception("a card could not be sent; its claim runs out and it is tried again")
                stop.wait(1)

    def step(self) -> bool:
        """Bring one due card one message further; False when nothing is due."""
        claim = self._outbox.claim(self._pace.lease)
        if claim is None:
            return False
        with (
            logs.bound(claim.card.partition(":")[2]),
            self._outbox.holding(claim, self._pace.lease),
        ):
            try:
                then = self._further(claim)
            except ClaimLost:
                log.warning("%s was taken over by another courier", claim.card)
                return True
            except RedisError:
                raise
            except Exception:
                # A record that cannot be read or drawn must not keep its channel from the others.
                BUGS.labels("card").inc()
                log.exception("%s cannot be drawn", claim.card)
                self._outbox.bury(claim.card, "card", claim.lane, "cannot be drawn, see the log")
                then = Next(again=self._pace.dead)
        self._outbox.release(claim, again=then.again, pause=then.pause)
        return True

    def _further(self, claim: Claim) -> Next:
        if claim.card.startswith(HOME):
            return self._home(claim, self._homes) if self._homes else Next()
        stored = self._state.load(claim.card)
        if stored is None:  # expired: nothing left to show
            self._outbox.forget(claim.card)
            return Next()
        began_in = stored.record.trace if isinstance(stored.record, Request) else ""
        with tracing.span("tell", after=began_in):
            return self._shown(claim, stored.record)

    def _shown(self, claim: Claim, record: Record) -> Next:
        sent = self._outbox.sent(claim.card)
        if self._rooms and isinstance(record, Incident):
            return self._incident(claim, record, sent, self._rooms)
        drawn = self._drawn(record, sent)
        return self._tell(claim, record, sent, drawn) or Next()

    def _home(self, claim: Claim, homes: Homes) -> Next:
        try:
            return homes.publish(claim)
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_silence:
                return self._unanswered(claim, no.code)
            log.error("Slack refuses %s: %s. `python -m bot doctor` names the mend", claim.card, no.code)
            return Next(again=self._pace.mend)
        except (SlackClientError, HTTPException, OSError) as error:
            return self._unanswered(claim, str(error) or type(error).__name__)

    def _incident(self, claim: Claim, incident: Incident, sent: dict[str, Sent], rooms: Rooms) -> Next:
        """Its channel, its card, what belongs in the channel, and then the rest that is told of it."""
        sent = rooms.settle(claim, incident, sent)
        if then := rooms.first(claim, incident, sent):
            return then
        drawn = self._drawn(incident, sent)
        has_card = bool(drawn) and not standing.differs(drawn[0], sent.get(drawn[0].key, Sent()))
        if has_card and (then := rooms.then(claim, incident, sent)):
            return then
        done = self._tell(claim, incident, sent, drawn)
        if done is None:
            return rooms.last(claim, incident, sent)
        return replace(done, again=timedelta(0)) if done.again is None else done

    def _tell(
        self, claim: Claim, record: Record, sent: dict[str, Sent], drawn: tuple[Message, ...]
    ) -> Next | None:
        """Bring one message up to date; None when Slack has them all."""
        stale = standing.stale(drawn, sent)
        if not stale:
            return None
        root = self._root(record, drawn, sent)
        if root is None:
            return Next(again=self._pace.root)
        if stale[0] is drawn[0] and self._is_resting(claim, record):
            if len(stale) == 1:
                return Next(again=self._pace.glance)
            stale = [*stale[1:], stale[0]]
        message = stale[0]
        before = sent.get(message.key, Sent())
        wait = self._turn(record) if before.ts else timedelta(0)
        if wait:
            # What is new does not wait for the turn of an edit.
            new = [each for each in stale if sent.get(each.key, Sent()) == Sent()]
            if not new:
                return Next(again=wait)
            message, before = new[0], Sent()
        try:
            then = self._deliver(claim, record, message, before, root)
        except SlackApiError as error:
            then = self._refused(claim, record, message, before, root, Refusal.of(error))
        except (SlackClientError, HTTPException, OSError) as error:
            return self._unanswered(claim, str(error) or type(error).__name__)
        return replace(then, again=timedelta(0)) if then.again is None and len(stale) > 1 else then

    def _drawn(self, record: Record, sent: dict[str, Sent]) -> tuple[Message, ...]:
        """The record as it is now; what is told elsewhere than it should be says why."""
        is_again = isinstance(record, AlertGroup) and bool(record.before)
        workspace = self._state.recall("workspace-url") if is_again else ""
        with tracing.span("render"):
            drawn = render.messages(record, self._redact, workspace, self._offered)
        if isinstance(record, Incident):
            drawn = tuple(message for message in drawn if self._has_place(message, sent))
        moved = {key: each.moved for key, each in sent.items() if each.moved}
        return tuple(with_remark(m, moved[m.key]) if m.key in moved else m for m in drawn)

    def _has_place(self, message: Message, sent: dict[str, Sent]) -> bool:
        """Whether it can be told: elsewhere, or in a channel that is not archived."""
        if self._rooms is None:
            return not message.channel
        return bool(message.channel) or not self._rooms.is_archived(sent)

    def _root(self, record: Record, drawn: tuple[Message, ...], sent: dict[str, Sent]) -> Sent | None:
        """The message under which the record's thread is: its own card, or another's. None while Slack does not
        have that one yet; empty where it never will, so that nothing waits for ever."""
        if isinstance(record, Incident) and record.room.thread:
            return Sent(channel=record.room.channel, ts=record.room.thread)
        card, _, key = standing.under(record).partition(" ")
        if not card:
            return sent.get(drawn[0].key, Sent())
        if card.startswith("incident:"):
            return self._of_incident(card, key)
        there = self._outbox.sent(card)
        if not (there.get(key, Sent()).ts or there.get(key, Sent()).failed):
            stored = self._state.load(card)
            if stored is None:
                return Sent()
            # A group that began anew is told in another card by now.
            keys = [message.key for message in render.messages(stored.record, self._redact)]
            key = key if key in keys else keys[0] if keys else ""
        root = there.get(key, Sent())
        if root.ts:
            return root
        return Sent() if root.failed or not key else None

    def _of_incident(self, card: str, key: str) -> Sent | None:
        """Under the card of an incident, or where that is a reply itself in the thread that it is in."""
        stored = self._state.load(card)
        if stored is None:
            return Sent()
        if isinstance(stored.record, Incident) and is_reply(stored.record):
            return self._root(stored.record, (), {})
        root = self._outbox.sent(card).get(key, Sent())
        if root.failed and not root.ts and isinstance(stored.record, Incident):
            return Sent(channel=stored.record.room.channel, lane=stored.record.room.channel)
        return replace(root, lane=root.channel) if root.ts else None

    def _turn(self, record: Record) -> timedelta:
        """Zero when a card may be edited now, else when to come again: the grave ones at once when one may be."""
        wait = self._outbox.pace("update", self._pace.updates, self._pace.burst)
        if not wait or not standing.is_calm(record):
            return wait
        crowd = timedelta(minutes=1) / self._pace.updates * self._outbox.depth() / 2
        return wait + random.random() * min(crowd, self._pace.calm)

    def _is_resting(self, claim: Claim, record: Record) -> bool:
        return standing.is_applied(record) and bool(self._state.recall(f"edited-{claim.card}"))

    # --- one message ---

    def _deliver(self, claim: Claim, record: Record, message: Message, before: Sent, root: Sent) -> Next:
        if before.ts:
            then = self._edit(claim, message, before)
            if then.again is None and standing.is_applied(record):
                self._state.remember(f"edited-{claim.card}", "1", self._pace.progress)
            return then
        if message.channel and self._rooms:
            root = Sent(lane=self._rooms.channel(message.channel))
        lane = before.lane or root.lane or lane_of(record)
        if lane != claim.lane:
            self._outbox.change_lane(claim, lane)
            return Next(again=timedelta(0))
        kept = self._state.file(message.file.stored) if message.file else b""
        if kept is None:
            return self._refused(claim, record, message, before, root, Refusal(_GONE, 0, timedelta(0)))
        try:
            channel = self._wire.place(before.channel or root.channel or lane)
            thread = standing.thread_of(record, message, root, channel)
            found = self._find(claim, message, before, thread) if before.trying else ""
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_limit:  # of the question, not of the message: what is known of the attempt stays known
                return Next(again=no.retry_after)
            if no.is_silence:
                return self._unanswered(claim, no.code)
            if not before.trying:
                raise
            log.warning("cannot look for a lost post of %s (%s): it may come twice", claim.card, no.code)
            found = ""
        is_alone = (before.channel or lane).startswith(("@", "D"))  # in direct messages nobody else reads it
        if message.whisper_to and not is_alone:
            self._whisper(claim, message, channel, thread)
            return self._went_well(claim, message, Next())
        if found:
            log.info(
                "found %s of %s in Slack: the answer got lost, the message did not", message.key, claim.card
            )
            self._outbox.note_sent(claim.card, message.key, replace(before, ts=found, trying=0.0))
            return self._went_well(claim, message, Next())
        if message.file:
            self._share(claim, message, before, kept, channel=channel, thread=thread)
        else:
            self._post(claim, message, before, channel, thread)
        self._outbox.unbury(f"channel {lane}", _ELSEWHERE)
        return self._went_well(claim, message, Next(pause=self._pace.post))

    def _post(self, claim: Claim, message: Message, before: Sent, channel: str, thread: str) -> None:
        attempt = replace(
            before, channel=channel, digest=standing.digest(message), trying=time.time(), failed=""
        )
        self._outbox.attempt(claim, message.key, attempt)
        metadata = {"event_type": METADATA, "event_payload": {"card": claim.card, "key": message.key}}
        answer = self._wire.send(
            "chat.postMessage", message, channel=channel, thread_ts=thread, metadata=metadata
        )
        done = replace(attempt, channel=answer["channel"], ts=answer["ts"], trying=0.0)
        self._outbox.note_sent(claim.card, message.key, done)

    def _share(
        self, claim: Claim, message: Message, before: Sent, kept: bytes, *, channel: str, thread: str
    ) -> None:
        """Share a file in the thread. An attempt whose outcome is not known is made again with the same
        upload: Slack shares one once."""
        uploaded = before.file or self._uploaded(message, kept)
        since = before.trying or time.time()
        attempt = replace(
            before, channel=channel, digest=standing.digest(message), trying=since, file=uploaded, failed=""
        )
        self._outbox.attempt(claim, message.key, attempt)
        # What it is stands in the comment; the file has its name, so nothing is said twice.
        shared = {"channel_id": channel, "thread_ts": thread, "initial_comment": message.text}
        named = [{"id": uploaded, "title": message.file.name if message.file else ""}]
        body = {"files": named, **{name: value for name, value in shared.items() if value}}
        self._wire.call("files.completeUploadExternal", json=body)
        self._outbox.note_sent(claim.card, message.key, replace(attempt, ts=_SHARED, trying=0.0))

    def _uploaded(self, message: Message, kept: bytes) -> str:
        """Slack's id of the file, put there for nobody to see yet; as redacted as every other text. The texts of an
        image were redacted before it was drawn: its bytes are no text."""
        is_image = message.file is not None and message.file.is_image
        masked = kept if is_image else self._redact(kept.decode(errors="replace")).encode()
        name = message.file.name if message.file else ""
        return self._wire.upload(name, masked)

    def _edit(self, claim: Claim, message: Message, before: Sent) -> Next:
        self._wire.send("chat.update", message, channel=before.channel, ts=before.ts)
        done = replace(before, digest=standing.digest(message), failed="")
        self._outbox.note_sent(claim.card, message.key, done)
        return self._went_well(claim, message, Next())

    def _whisper(self, claim: Claim, message: Message, channel: str, thread: str) -> None:
        """Ephemeral messages cannot be looked up afterwards, so they are sent at most once."""
        done = Sent(channel=channel, ts=standing.WHISPERED, digest=standing.digest(message))
        self._outbox.attempt(claim, message.key, done)
        self._wire.send(
            "chat.postEphemeral", message, channel=channel, user=message.whisper_to, thread_ts=thread
        )

    def _find(self, claim: Claim, message: Message, before: Sent, thread: str) -> str:
        """The ts of a message whose post got no answer, "" when Slack does not have it."""
        # A minute of slack for clocks that differ; the metadata decides, not the time.
        where: dict[str, Any] = {
            "channel": before.channel,
            "oldest": f"{before.trying - 60:.6f}",
            "limit": 200,
        }
        method = "conversations.replies" if thread else "conversations.history"
        if thread:
            where["ts"] = thread
        while True:
            answer = self._wire.ask(method, {**where, "include_all_metadata": True, "inclusive": True})
            for found in answer.get("messages") or []:
                if standing.is_it(found, claim, message, before):
                    return str(found["ts"])
            where["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor")
            if not where["cursor"]:
                return ""

    def _went_well(self, claim: Claim, message: Message, then: Next) -> Next:
        self._failures = 0
        log.info("%s of %s is up to date in Slack", message.key, claim.card)
        self._outbox.unbury(claim.card, message.key)
        return then

    # --- when Slack says no, or nothing ---

    def _refused(
        self, claim: Claim, record: Record, message: Message, before: Sent, root: Sent, no: Refusal
    ) -> Next:
        if no.is_silence:
            return self._unanswered(claim, no.code)
        if before.file and no.code == "file_not_found":
            return self._shared_or_lost(claim, message, before)
        if before.file and no.is_limit:  # of this attempt: what is known of the earlier one stays known
            return Next(again=no.retry_after, pause=no.retry_after)
        # Slack said clearly that it took nothing: there is no attempt to look for.
        self._outbox.note_sent(claim.card, message.key, replace(before, trying=0.0))
        if no.is_limit:
            return Next(again=no.retry_after, pause=no.retry_after)
        # An app that was installed before it had files: everything else still goes.
        if no.code in _ADMIN and not (message.file and no.code == "missing_scope"):
            scope = f", scope {no.needed} is missing" if no.needed else ""
            log.error("Slack refuses: %s%s; all waits. `python -m bot doctor` names the mend", no.code, scope)
            return Next(again=self._pace.mend)
        if message.only_edit:
            log.warning("%s of %s cannot be brought up to date: %s", message.key, claim.card, no.code)
            self._outbox.note_sent(claim.card, message.key, Sent(failed=no.code))
            return Next(again=timedelta(0))
        if no.code in _NO_PLACE and self._moved(claim, record, message, before, root, no):
            return Next(again=timedelta(0))
        if no.code in (*_NO_PLACE, _NO_EDITS) and self._has_lost_place(claim, record, message, no):
            return Next(again=timedelta(0))
        if no.code in _NO_EDIT and before.ts:
            log.warning("%s of %s cannot be edited (%s): posted anew", message.key, claim.card, no.code)
            self._outbox.note_sent(claim.card, message.key, Sent())
            return Next(again=timedelta(0))
        asker = standing.asker(record)
        if no.code in _NO_POST and asker and not before.channel:
            log.warning(
                "%s cannot be posted where it was asked for (%s): sent to the asker", claim.card, no.code
            )
            self._outbox.note_sent(claim.card, message.key, Sent(channel=f"@{asker}"))
            return Next(again=timedelta(0))
        if isinstance(record, Whisper):
            return self._given_up(claim, record, message, no)
        log.error("Slack will not take %s of %s: %s", message.key, claim.card, no.code)
        self._outbox.bury(claim.card, message.key, claim.lane, no.code)
        failed = replace(before, trying=0.0, digest=standing.digest(message), failed=no.code)
        self._outbox.note_sent(claim.card, message.key, failed)
        return Next(again=self._pace.dead)

    def _given_up(self, claim: Claim, whisper: Whisper, message: Message, no: Refusal) -> Next:
        """An answer to one person that Slack takes nowhere: later it would answer what nobody asks any more."""
        log.error("%s is told %s nowhere: %s", whisper.user, claim.card, no.code)
        self._state.change().audit("not told", id=whisper.id, by=whisper.user, reason=no.code).commit()
        self._outbox.note_sent(claim.card, message.key, Sent(ts=standing.WHISPERED))
        return Next()

    def _moved(
        self, claim: Claim, record: Record, message: Message, before: Sent, root: Sent, no: Refusal
    ) -> bool:
        """Tell an alert in the next channel that may take it, and say why there; False when none is left.

        It stays there: a card that jumps back and forth is two cards.
        """
        under = standing.under(record)
        if not isinstance(record, AlertGroup | Storm | Notice) and not under:
            return False
        if isinstance(record, Incident) or under.startswith("incident:"):
            return False  # who may see it is not for a channel of alerts to say
        lane = before.lane or root.lane or lane_of(record)
        left = [each for each in self._fallback if each != lane_of(record)]
        left = left[left.index(lane) + 1 :] if lane in left else left
        if not left:
            return False
        why = f"{lane} {_NO_PLACE[no.code]}: told here"
        log.error("%s cannot be told in %s (%s): told in %s", claim.card, lane, no.code, left[0])
        self._outbox.bury(f"channel {lane}", _ELSEWHERE, lane, no.code)
        # The card takes its thread along; what is told under another's card goes by itself.
        key = message.key if under else self._drawn(record, {})[0].key
        self._outbox.note_sent(claim.card, message.key, Sent())
        self._outbox.note_sent(claim.card, key, Sent(channel=left[0], lane=left[0], moved=why))
        return True

    def _has_lost_place(self, claim: Claim, record: Record, message: Message, no: Refusal) -> bool:
        """Whether an incident is to be told elsewhere from now on, or not at all."""
        if self._rooms is None or not isinstance(record, Incident) or message.channel:
            return False
        return self._rooms.gone(claim, record, _NO_PLACE.get(no.code, "is archived"))

    def _shared_or_lost(self, claim: Claim, message: Message, before: Sent) -> Next:
        """An upload cannot be shared (again): Slack has shared it and will show it soon, or has forgotten it."""
        if time.time() - before.trying < _PATIENCE * self._pace.settle.total_seconds():
            return Next(again=self._pace.settle)
        log.warning("%s of %s is not in Slack: uploaded anew", message.key, claim.card)
        anew = Sent(channel=before.channel, lane=before.lane, moved=before.moved)
        self._outbox.note_sent(claim.card, message.key, anew)
        return Next(again=timedelta(0))

    def _unanswered(self, claim: Claim, why: str) -> Next:
        """No answer, or "later". A post may have arrived: the next claim looks before it posts again."""
        wait = self._pace.backoff[min(self._failures, len(self._pace.backoff) - 1)]
        self._failures += 1
        log.warning("Slack does not answer: %s (%s); again in %s s", why, claim.card, wait.total_seconds())
        return Next(again=max(self._pace.settle, wait), pause=wait)
