"""Carries out the commands that enter something into a change request (commands/changes), on the road of
bot/entryclerk.py.

Every write counts the register of change requests on: of two that begin on one service at once, the second sees the
first. Called by bot/desk.py.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.changerecords import ChangeRecords, following
from bot.entryclerk import Entered, EntryClerk
from bot.givens import Attempt, Wanted
from bot.people import People
from bot.records import Records
from bot.state import Change, State, Stored
from commands.catalog import Catalog
from commands.entry import Given, Road, Write
from commands.errors import Stale, UsageError
from commands.model import Args, Place
from commands.response.changerequest import ChangeRequest
from commands.response.seeing import may_see
from commands.site import Site

_LISTED = 5


class ChangeClerk(EntryClerk):
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        super().__init__(state, catalog, site, people, now)
        self._incidents = Records(state, site, now)
        self.changes = ChangeRecords(state, site, now)

    def _register(self) -> str:
        return self.changes.register()

    def _try(self, wanted: Wanted, attempt: Attempt) -> Entered:
        stored, args = self.meant(wanted.args, wanted.place)
        given = self._given(replace(wanted, args=args), stored.record if stored else None)
        assert wanted.command.entry is not None
        entry = wanted.command.entry(given)
        if not entry.writes:
            return Entered(entry.answer)
        change = self._state.change()
        (record, *_) = [self._write(change, write, stored, given, attempt) for write in entry.writes]
        for line in entry.runs:
            text = line.replace("{id}", record.id)
            self._ask(change, following(self._catalog, self._site, text, record, self._now()))
        answer = Entered(entry.answer.replace("{id}", record.id))
        cluster = record.payload.cluster
        self._commit(change, wanted, answer, id=record.id, cluster=cluster, digest=record.digest)
        return answer

    def _write(
        self,
        change: Change,
        write: Write,
        stored: Stored[ChangeRequest] | None,
        given: Given,
        attempt: Attempt,
    ) -> ChangeRequest:
        if not write.id:
            form = self._site.cluster_for("", given.cluster).change.id
            attempt.id = attempt.id or self.changes.next_id(self._today(), form)
            return self.changes.open(change, attempt.id, write.drafts, attempt.register)
        if stored is None or stored.record.id != write.id:
            raise Stale(f"There is no change request {write.id}. Nothing was done.")
        self.changes.expect(change, attempt.register)
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
        parsed = self._catalog.parse(line)
        command = parsed.command
        if command.change is not None:
            return "changes"
        is_entry = command.entry is not None and command.enters(parsed.args)
        return "enters" if is_entry or command.decides or command.immediate else "looks"

    def _named(self, wanted: Wanted) -> str:
        return wanted.args.name[:40]


def is_id(text: str) -> bool:
    """Whether this may be an id or the end of one: it has three digits, and nothing that no id has."""
    return len(re.findall(r"\d", text)) >= 3 and re.fullmatch(r"[\w-]{3,60}", text) is not None
