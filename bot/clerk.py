"""Carries out the commands that enter something into a record (commands/entry.py).

It reads what is given now, lets the command decide, and commits the events, the requests that follow and the audit
line together; when somebody else wrote the record meanwhile it all is decided anew. Every member of the workspace
may, unless the command says no; a refusal is told to the actor alone and written to the audit. What a private incident
is nobody learns here who may not know of it. Called by bot/desk.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from bot.decisions import Decisions
from bot.givens import Attempt, Givens, Wanted
from bot.people import People
from bot.state import JOB_TIMEOUT, Change, Conflict, State, Taken, new_id
from commands.catalog import Catalog
from commands.entry import Entry, Given, Write, is_id
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.finding import Suggestion
from commands.form import NeedsForm
from commands.ledger import Draft
from commands.model import SCHEDULER, Place, Request, Section
from commands.response.incident import Incident
from commands.response.task import Task
from commands.site import Site

_ID = re.compile(r"INC-\d{4}-\d{2}-\d{2}-\d{3,}")

# Slack repeats an event for about six minutes.
_REMEMBER_DELIVERY = timedelta(hours=1)
_TRIES = 100

# What the ids of requests begin with that follow from a record by themselves.
FOLLOWING = "F"


@dataclass(frozen=True, slots=True)
class Entered:
    """What was done, and the buttons that go on from there."""

    answer: str
    suggestions: tuple[Suggestion, ...] = ()

    def kept(self) -> str:
        return orjson.dumps([self.answer, [[each.label, each.text] for each in self.suggestions]]).decode()

    @classmethod
    def of(cls, kept: str) -> "Entered":
        """As it was told to the first delivery of the same thing."""
        answer, buttons = orjson.loads(kept)
        return cls(answer, tuple(Suggestion(label, text) for label, text in buttons))


class Clerk:
    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        people: People,
        now: Callable[[], datetime],
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._now = now
        self.givens = Givens(state, catalog, site, people, now)
        self.records, self.tasks = self.givens.records, self.givens.tasks
        self._decisions = Decisions(state, catalog, site, people, now)

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
                return Entered.of(earlier)
            attempt = Attempt(self.records.register(), id)
            try:
                return self._try(wanted, attempt)
            except Taken:
                id = attempt.id
            except Conflict as conflict:  # a number that is given already is drawn anew
                id = "" if attempt.id and str(conflict).endswith(f":{attempt.id}") else attempt.id
        raise Stale("Others are writing this record. Nothing was done. Please try again.")

    def _try(self, wanted: Wanted, attempt: Attempt) -> Entered:
        given = self.givens.given(wanted, attempt)
        assert wanted.command.entry is not None
        entry = wanted.command.entry(given)
        change = self._state.change()
        records = [self._write(change, write, attempt) for write in entry.writes]
        about = records[0] if records else given.incident
        named = about.id if about else ""
        told = tuple(replace(each, text=each.text.replace("{id}", named)) for each in entry.suggestions)
        answer = Entered(entry.answer.replace("{id}", named), self._catalog.offered(told))
        if records:
            self._commit(change, wanted, given, entry, records[0], answer)
        return answer

    def _write(self, change: Change, write: Write, attempt: Attempt) -> Incident | Task:
        if write.word == "task":
            return self._write_task(change, write, attempt)
        if not write.id:
            day = self._now().astimezone(ZoneInfo(self._site.timezone)).date()
            attempt.id = attempt.id or self.records.number("INC", day)
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
            day = self._now().astimezone(ZoneInfo(self._site.timezone)).date()
            attempt.id = attempt.id or self.tasks.number("TSK", day)
            return self.tasks.open(change, attempt.id, write.drafts, self.tasks.register())
        stored = attempt.tasks.get(write.id)
        if stored is None:
            raise Stale(f"There is no task {write.id}. Nothing was done.")
        return self.tasks.add(change, stored, write.drafts)

    def _commit(
        self,
        change: Change,
        wanted: Wanted,
        given: Given,
        entry: Entry,
        about: Incident | Task,
        answer: Entered,
    ) -> None:
        for line in entry.runs:
            assert isinstance(about, Incident)  # nothing runs because of a task
            request = self.following(line.replace("{id}", about.id), about)
            if request is not None:
                change.put(request, was="").show(request, priority=2).work(request, timeout=JOB_TIMEOUT)
        for name in entry.keeps:
            change.keep_for_good(name)
        if entry.breaks:
            self._decisions.broken(change, entry.breaks, wanted.actor, about.id)
        act = f"{wanted.args.word} {wanted.args.verb}".strip()
        facts = {"id": about.id, "by": wanted.actor.user, "team": wanted.actor.team, "cluster": about.cluster}
        change.audit("entered", act=act, **facts)
        change.once(f"delivery:{wanted.delivery}", answer.kept(), _REMEMBER_DELIVERY).commit()

    def following(self, line: str, incident: Incident) -> Request | None:
        """What the bot asks for by itself because of an incident, told in the thread of its card."""
        return following(self._catalog, self._site, line, incident, self._now())

    def _refused(self, wanted: Wanted, reason: str) -> None:
        act = f"{wanted.args.word} {wanted.args.verb}".strip()
        who = {"by": wanted.actor.user, "team": wanted.actor.team}
        named = wanted.args.flags.get("incident", "") or wanted.args.name
        line = self._state.change()
        line.audit(
            "refused", id=named[:40] if is_id(named) else "", act=act, reason=self._public(reason), **who
        )
        line.commit()

    def _public(self, reason: str) -> str:
        """As everybody may read it in the audit: without what private incidents are about."""
        for id in dict.fromkeys(_ID.findall(reason)):
            stored = self.records.incident(id)
            if stored is not None and stored.record.is_private:
                for said in (stored.record.title, stored.record.room.name):
                    reason = reason.replace(said, "(private)") if said else reason
        return reason


def following(catalog: Catalog, site: Site, line: str, incident: Incident, now: datetime) -> Request | None:
    """A request that the bot makes by itself because of an incident, told in the thread of its card; None for a line
    that nothing answers yet, or that would change something: nobody asked for it."""
    try:
        parsed = catalog.parse(line)
        cluster = site.cluster_for("", incident.cluster)
        parts = parsed.command.parts(parsed.args, cluster)
    except UsageError:
        return None
    if not parts or parsed.command.change is not None or parsed.command.immediate:
        return None
    return Request(
        id=new_id(FOLLOWING), text=line, args=parsed.args, actor=SCHEDULER,
        place=replace(Place(incident.room.channel or incident.id), under=f"incident:{incident.id} card"),
        cluster=cluster.name, created=now,
        sections=tuple(Section(key, part.title) for key, part in parts.items()),
    )  # fmt: skip


def _naming(draft: Draft, id: str) -> Draft:
    """An event that speaks of a record which is opened together with it."""
    if not id:
        return draft
    facts: Mapping[str, str] = {name: value.replace("{id}", id) for name, value in draft.facts.items()}
    return replace(draft, text=draft.text.replace("{id}", id), facts=facts)
