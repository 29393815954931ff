"""Follows the audit trail and writes what concerns an incident into its timeline.

Any number of workers may follow: one does, and should two, whoever is slower finds the place moved on. Where the last
of them came to is kept in the store: after an hour away nothing is missing. Called by the rounds.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from bot.audit import view
from bot.records import Records
from bot.state import Change, Conflict, State
from commands import chronicle
from commands.ledger import Draft
from commands.model import AlertGroup, Request
from commands.reads import AuditLine
from commands.response import fold
from commands.response.incident import Incident
from commands.site import Site
from workers.alone import alone

# Where the trail was left, and how much of it is read in a turn.
_PLACE = "sre:chronicle"
_LINES = 500
_TRIES = 100  # others may be writing the same record
_AHEAD = 1000  # milliseconds by which the clocks of two machines may differ


# What a line says of the incident as it is then; None where that is no news.
Tell = Callable[[Incident], Draft | None]


@dataclass(frozen=True, slots=True)
class _Place:
    """The last line that was judged, and the version it was read at."""

    entry: str
    version: str

    def moved(self, change: Change, entry: str) -> None:
        """On to this line, in a change that happens only if nobody moved it meanwhile."""
        change.expect(_PLACE, self.version).pipe.hset(_PLACE, "entry", entry)


class Chronicle:
    """What a page of lines says is written together with the place where it ends. A line is judged by what the incident
    knows by then: one that was no news would be news if it were judged again, after those behind it."""

    def __init__(
        self, state: State, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._state = state
        self._records = Records(state, site, now)

    def follow(self) -> bool:
        """Read on from where it was left; False when there was nothing new, or another follows."""
        if self._state.trail.last() == self.left().entry:
            return False
        with self._state.lease("chronicle") as is_ours:  # saves work; the place decides
            return is_ours and self.read(self.left())

    def left(self) -> _Place:
        """The first time it begins before the oldest open incident, for the bot may have been quicker than any worker;
        where there is none, with what comes next."""
        version, entry = self._state.redis.hmget(_PLACE, "v", "entry")
        if version is not None:
            return _Place(entry.decode(), version.decode())
        change, first = self._state.change(), self._first()
        _Place(first, "").moved(change, first)
        with suppress(Conflict):  # another began a moment ago
            change.commit()
        return self.left()

    def _first(self) -> str:
        last = self._state.trail.last()
        opened = [incident.opened for incident in self._records.open_incidents()]
        if not opened:
            return last
        before = int(min(opened).timestamp() * 1000) - _AHEAD
        return min(last, f"{before}-0", key=lambda entry: int(entry.partition("-")[0]))

    def read(self, place: _Place) -> bool:
        """The page from there on; nothing when another was quicker."""
        lines = [view(entry, raw) for entry, raw in islice(self._state.trail.lines(place.entry), _LINES)]
        if not lines:
            return False
        about = _About(self._state, self._records, lines)
        for _ in range(_TRIES):
            change = self._state.change()
            for id, tells in about.told.items():
                self._add(change, id, tells)
            place.moved(change, lines[-1].entry)
            try:
                change.commit()
            except Conflict:
                if self.left() == place:
                    continue
            return True
        raise Conflict(_PLACE)

    def _add(self, change: Change, id: str, tells: Iterable[tuple[AuditLine, Tell]]) -> None:
        with alone(f"what the audit trail says of {id}", id):
            stored = self._records.incident(id)
            if stored is not None and not stored.record.is_over:
                self._records.add(change, stored, _drafts(stored.record, tells))


def _drafts(incident: Incident, tells: Iterable[tuple[AuditLine, Tell]]) -> Iterator[Draft]:
    """Each judged by the incident as it is after those before it."""
    for line, tell in tells:
        with alone(f"line {line.entry} of the audit trail"):
            told = tell(incident)
            if told is not None:
                incident = fold.supposed(incident, told, line.at)
                yield told


class _About:
    """What a page of lines speaks of, each read once. told: by incident, in the order of the lines."""

    def __init__(self, state: State, records: Records, lines: Iterable[AuditLine]) -> None:
        self._state = state
        self._records = records
        self._groups: dict[str, AlertGroup | None] = {}
        self._requests: dict[str, tuple[Request, str] | None] = {}
        self.told: dict[str, list[tuple[AuditLine, Tell]]] = {}
        news = [line for line in lines if chronicle.is_news(line)]
        self._active = records.open_incidents() if news else ()
        if self._active:
            self._of_group = records.of_groups(sorted({line.facts["id"] for line in news}))
            for line in news:
                self._take(line)

    def _take(self, line: AuditLine) -> None:
        with alone(f"line {line.entry} of the audit trail"):
            incident, tell = self._alert(line) if _is_alert(line) else self._request(line)
            if incident:
                self.told.setdefault(incident, []).append((line, tell))

    def _alert(self, line: AuditLine) -> tuple[str, Tell]:
        group = self._group(line.facts["id"])
        if group is None:
            return "", _nothing

        def tell(now: Incident) -> Draft | None:
            known = next((link for link in now.alerts if link.group == group.id), None)
            return chronicle.of_group(line, group, known)

        return self._of_group.get(group.id, "") or _concerned(group, self._active), tell

    def _group(self, id: str) -> AlertGroup | None:
        if id not in self._groups:
            stored = self._state.alert_group(id)
            self._groups[id] = stored.record if stored else None
        return self._groups[id]

    def _request(self, line: AuditLine) -> tuple[str, Tell]:
        id = line.facts["id"]
        if id not in self._requests:
            self._requests[id] = self._asked(id)
        found = self._requests[id]
        told = chronicle.of_request(line, found[0]) if found else None
        return (found[1], lambda _: told) if found else ("", _nothing)

    def _asked(self, id: str) -> tuple[Request, str] | None:
        stored = self._state.request(id)
        return (stored.record, self._incident_of(stored.record)) if stored else None

    def _incident_of(self, request: Request) -> str:
        if named := request.args.flags.get("incident", ""):
            return self._records.whole(named)
        under = request.place.under.partition(" ")[0]
        if under.startswith("incident:"):
            return under.removeprefix("incident:")
        if under.startswith("alert:"):
            return self._records.of_group(under.removeprefix("alert:"))
        return self._records.in_room(request.place.channel, request.place.thread)


def _nothing(incident: Incident) -> None:
    return None


def _is_alert(line: AuditLine) -> bool:
    return line.facts["id"].startswith("A")


def _concerned(group: AlertGroup, active: tuple[Incident, ...]) -> str:
    """The newest open incident about the service of this alert."""
    found = (
        each.id for each in active if each.is_active and chronicle.is_of(group, each.service, each.cluster)
    )
    return next(found, "")
