"""What a decision about a record is made of (commands/entry.py): which incident is meant, what belongs to it, who asks.

A private incident is not there for whoever may not know of it, however they name it. What is read for an attempt is
noted in it: it must still stand when the decision is written. Called by bot/clerk.py and bot/desk.py.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bot.casebook import Casebook
from bot.people import People
from bot.records import Records
from bot.state import State, Stored
from bot.taskrecords import TaskRecords
from commands.catalog import Catalog
from commands.chronicle import is_of
from commands.command import Command
from commands.entry import CHANGE, EVENT, INCIDENT, OTHER, TASK, Given, is_id, is_whole
from commands.errors import UsageError
from commands.ledger import Event
from commands.model import Actor, AlertGroup, Args, Place, Request
from commands.response.incident import Incident
from commands.response.seeing import may_see
from commands.response.task import Task
from commands.site import Site

# What opens an incident is about the alert it is typed under, wherever that is told.
_OPENING = ("declare", "security")
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody wants something entered. delivery: what makes copies of the same delivery recognisable."""

    command: Command
    args: Args
    actor: Actor
    place: Place
    delivery: str


@dataclass(slots=True)
class Attempt:
    """One attempt: the records as they were read, each of which must still stand when it is written. id: of a record
    that is new, the same in every attempt."""

    register: str
    id: str = ""
    records: dict[str, Stored[Incident]] = field(default_factory=dict)
    tasks: dict[str, Stored[Task]] = field(default_factory=dict)


class Givens:
    def __init__(
        self, state: State, catalog: Catalog, site: Site, people: People, now: Callable[[], datetime]
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._people = people
        self._now = now
        self.records = Records(state, site, now)
        self.tasks = TaskRecords(state, site, now)
        self._casebook = Casebook(state, site)

    def given(self, wanted: Wanted, attempt: Attempt) -> Given:
        now, places = self._now(), wanted.command.names.split()
        channel = self._people.channel_name(wanted.place.channel)
        cluster = self._site.cluster_for(channel, wanted.args.flags.get("cluster", "")).name
        roles = frozenset(self._people.holder(wanted.actor.user).roles)
        incident = self._meant(wanted, roles, attempt)
        groups = self._groups(wanted, incident)
        other = self._other(wanted, incident, roles, attempt) or self._last(wanted, groups, roles, attempt)
        everything = self.records.open_incidents()
        visible = tuple(each for each in everything if self._may_see(each, wanted, roles))
        return Given(
            args=wanted.args, actor=wanted.actor, place=wanted.place, now=now, site=self._site,
            cluster=incident.cluster if incident else cluster, roles=roles, incident=incident, other=other,
            open=visible, groups=groups, around=self._around(incident),
            request=self._change(wanted) if CHANGE in places else None,
            event=self._event(wanted, incident) if EVENT in places else None,
            names=dict(self._names(incident, now)),
            task=self._task(wanted, roles, attempt) if TASK in places else None,
        )  # fmt: skip

    def _may_see(self, incident: Incident, wanted: Wanted, roles: frozenset[str]) -> bool:
        return may_see(incident, wanted.actor.user, roles, wanted.place.channel)

    def _meant(self, wanted: Wanted, roles: frozenset[str], attempt: Attempt) -> Incident | None:
        """The incident that is named, else the one whose room this is; None for none of both."""
        flag = wanted.args.flags.get("incident", "")
        if flag:
            return self._named(flag, wanted, roles, attempt)
        name, places = wanted.args.name, wanted.command.names.split()
        if is_id(name) if INCIDENT in places else is_whole(name) and OTHER not in places:
            return self._named(name, wanted, roles, attempt)
        id = self.records.in_room(wanted.place.channel, wanted.place.thread)
        found = self._loaded(id, attempt) if id else None
        return found if found and self._may_see(found, wanted, roles) else None

    def _other(
        self, wanted: Wanted, incident: Incident | None, roles: frozenset[str], attempt: Attempt
    ) -> Incident | None:
        if OTHER in wanted.command.names.split() and wanted.args.name:
            return self._named(wanted.args.name, wanted, roles, attempt)
        found = self._loaded(incident.merged_into, attempt) if incident and incident.merged_into else None
        return found if found and self._may_see(found, wanted, roles) else None

    def _last(
        self, wanted: Wanted, groups: tuple[AlertGroup, ...], roles: frozenset[str], attempt: Attempt
    ) -> Incident | None:
        """Of an alert that an incident is to be opened for: the one it belonged to last."""
        if wanted.args.verb not in _OPENING or len(groups) != 1:
            return None
        id = self.records.of_group(groups[0].id)
        found = self._loaded(id, attempt) if id else None
        return found if found and self._may_see(found, wanted, roles) else None

    def _named(self, text: str, wanted: Wanted, roles: frozenset[str], attempt: Attempt) -> Incident:
        found = [each for each in self.records.named(text) if self._may_see(each, wanted, roles)]
        if not (is_id(text) and found):
            raise no_incident(text)
        if len(found) > 1:
            listed = ", ".join(f"`{each.id}` {each.title}" for each in found[:_LISTED])
            raise UsageError(f"Which one? {listed}. Type the whole id. Nothing was done.")
        return self._loaded(found[0].id, attempt) or found[0]

    def _loaded(self, id: str, attempt: Attempt) -> Incident | None:
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
        if incident is None or not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            return None
        return next(iter(self.records.events(incident.id, int(number) - 1, 1)), None)

    def _task(self, wanted: Wanted, roles: frozenset[str], attempt: Attempt) -> Task | None:
        """The task that the line names: of a private incident only for who may know of that."""
        named = self.tasks.named(wanted.args.name) if wanted.args.name else ()
        found = [each for each in named if self.may_know(each, wanted.actor.user, roles)]
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


def no_incident(named: str) -> UsageError:
    """Said of one that does not exist, and of one that the asker may not know of."""
    return UsageError(
        f"There is no incident `{named[:40].replace('`', '')}`. `/sre incident list` shows the open ones. "
        "Nothing was done."
    )
