"""Carries out the commands that enter something into an incident or a task, on the road of bot/entryclerk.py.

It reads what is given now, lets the command decide, and commits the events, the requests that follow and the audit line
together. What a private incident is nobody learns here who may not know of it. Called by bot/desk.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from bot.decisions import Decisions
from bot.entryclerk import Entered, EntryClerk
from bot.following import following as asked
from bot.givens import Attempt, Givens, Wanted
from bot.metrics import APPROVALS
from bot.people import People
from bot.state import Change, State
from commands.catalog import Catalog
from commands.entry import Entry, Write, is_id
from commands.errors import Stale
from commands.ledger import Draft
from commands.model import Place, Request
from commands.response.incident import Incident
from commands.response.task import Task
from commands.site import Site

_ID = re.compile(r"INC-\d{4}-\d{2}-\d{2}-\d{3,}")


class Clerk(EntryClerk):
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        super().__init__(state, catalog, site, people, now)
        self.givens = Givens(state, catalog, site, people, now)
        self.records, self.tasks = self.givens.records, self.givens.tasks
        self._decisions = Decisions(state, catalog, site, people, now)

    def _register(self) -> str:
        return self.records.register()

    def _try(self, wanted: Wanted, attempt: Attempt) -> Entered:
        given = self.givens.given(wanted, attempt)
        assert wanted.command.entry is not None
        entry = wanted.command.entry(given)
        change = self._state.change()
        writes = sorted(enumerate(entry.writes), key=lambda each: bool(each[1].id))  # others may name the new
        records = {n: self._write(change, write, attempt) for n, write in writes}
        about = records.get(0, given.incident)
        named = attempt.id or (about.id if about else "")
        told = tuple(replace(each, text=each.text.replace("{id}", named)) for each in entry.suggestions)
        answer = Entered(entry.answer.replace("{id}", named), self._catalog.offered(told))
        if records:
            self._follow(change, wanted, entry, records[0])
            about = records[0]
            self._commit(change, wanted, answer, id=about.id, cluster=about.cluster)
            if entry.breaks:
                APPROVALS.labels("glass").inc()
        return answer

    def _write(self, change: Change, write: Write, attempt: Attempt) -> Incident | Task:
        if write.word == "task":
            return self._write_task(change, write, attempt)
        if not write.id:
            attempt.id = attempt.id or self.records.number("INC", self._today())
            return self.records.open(change, attempt.id, write.drafts, attempt.register)
        stored = attempt.records.get(write.id) or self.records.incident(write.id)
        if stored is None:
            raise Stale(f"There is no incident {write.id}. Nothing was done.")
        drafts = [_naming(draft, attempt.id) for draft in write.drafts]
        if write.erases:
            return self.records.erase(change, stored, write.erases, drafts[0])
        return self.records.add(change, stored, drafts)

    def _write_task(self, change: Change, write: Write, attempt: Attempt) -> Task:
        if not write.id:
            attempt.id = attempt.id or self.tasks.number("TSK", self._today())
            return self.tasks.open(change, attempt.id, write.drafts, self.tasks.register())
        stored = attempt.tasks.get(write.id)
        if stored is None:
            raise Stale(f"There is no task {write.id}. Nothing was done.")
        return self.tasks.add(change, stored, write.drafts)

    def _follow(self, change: Change, wanted: Wanted, entry: Entry, about: Incident | Task) -> None:
        """What goes with it: looks, things that are kept for good, a plan that is approved without a second person."""
        for line in entry.runs:
            assert isinstance(about, Incident)  # nothing runs because of a task
            text = line.replace("{id}", about.id)
            self._ask(change, following(self._catalog, self._site, text, about, self._now()))
        for name in entry.keeps:
            change.keep_for_good(name)
        if entry.breaks:
            self._decisions.broken(change, entry.breaks, wanted.actor, about.id)

    def _named(self, wanted: Wanted) -> str:
        named = wanted.args.flags.get("incident", "") or wanted.args.name
        return named[:40] if is_id(named) else ""

    def _public(self, reason: str) -> str:
        """Without what private incidents are about."""
        for id in dict.fromkeys(_ID.findall(reason)):
            stored = self.records.incident(id)
            if stored is not None and stored.record.is_private:
                for said in (stored.record.title, stored.record.room.name):
                    reason = reason.replace(said, "(private)") if said else reason
        return reason


def following(catalog: Catalog, site: Site, line: str, incident: Incident, now: datetime) -> Request | None:
    """What the bot asks for by itself because of an incident."""
    place = Place(incident.room.channel or incident.id, under=f"incident:{incident.id} card")
    return asked(catalog, site, line, incident.cluster, place, now)


def _naming(draft: Draft, id: str) -> Draft:
    """An event that speaks of a record which is opened together with it."""
    if not id:
        return draft
    facts: Mapping[str, str] = {name: value.replace("{id}", id) for name, value in draft.facts.items()}
    return replace(draft, text=draft.text.replace("{id}", id), facts=facts)
