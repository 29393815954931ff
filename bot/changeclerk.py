"""Carries out the commands that enter something into a change request (commands/changes), as bot/clerk.py does for
incidents: it reads what is given now, lets the command decide, and commits events, requests that follow and the audit line
together.

Whoever was slower decides anew, and every write counts the register of change requests on: of two that begin on one
service at once, the second sees the first. Every member of the workspace may, unless the command says no; a refusal is
told to the actor alone and written to the audit. Called by bot/desk.py.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.changerecords import ChangeRecords, following
from bot.clerk import Entered
from bot.givens import Wanted
from bot.people import People
from bot.records import Records
from bot.state import JOB_TIMEOUT, Change, Conflict, State, Stored, Taken
from commands.catalog import Catalog
from commands.entry import Entry, Given, Road, Write
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.form import NeedsForm
from commands.model import Args, Place
from commands.response.changerequest import ChangeRequest
from commands.response.seeing import may_see
from commands.site import Site

# Slack repeats an event for about six minutes.
_REMEMBER_DELIVERY = timedelta(hours=1)
_TRIES = 100
_LISTED = 5


class ChangeClerk:
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._now = now
        self._incidents = Records(state, site, now)
        self.changes = ChangeRecords(state, site, now)

    def enter(self, wanted: Wanted) -> Entered:
        """Do it, and say what was done. Raises NeedsForm where something must still be said, and SayBack after writing
        the refusal down. RedisError: nothing was entered."""
        try:
            return self._enter(wanted)
        except NeedsForm:
            raise
        except SayBack as refusal:
            self._refused(wanted, str(refusal))
            raise

    def _enter(self, wanted: Wanted) -> Entered:
        may = self._people.may_act(wanted.actor)
        if not may.ok:
            raise Denied(may.reason)
        id = ""
        for _ in range(_TRIES):
            if earlier := self._state.mark(f"delivery:{wanted.delivery}"):
                return Entered(earlier)
            register = self.changes.register()
            stored, args = self.meant(wanted.args, wanted.place)
            given = self._given(replace(wanted, args=args), stored.record if stored else None)
            assert wanted.command.entry is not None
            entry = wanted.command.entry(given)
            if any(not write.id for write in entry.writes):
                id = id or self._next_id(given)
            try:
                return self._commit(wanted, entry, stored, register, id)
            except (Conflict, Taken):
                continue
        raise Stale("Others are writing this record. Nothing was done. Please try again.")

    def _next_id(self, given: Given) -> str:
        """Numbered by the day in the zone of the configuration, once for all attempts."""
        day = self._now().astimezone(ZoneInfo(self._site.timezone)).date()
        return self.changes.next_id(day, self._site.cluster_for("", given.cluster).change.id)

    def _commit(
        self, wanted: Wanted, entry: Entry, stored: Stored[ChangeRequest] | None, register: str, id: str
    ) -> Entered:
        if not entry.writes:
            return Entered(entry.answer)
        change = self._state.change()
        (record, *_) = [self._write(change, write, stored, register, id) for write in entry.writes]
        for line in entry.runs:
            line = line.replace("{id}", record.id)
            request = following(self._catalog, self._site, line, record, self._now())
            if request is not None:
                change.put(request, was="").show(request, priority=2).work(request, timeout=JOB_TIMEOUT)
        answer = entry.answer.replace("{id}", record.id)
        act = f"{wanted.args.word} {wanted.args.verb}"
        who = {"by": wanted.actor.user, "team": wanted.actor.team}
        change.audit(
            "entered", id=record.id, act=act, cluster=record.payload.cluster, digest=record.digest, **who
        )
        change.once(f"delivery:{wanted.delivery}", answer, _REMEMBER_DELIVERY).commit()
        return Entered(answer)

    def _write(
        self, change: Change, write: Write, stored: Stored[ChangeRequest] | None, register: str, id: str
    ) -> ChangeRequest:
        if not write.id:
            return self.changes.open(change, id, write.drafts, register)
        if stored is None or stored.record.id != write.id:
            raise Stale(f"There is no change request {write.id}. Nothing was done.")
        self.changes.expect(change, register)
        return self.changes.add(change, stored, write.drafts)

    # --- what it is about ---

    def meant(self, args: Args, place: Place) -> tuple[Stored[ChangeRequest] | None, Args]:
        """The one that is named, else the one in the thread of whose card this is; then what stands where its name
        would is text."""
        if args.verb == "new":
            return None, args
        found = self.changes.named(args.name) if is_id(args.name) else ()
        if len(found) > 1:
            listed = ", ".join(f"`{each.id}` {each.payload.what}" for each in found[:_LISTED])
            raise UsageError(f"Which one? {listed}. Type the whole id. Nothing was done.")
        if found:
            return self.changes.stored(found[0].id), args
        id = self.changes.told_in(place.channel, place.thread)
        if is_id(args.name) and not id:
            named = args.name[:40].replace("`", "")
            raise UsageError(f"There is no change request `{named}`. `/sre change list` shows the open ones.")
        if not id:
            return None, args
        return self.changes.stored(id), replace(args, name=id, rest=f"{args.name} {args.rest}".strip())

    def _given(self, wanted: Wanted, change: ChangeRequest | None) -> Given:
        channel = self._people.channel_name(wanted.place.channel)
        roles = self._roles(wanted.actor.user)
        cluster = self._site.cluster_for(channel, wanted.args.flags.get("cluster", "")).name
        user, place = wanted.actor.user, wanted.place
        return Given(
            args=wanted.args, actor=wanted.actor, place=place, now=self._now(), site=self._site,
            cluster=change.payload.cluster if change else cluster, roles=roles,
            open=tuple(each for each in self._incidents.open_incidents() if may_see(each, user, roles, place.channel)),
            change=change, changes=self.changes.open_records(), road=self.road,
            holders={each.user: self._roles(each.user) for each in change.agreed} if change else {},
        )  # fmt: skip

    def _roles(self, user: str) -> frozenset[str]:
        return frozenset(self._people.holder(user).roles)

    def road(self, line: str) -> Road:
        """What a line would do; raises UsageError where it does not parse."""
        command = self._catalog.parse(line).command
        if command.change is not None:
            return "changes"
        return "enters" if command.entry or command.decides or command.immediate else "looks"

    def _refused(self, wanted: Wanted, reason: str) -> None:
        act = f"{wanted.args.word} {wanted.args.verb}"
        who = {"by": wanted.actor.user, "team": wanted.actor.team}
        line = self._state.change()
        line.audit("refused", id=wanted.args.name[:40], act=act, reason=reason, **who).commit()


def is_id(text: str) -> bool:
    """Whether this may be an id or the end of one: it has three digits, and nothing that no id has."""
    return len(re.findall(r"\d", text)) >= 3 and re.fullmatch(r"[\w-]{3,60}", text) is not None
