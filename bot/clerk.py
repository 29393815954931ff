"""Carries out the commands that enter something into a record (commands/entry.py).

It reads what is given now, lets the command decide, and commits the events, the requests that follow and the audit
line together; when somebody else wrote the record meanwhile it all is decided anew. Every member of the workspace
may, unless the command says no; a refusal is told to the actor alone and written to the audit. What a private incident
is nobody learns here who may not know of it. Called by bot/desk.py.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from bot.casebook import Casebook
from bot.decisions import Decisions
from bot.people import People
from bot.records import Records
from bot.state import JOB_TIMEOUT, Change, Conflict, State, Stored, Taken, new_id
from bot.taskrecords import TaskRecords
from commands.catalog import Catalog
from commands.chronicle import is_of
from commands.command import Command
from commands.entry import CHANGE, EVENT, INCIDENT, OTHER, TASK, Entry, Given, Write, is_id, is_whole
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.finding import Suggestion
from commands.form import NeedsForm
from commands.ledger import Draft, Event
from commands.model import SCHEDULER, Actor, AlertGroup, Args, Place, Request, Section
from commands.response.incident import Incident
from commands.response.seeing import may_see
from commands.response.task import Task
from commands.site import Site

_ID = re.compile(r"INC-\d{4}-\d{2}-\d{2}-\d{3,}")

# Slack repeats an event for about six minutes.
_REMEMBER_DELIVERY = timedelta(hours=1)
_TRIES = 100
_LISTED = 5

# What opens an incident is about the alert it is typed under, wherever that is told.
_OPENING = ("declare", "security")

# What the ids of requests begin with that follow from a record by themselves.
FOLLOWING = "F"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody wants something entered. delivery: what makes copies of the same delivery recognisable."""

    command: Command
    args: Args
    actor: Actor
    place: Place
    delivery: str


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


@dataclass(slots=True)
class _Try:
    """One attempt: the records as they were read, each of which must still stand when it is written. id: of a record
    that is new, the same in every attempt."""

    register: str
    id: str = ""
    records: dict[str, Stored[Incident]] = field(default_factory=dict)
    tasks: dict[str, Stored[Task]] = field(default_factory=dict)


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
        self.records = Records(state, site, now)
        self.tasks = TaskRecords(state, site, now)
        self._casebook = Casebook(state, site)
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
            attempt = _Try(self.records.register(), id)
            try:
                return self._try(wanted, attempt)
            except (Conflict, Taken):
                id = attempt.id
        raise Stale("Others are writing this record. Nothing was done. Please try again.")

    def _try(self, wanted: Wanted, attempt: _Try) -> Entered:
        given = self._given(wanted, attempt)
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

    def _write(self, change: Change, write: Write, attempt: _Try) -> Incident | Task:
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

    def _write_task(self, change: Change, write: Write, attempt: _Try) -> Task:
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

    # --- what it is about ---

    def _given(self, wanted: Wanted, attempt: _Try) -> Given:
        now, places = self._now(), wanted.command.names.split()
        channel = self._people.channel_name(wanted.place.channel)
        cluster = self._site.cluster_for(channel, wanted.args.flags.get("cluster", "")).name
        roles = frozenset(self._people.holder(wanted.actor.user).roles)
        incident = self._meant(wanted, roles, attempt)
        other = self._other(wanted, incident, roles, attempt)
        everything = self.records.open_incidents()
        visible = tuple(each for each in everything if self._may_see(each, wanted, roles))
        return Given(
            args=wanted.args, actor=wanted.actor, place=wanted.place, now=now, site=self._site,
            cluster=incident.cluster if incident else cluster, roles=roles, incident=incident, other=other,
            open=visible, groups=self._groups(wanted, incident), around=self._around(incident),
            request=self._change(wanted) if CHANGE in places else None,
            event=self._event(wanted, incident) if EVENT in places else None,
            names=dict(self._names(incident, now)),
            task=self._task(wanted, roles, attempt) if TASK in places else None,
        )  # fmt: skip

    def _may_see(self, incident: Incident, wanted: Wanted, roles: frozenset[str]) -> bool:
        return may_see(incident, wanted.actor.user, roles, wanted.place.channel)

    def _meant(self, wanted: Wanted, roles: frozenset[str], attempt: _Try) -> Incident | None:
        """The incident that is named, else the one whose room this is; None for none of both."""
        flag = wanted.args.flags.get("incident", "")
        if flag:
            return self._named(flag, wanted, roles, attempt)
        if INCIDENT in wanted.command.names.split() and is_id(wanted.args.name):
            return self._named(wanted.args.name, wanted, roles, attempt)
        if is_whole(wanted.args.name) and OTHER not in wanted.command.names.split():
            return self._named(wanted.args.name, wanted, roles, attempt)
        id = self.records.in_room(wanted.place.channel, wanted.place.thread)
        found = self._loaded(id, attempt) if id else None
        return found if found and self._may_see(found, wanted, roles) else None

    def _other(
        self, wanted: Wanted, incident: Incident | None, roles: frozenset[str], attempt: _Try
    ) -> Incident | None:
        if OTHER in wanted.command.names.split() and wanted.args.name:
            return self._named(wanted.args.name, wanted, roles, attempt)
        return self._loaded(incident.merged_into, attempt) if incident and incident.merged_into else None

    def _named(self, text: str, wanted: Wanted, roles: frozenset[str], attempt: _Try) -> Incident:
        found = [each for each in self.records.named(text) if self._may_see(each, wanted, roles)]
        if not (is_id(text) and found):
            raise UsageError(
                f"There is no incident `{text[:40].replace('`', '')}`. `/sre incident list` shows the open ones. "
                "Nothing was done."
            )
        if len(found) > 1:
            listed = ", ".join(f"`{each.id}` {each.title}" for each in found[:_LISTED])
            raise UsageError(f"Which one? {listed}. Type the whole id. Nothing was done.")
        return self._loaded(found[0].id, attempt) or found[0]

    def _loaded(self, id: str, attempt: _Try) -> Incident | None:
        stored = self.records.incident(id)
        if stored is None:
            return None
        attempt.records[id] = stored
        return stored.record

    def _groups(self, wanted: Wanted, incident: Incident | None) -> tuple[AlertGroup, ...]:
        if alert := wanted.args.flags.get("alert", ""):
            return self._casebook.named(alert)
        if incident is not None and wanted.args.verb not in _OPENING:
            return tuple(each.record for each in self._state.groups([link.group for link in incident.alerts]))
        return self._casebook.told_in(wanted.place.channel, wanted.place.thread)

    def _around(self, incident: Incident | None) -> tuple[AlertGroup, ...]:
        if incident is None or not incident.service:
            return ()
        open_groups = self._casebook.open_groups(incident.cluster)
        return tuple(each for each in open_groups if is_of(each, incident.service, incident.cluster))

    def _change(self, wanted: Wanted) -> Request | None:
        stored = self._state.request(wanted.args.name.upper()) if wanted.args.name else None
        is_change = stored is not None and self._catalog.changes(stored.record.args)
        return stored.record if stored is not None and is_change else None

    def _event(self, wanted: Wanted, incident: Incident | None) -> Event | None:
        """The event that the line names by its number."""
        number = wanted.args.name.removeprefix("#")
        if (
            incident is None
            or not (number.isascii() and number.isdigit())
            or len(number) > 9
            or number == "0"
        ):
            return None
        return next(iter(self.records.events(incident.id, int(number) - 1, 1)), None)

    def _task(self, wanted: Wanted, roles: frozenset[str], attempt: _Try) -> Task | None:
        """The task that the line names: of a private incident only for who may know of that."""
        text = wanted.args.name
        found = (
            [each for each in self.tasks.named(text) if self.may_know(each, wanted.actor.user, roles)]
            if text
            else []
        )
        if len(found) > 1:
            listed = ", ".join(f"`{each.id}` {each.title}" for each in found[:_LISTED])
            raise UsageError(f"Which one? {listed}. Type the whole id. Nothing was done.")
        stored = self.tasks.stored(found[0].id) if found else None
        if stored is None:
            return None
        attempt.tasks[stored.record.id] = stored
        return stored.record

    def may_know(self, task: Task, user: str, roles: Collection[str]) -> bool:
        """Whether this user may know of a task: of a private incident's only who may see that, and whose it is."""
        of = self.records.incident(task.incident) if task.incident else None
        return of is None or task.owner == user or may_see(of.record, user, roles)

    def _names(self, incident: Incident | None, now: datetime) -> Iterator[tuple[str, str]]:
        users = set(self._site.rota(now))
        if incident is not None:
            users |= {incident.by, *incident.people, *(held.user for held in incident.roles.values())}
            users |= {offer.user for offer in incident.offers} | {page.user for page in incident.pages}
        for user in users - {""}:
            called = self._state.called(user)
            if called:
                yield user, called

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
