"""Carries out the commands that enter something into a record (commands/entry.py).

It reads what is given now, lets the command decide, and commits the events, the requests that follow and the audit
line together; when somebody else wrote the record meanwhile it all is decided anew. Every member of the workspace
may, unless the command says no; a refusal is told to the actor alone and written to the audit. Called by bot/desk.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.casebook import Casebook
from bot.people import People
from bot.records import Records
from bot.state import JOB_TIMEOUT, Change, Conflict, State, Stored, Taken, new_id
from commands.catalog import Catalog
from commands.command import Command
from commands.entry import Entry, Given, Write
from commands.errors import Denied, SayBack, Stale, UsageError
from commands.form import NeedsForm
from commands.model import SCHEDULER, Actor, AlertGroup, Args, Place, Request, Section
from commands.response.incident import Incident
from commands.site import Site

# Slack repeats an event for about six minutes.
_REMEMBER_DELIVERY = timedelta(hours=1)
_TRIES = 100
_LISTED = 5

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
        self._casebook = Casebook(state, site)

    def enter(self, wanted: Wanted) -> str:
        """Do it, and say what was done. Raises NeedsForm where something must still be said, and SayBack after writing
        the refusal down. RedisError: nothing was entered."""
        try:
            return self._enter(wanted)
        except NeedsForm:
            raise
        except SayBack as refusal:
            self._refused(wanted, str(refusal))
            raise

    def _enter(self, wanted: Wanted) -> str:
        may = self._people.may_act(wanted.actor)
        if not may.ok:
            raise Denied(may.reason)
        ids: dict[str, str] = {}
        for _ in range(_TRIES):
            if earlier := self._state.mark(f"delivery:{wanted.delivery}"):
                return earlier
            try:
                return self._try(wanted, ids)
            except (Conflict, Taken):
                continue
        raise Stale("Others are writing this record. Nothing was done. Please try again.")

    def _try(self, wanted: Wanted, ids: dict[str, str]) -> str:
        register = self.records.register()
        stored = self._meant(wanted)
        given = self._given(wanted, stored.record if stored else None)
        assert wanted.command.entry is not None
        entry = wanted.command.entry(given)
        change = self._state.change()
        records = [self._write(change, write, stored, register, ids) for write in entry.writes]
        about = records[0] if records else stored.record if stored else None
        answer = entry.answer.replace("{id}", about.id if about else "")
        if records:
            self._commit(change, wanted, entry, records[0], answer)
        return answer

    def _write(
        self,
        change: Change,
        write: Write,
        stored: Stored[Incident] | None,
        register: str,
        ids: dict[str, str],
    ) -> Incident:
        if not write.id:
            day = self._now().astimezone(ZoneInfo(self._site.timezone)).date()
            id = ids.setdefault("new", "") or self.records.number("INC", day)
            ids["new"] = id
            return self.records.open(change, id, write.drafts, register)
        if stored is None or stored.record.id != write.id:
            stored = self.records.incident(write.id)
        if stored is None:
            raise Stale(f"There is no incident {write.id}. Nothing was done.")
        return self.records.add(change, stored, write.drafts)

    def _commit(self, change: Change, wanted: Wanted, entry: Entry, about: Incident, answer: str) -> None:
        for line in entry.runs:
            request = self.following(line.replace("{id}", about.id), about)
            change.put(request, was="").show(request, priority=2).work(request, timeout=JOB_TIMEOUT)
        act = f"{wanted.args.word} {wanted.args.verb}".strip()
        facts = {"id": about.id, "by": wanted.actor.user, "team": wanted.actor.team, "cluster": about.cluster}
        change.audit("entered", act=act, **facts)
        change.once(f"delivery:{wanted.delivery}", answer, _REMEMBER_DELIVERY).commit()

    def following(self, line: str, incident: Incident) -> Request:
        """What the bot asks for by itself because of an incident, told in the thread of its card."""
        return following(self._catalog, self._site, line, incident, self._now())

    # --- what it is about ---

    def _given(self, wanted: Wanted, incident: Incident | None) -> Given:
        now = self._now()
        channel = self._people.channel_name(wanted.place.channel)
        cluster = self._site.cluster_for(channel, wanted.args.flags.get("cluster", "")).name
        return Given(
            args=wanted.args, actor=wanted.actor, place=wanted.place, now=now, site=self._site,
            cluster=incident.cluster if incident else cluster,
            roles=frozenset(self._people.holder(wanted.actor.user).roles),
            incident=incident, open=self.records.open_incidents(), groups=self._groups(wanted, incident),
        )  # fmt: skip

    def _meant(self, wanted: Wanted) -> Stored[Incident] | None:
        """The incident that is named, else the one whose room this is; None for none of both."""
        named = wanted.args.flags.get("incident", "") or wanted.args.name
        found = self.records.named(named) if is_id(named) else ()
        if is_id(named) and not found:
            raise UsageError(
                f"There is no incident `{named[:40]}`. `/sre incident list` shows the open ones."
            )
        if len(found) > 1:
            listed = ", ".join(f"`{each.id}` {each.title}" for each in found[:_LISTED])
            raise UsageError(f"Which one? {listed}. Type the whole id. Nothing was done.")
        id = found[0].id if found else self.records.in_room(wanted.place.channel, wanted.place.thread)
        return self.records.incident(id) if id else None

    def _groups(self, wanted: Wanted, incident: Incident | None) -> tuple[AlertGroup, ...]:
        if alert := wanted.args.flags.get("alert", ""):
            return self._casebook.named(alert)
        if incident is not None:
            return tuple(each.record for each in self._state.groups([link.group for link in incident.alerts]))
        return self._casebook.told_in(wanted.place.channel, wanted.place.thread)

    def _refused(self, wanted: Wanted, reason: str) -> None:
        act = f"{wanted.args.word} {wanted.args.verb}".strip()
        who = {"by": wanted.actor.user, "team": wanted.actor.team}
        line = self._state.change()
        line.audit("refused", id=wanted.args.name[:40], act=act, reason=reason, **who).commit()


def following(catalog: Catalog, site: Site, line: str, incident: Incident, now: datetime) -> Request:
    """A request that the bot makes by itself because of an incident, told in the thread of its card."""
    parsed = catalog.parse(line)
    cluster = site.cluster_for("", incident.cluster)
    parts = parsed.command.parts(parsed.args, cluster)
    return Request(
        id=new_id(FOLLOWING), text=line, args=parsed.args, actor=SCHEDULER,
        place=replace(Place(incident.room.channel or incident.id), under=f"incident:{incident.id} card"),
        cluster=cluster.name, created=now,
        sections=tuple(Section(key, part.title) for key, part in parts.items()),
    )  # fmt: skip


def is_id(text: str) -> bool:
    """Whether this may be an incident's id or the end of one: "INC-2026-11-23-001", "11-23-001", "001"."""
    plain = text.upper().removeprefix("INC-").replace("-", "")
    return plain.isascii() and plain.isdigit() and len(plain) >= 3
