"""What the Home tab of somebody shows: the bot's own records, read once for everybody, and of them what one may see.

Reads the store alone and asks nobody. Of a private incident nothing is told to who may not know of it: not itself, its
tasks, nor what was asked for in its channel. Drawn by bot/homecard.py; called by bot/homes.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot import access, duties, homecard
from bot.access import Holder
from bot.casebook import Casebook
from bot.changerecords import ChangeRecords
from bot.decisions import Decisions
from bot.homecard import Few, Glance, Home, Shift, Told
from bot.outbox import Outbox
from bot.people import People
from bot.records import Records
from bot.state import State, card_of
from bot.taskrecords import TaskRecords
from commands.catalog import Catalog
from commands.changelines import may_approve
from commands.model import AlertGroup, Care, Record, Request, Severity
from commands.model import State as Standing
from commands.numbers.turns import turns
from commands.reads import RunView, WhoamiView
from commands.response.changerequest import ChangeRequest, Stage
from commands.response.incident import Incident, Item, ItemState, Role
from commands.response.seeing import may_see
from commands.response.task import Task
from commands.site import Site

_OLD = timedelta(days=1)  # how it stood longer ago says nothing of now
_SHIFTS = timedelta(days=30)  # so far ahead somebody who comes next on call is looked for


@dataclass(frozen=True, slots=True)
class House:
    """What all pages are made of, at a moment; two that are equal make the same pages. urls: of cards, by what the
    outbox calls them. rooms: the incidents whose own channel something was asked for in, those that are over, too."""

    groups: tuple[AlertGroup, ...]
    incidents: tuple[Incident, ...]
    tasks: tuple[Task, ...]
    awaiting: tuple[Request, ...]
    changes: tuple[ChangeRequest, ...]
    clusters: tuple[Glance, ...]
    runs: tuple[RunView, ...]
    shifts: tuple[Shift, ...]
    urls: Mapping[str, str]
    rooms: Mapping[str, Incident]
    today: date


class Views:
    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        people: People,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._site = site
        self.people = people
        self._now = now
        self._outbox = Outbox(state)
        self._casebook = Casebook(state, site)
        self._incidents = Records(state, site, now)
        self._tasks = TaskRecords(state, site, now)
        self._changes = ChangeRecords(state, site, now)
        self._decisions = Decisions(state, catalog, site, people, now)

    # --- for everybody ---

    def house(self) -> House:
        now = self._now()
        groups = tuple(_calm(group) for group in self._casebook.open_groups())
        incidents = self._incidents.open_incidents()
        awaiting = tuple(r for r in self._state.open_requests() if r.state is Standing.AWAITING and r.asking)
        changes = tuple(each for each in self._changes.open_records() if each.stage is Stage.PENDING)
        looks = {name: self._state.last_look("health", name) for name in self._site.clusters}
        answers = tuple(each for each in looks.values() if each)
        others: tuple[Record, ...] = (*incidents, *awaiting, *changes, *answers)
        cards = {card_of(group): f"{group.episode}:card" for group in groups}
        cards |= {card_of(each): "card" for each in others}
        urls = self._urls(cards)
        return House(
            groups, incidents, self._tasks.open_records(), awaiting, changes,
            tuple(self._glance(name, looks[name], groups, urls, now) for name in self._site.clusters),
            tuple(_runs(self._state.run_views(now))), self._shifts(now), urls,
            self._incidents.rooms(each.place.channel for each in (*awaiting, *answers)),
            now.astimezone(ZoneInfo(self._site.timezone)).date(),
        )  # fmt: skip

    def _urls(self, cards: Mapping[str, str]) -> Mapping[str, str]:
        """Where the card of each is, by its address (docs.slack.dev, chat.getPermalink)."""
        workspace = self._state.recall("workspace-url").rstrip("/")
        sent = zip(cards, self._outbox.told(list(cards.items())), strict=True)
        return {
            card: f"{workspace}/archives/{there.channel}/p{there.ts.replace('.', '')}"
            for card, there in sent
            if workspace and there.ts
        }

    def _glance(
        self,
        name: str,
        look: Request | None,
        groups: tuple[AlertGroup, ...],
        urls: Mapping[str, str],
        now: datetime,
    ) -> Glance:
        own = [g for g in groups if name == g.cluster or (not g.cluster and len(self._site.clusters) == 1)]
        counts = tuple((grade, sum(group.severity is grade for group in own)) for grade in Severity)
        health = Told(_short(look), urls.get(card_of(look), "")) if look else None
        since = now - (look.finished or look.created) if look else timedelta(0)
        return Glance(name, counts, self._deaf(name, now), health, since // _OLD)

    def _deaf(self, cluster: str, now: datetime) -> str:
        """A worker marks a Watchdog that is missed (workers/rounds.py), so this is looked at here, too: it may be that
        none is alive."""
        heard = self._state.heard
        beat = heard(duties.beat_of(self._site, cluster))
        if beat is None:
            return "no Watchdog of it was ever heard"
        ear = duties.Ear(beat, heard("listening-since"), heard("listening"))
        after = self._site.clusters[cluster].alerts.watchdog.silent_for
        is_missed = bool(self._state.mark(duties.missing(cluster))) or duties.is_silent(ear, now, after)
        return "its Watchdog is not heard any more" if is_missed else ""

    def _shifts(self, now: datetime) -> tuple[Shift, ...]:
        end = now + _SHIFTS
        found = turns(self._site, now, end)[:2]
        return tuple(Shift(turn.user, turn.end if turn.end < end else None) for turn in found)

    # --- for one ---

    def of(self, house: House, user: str, channel: str) -> Home:
        holder = self.people.holder(user)
        seen = tuple(each for each in house.incidents if may_see(each, user, holder.roles))
        hidden = {at for at, of in house.rooms.items() if not may_see(of, user, holder.roles)}
        waiting = [
            each
            for each in self._decisions.waiting_among(house.awaiting, user)
            if each.place.channel not in hidden
        ]
        alerts = sorted(house.groups, key=lambda group: not self._is_mine(group, user))  # stays gravest first
        own = [task for task in house.tasks if task.owner == user]
        return Home(
            user=user, channel=channel, today=house.today, runs=house.runs, shifts=house.shifts,
            alerts=Few.of([self._told(house, each, user) for each in alerts], homecard.ALERTS),
            incidents=Few.of([Told(_bare(each), _url(house, each)) for each in seen], homecard.INCIDENTS),
            waiting=Few.of([Told(_unplanned(each), _url(house, each)) for each in waiting], homecard.WAITING),
            changes=Few.of(
                [Told(_payload(each), _url(house, each)) for each in self._mine(house, user, holder)],
                homecard.WAITING,
            ),
            clusters=tuple(_open_to(glance, hidden) for glance in house.clusters),
            tasks=Few.of(sorted(own, key=lambda task: (task.due, task.id)), homecard.TASKS),
            owed=Few.of(sorted(_owed(seen, user), key=lambda each: each[1].due), homecard.TASKS),
            who=self._who(holder),
        )  # fmt: skip

    def _told(self, house: House, group: AlertGroup, user: str) -> Told[AlertGroup]:
        return Told(group, _url(house, group), self._is_mine(group, user))

    def _is_mine(self, group: AlertGroup, user: str) -> bool:
        """They have it in hand, or it is theirs by its route, or it called them."""
        own = (group.care.owner, group.care.acked_by, group.owner, group.mention)
        return self._site.person(user) in {self._site.person(each) for each in own if each}

    def _mine(self, house: House, user: str, holder: Holder) -> Iterator[ChangeRequest]:
        """The change requests that they may agree to, and have not."""
        person = self._site.person
        for each in house.changes:
            others = {person(by) for by in (each.by, *each.payload.authors, *(a.user for a in each.agreed))}
            if person(user) not in others and may_approve(each, frozenset(holder.roles), self._site):
                yield each

    def _who(self, holder: Holder) -> WhoamiView:
        lines = access.lines_of(holder, self._site.access, self._site.clusters)
        return WhoamiView(holder.roles, holder.unsure, lines, user=holder.user)


# --- only what is shown, so that a page is the same until something of it changes -------------------


def _calm(group: AlertGroup) -> AlertGroup:
    """Without what changes whenever Alertmanager repeats itself."""
    care = Care(acked=group.care.acked, acked_by=group.care.acked_by, owner=group.care.owner)
    return replace(
        group, alerts=group.firing, lines=(), omitted=0, heard=None, repeats=0, flaps=0, updated=group.opened,
        truncated=0, care=care, cause=None, triage="", looking=False,
    )  # fmt: skip


def _short(request: Request) -> Request:
    sections = tuple(
        replace(each, note="", table=(), attachments=(), cause=None, additions=())
        for each in request.sections
    )
    return replace(request, sections=sections)


def _bare(incident: Incident) -> Incident:
    return replace(incident, lines=(), updates=(), items=(), pages=(), timers=(), alerts=(), glass=())


def _unplanned(request: Request) -> Request:
    return replace(request, plan=None, asking=None, sections=())


def _payload(change: ChangeRequest) -> ChangeRequest:
    return replace(change, lines=(), checks=None, steps=(), linked=(), validated=(), timers=())


def _runs(views: tuple[RunView, ...]) -> Iterator[RunView]:
    """The next of what runs rarely, and what should have run: what runs every few minutes is always next."""
    told = (each for each in views if each.overdue or not each.cron.startswith("*"))
    for _, each in zip(range(homecard.RUNS), told, strict=False):
        result = each.result if each.result in ("failed", "missed") else ""
        yield replace(each, last_due=None, last_started=None, result=result)


def _open_to(glance: Glance, hidden: set[str]) -> Glance:
    """Without the way into a channel that they may not know of."""
    if glance.health is None or glance.health.record.place.channel not in hidden:
        return glance
    return replace(glance, health=replace(glance.health, url=""))


def _owed(incidents: tuple[Incident, ...], user: str) -> Iterator[tuple[str, Item]]:
    """The open lines of the roles that they hold."""
    for incident in incidents:
        roles = {role.value for role in Role if incident.holder(role) == user}
        for item in incident.items:
            if item.state is ItemState.OPEN and item.role in roles:
                yield incident.id, item


def _url(house: House, record: AlertGroup | Incident | Request | ChangeRequest) -> str:
    return house.urls.get(card_of(record), "")
