"""Makes the channel of an incident, once whatever answer gets lost, and looks whether it is still there.

Without one the incident is told in a thread, and the record says why. Works for bot/rooms.py, which says when; changes
the record by events alone.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import render
from bot.incidentwords import is_hidden
from bot.outbox import Claim, Outbox, Sent
from bot.records import Records
from bot.roomstep import Step, from_slack, not_allowed, why
from bot.state import State
from bot.wire import Refusal, Wire
from commands.ledger import Draft
from commands.response import naming
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.site import Site

log = logging.getLogger(__name__)

_ROOM = "room"  # under which attempts to make it are noted, beside the messages of the record


class RoomMaking:
    """look: how often a channel is looked at."""

    def __init__(
        self, state: State, site: Site, wire: Wire, redact: Callable[[str], str], look: timedelta
    ) -> None:
        self._state = state
        self._outbox = Outbox(state)
        self._records = Records(state, site)
        self._site = site
        self._wire = wire
        self._redact = redact
        self._look = look

    def steps(self, claim: Claim, incident: Incident, sent: dict[str, Sent]) -> Iterator[Step]:
        room = incident.room
        is_wanted = incident.wants_channel or (is_hidden(incident) and not room.lost)
        if is_wanted and not room.is_own and not incident.is_over:
            before = sent.get(_ROOM, Sent())
            yield Step(
                _ROOM, "conversations.create", "create channels",
                lambda: self._create(claim, incident, before),
            )  # fmt: skip
        if room.is_own and not incident.is_over and not self._state.recall(_looked(incident.id)):
            yield Step("look", "conversations.info", "look at its channel", lambda: self._inspect(incident))

    def look_again(self, id: str) -> None:
        """Something in it was refused as if it were gone."""
        self._state.remember(_looked(id), "", timedelta(milliseconds=1))

    # --- made ---

    def _create(self, claim: Claim, incident: Incident, before: Sent) -> None:
        """Slack gives no idempotency for a channel but its name: an attempt whose answer got lost is made again by the
        same name, and what is taken then is looked at; what is taken at once is another's. How many names were taken
        stands in `digest`; `file`: only ASCII is taken."""
        name = before.channel if before.trying else self._name(incident, before)
        self._outbox.attempt(claim, _ROOM, replace(before, channel=name, trying=time.time()))
        found: dict[str, Any] | None
        try:
            body = {"name": name, "is_private": is_hidden(incident)}
            found = self._wire.call("conversations.create", json=body)["channel"]
        except SlackApiError as error:
            no = Refusal.of(error)
            if no.is_limit or no.is_silence or no.is_locked_out:
                raise
            is_asked_again = no.code == "name_taken" and before.trying
            found = self._ours(name, incident) if is_asked_again else None
            if found is None:
                self._refused(claim, incident, before, no)
        if found is not None:
            self._bind(incident, str(found["id"]), str(found["name"]))

    def _name(self, incident: Incident, before: Sent) -> str:
        title = render.masked(incident, self._redact).title
        template = self._site.incident.channel_name
        names = naming.names(incident.id, title, template, is_plain=bool(before.file))
        return next(islice(names, int(before.digest or "0"), None))

    def _ours(self, name: str, incident: Incident) -> dict[str, Any] | None:
        """The channel of that name, when it is the one whose answer got lost: made by the bot, and nobody else's."""
        found = self._wire.find_channel(name)
        if found is None or found.get("is_archived") or found.get("creator") != self._me():
            return None
        is_free = self._records.in_room(str(found["id"])) in ("", incident.id)
        return found if is_free and bool(found.get("is_private")) == is_hidden(incident) else None

    def _me(self) -> str:
        return self._state.recall("bot-user") or str(self._wire.ask("auth.test", {})["user_id"])

    def _refused(self, claim: Claim, incident: Incident, before: Sent, no: Refusal) -> None:
        if no.code == "name_taken":
            again = Sent(digest=str(int(before.digest or "0") + 1), file=before.file)
        elif no.code.startswith("invalid_name") and not before.file:
            again = Sent(file="ascii")
        else:
            again = Sent()
            what = f"may not create channels: {why(no)}"
            self.lose(incident.id, what)
            self._records.append(incident.id, lambda _: [not_allowed(what)])
        self._outbox.note_sent(claim.card, _ROOM, again)

    def _bind(self, incident: Incident, channel: str, name: str) -> None:
        self._state.remember(_looked(incident.id), "1", self._look)
        own = draft(Kind.ROOM, f"its channel is #{name}", channel=channel, name=name, own="yes")
        self._records.append(incident.id, lambda now: [] if now.room.is_own else [from_slack(own)])

    def lose(self, id: str, reason: str, *, has_gone: bool = False) -> bool:
        """It has no channel of its own (any more), and the record says why. It is told where it is told already, if
        that is another and has not gone; else in the channel of all incidents, or of security what nobody else may see.
        False when there is no other place."""
        spare = ""

        def lost(now: Incident) -> list[Draft]:
            nonlocal spare
            hidden = is_hidden(now)
            is_there = bool(now.room.channel) and not (now.room.is_own or hidden or has_gone)
            spare = (
                self._site.channel("security") or f"@{now.by}" if hidden else self._site.channel("incidents")
            )
            place, thread = (now.room.channel, now.room.thread) if is_there else (spare, "")
            if (place, thread) == (now.room.channel, now.room.thread) and has_gone:
                spare = ""
                return []
            told = draft(Kind.ROOM, f"told in {place}: {reason}", channel=place, thread=thread, lost=reason)
            return [from_slack(told)]

        log.error("%s has no channel of its own: %s", id, reason)
        self._records.append(id, lost)
        return bool(spare)

    # --- looked at ---

    def _inspect(self, incident: Incident) -> None:
        """By its id, whatever people call it. Where nothing can be told any more it is told elsewhere; what somebody
        archived stays so."""
        self._state.remember(_looked(incident.id), "1", self._look)
        try:
            found = self._wire.ask("conversations.info", {"channel": incident.room.channel})["channel"]
        except SlackApiError as error:
            if Refusal.of(error).code != "channel_not_found":
                raise
            self.lose(incident.id, f"#{incident.room.name} is gone, or the bot was removed from it")
            return
        if found.get("is_archived"):
            self.lose(incident.id, f"#{found['name']} was archived")
        elif found.get("is_member") is False:
            self.lose(incident.id, f"the bot was removed from #{found['name']}")
        else:
            self._note(incident, found)

    def _note(self, incident: Incident, found: dict[str, Any]) -> None:
        """What people made of it; and what only they can make of it."""
        if found["name"] != incident.room.name:
            self._rename(incident.id, str(found["name"]))
        if is_hidden(incident) and not found.get("is_private"):
            what = "may not make its channel private: everybody can read it until somebody does that in Slack"
            self._records.append(incident.id, lambda _: [not_allowed(what)])

    def _rename(self, id: str, name: str) -> None:
        def renamed(now: Incident) -> list[Draft]:
            if now.room.name == name or not now.room.is_own:
                return []
            text = f"its channel is called #{name} now"
            return [from_slack(draft(Kind.ROOM, text, channel=now.room.channel, name=name, own="yes"))]

        self._records.append(id, renamed)


def _looked(id: str) -> str:
    return f"looked-{id}"
