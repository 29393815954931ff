"""Watches changes while they are done: freezes their baseline, takes a sample every minute, and does what is due of them.

Any number of workers may watch: what is due is a timer of the record, each sample has its own key, and compare-and-set
makes each thing happen once, late ones too. A sample is asked for as of the time at which it was due, so a worker that comes
late sees what it would have seen. What it all means is decided purely (commands/changewatch.py).
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

from bot.audit import view
from bot.changerecords import ChangeRecords, following, written_baseline, written_sample
from bot.records import Records
from bot.state import JOB_TIMEOUT, KEEP, Conflict, State, Stored, Taken
from bot.turns import in_turns
from commands import baseline as baselines
from commands import changeclock, changewatch
from commands.catalog import Catalog
from commands.ledger import Draft, Line
from commands.model import Notice
from commands.model import State as Standing
from commands.reads import AuditLine
from commands.response.changeevents import Kind, draft, timer
from commands.response.changerequest import ChangeRequest
from commands.site import ClusterSite, ServiceSite, Site
from commands.watch import look
from workers import autoback
from workers.alone import alone
from workers.walk import Reader, walk

_TICK = timedelta(seconds=1)  # between two looks at what is due
_WALL = 20.0  # seconds one sample may take
_FROZEN_WALL = 45.0  # and a baseline
_WEEK = timedelta(days=8)  # how far back incidents matter to a baseline

_NOTHING_DONE = (Standing.BLOCKED, Standing.REJECTED, Standing.EXPIRED, Standing.CANCELLED)

# Where the audit trail was left, and how much of it is read in a turn.
_PLACE = "sre:changes:trail"
_LINES = 500


class ChangeWatch:
    """reader: for one look into one cluster."""

    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        reader: Callable[[str], Reader],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._reader = reader
        self._now = now
        self._changes = ChangeRecords(state, site, now)
        self._incidents = Records(state, site, now)

    def run(self, stop: Event) -> None:
        """Watch until told to stop; Redis being away only delays."""
        in_turns(stop, _TICK, self.follow, self.watch)

    def watch(self) -> None:
        """Do what is due of every change request now."""
        for member in self._changes.due(self._now()):
            id = member.partition(":")[2]
            with alone(f"what is due of {id}", id), suppress(Conflict, Taken):  # another worker was quicker
                self._changes.append(id, lambda change: changeclock.due(change, self._now(), self._site))
                self._do(id)

    def _do(self, id: str) -> None:
        with self._state.lease(f"change:{id}") as is_ours:
            stored = self._changes.stored(id)
            if not is_ours or stored is None:
                return
            due = [t for t in stored.record.timers if t.fired is None and t.due <= self._now()]
            for each in sorted(due, key=lambda t: t.due):
                self._fire(id, each.key, each.due)

    def _fire(self, id: str, key: str, at: datetime) -> None:
        stored = self._changes.stored(id)
        if stored is None:
            return
        if key == changeclock.SAMPLE:
            self._sample(stored.record, at)
        elif key in (changeclock.POST, changeclock.REMIND):
            self._post(stored, key, at)
        elif key == changeclock.ROLL_BACK:
            self._take_back(stored, at)
        elif key == changeclock.DECLARE:
            self._declare(stored, at)
        elif key == changeclock.ANEW:
            self._freeze_anew(stored.record, at)
        elif key.startswith(changeclock.VALIDATE):
            self._validate(stored, key, at)

    # --- samples ---

    def _sample(self, change: ChangeRequest, at: datetime) -> None:
        cluster, service = self._about(change)
        if cluster is None or service is None:
            self._lose(change, "it is not configured any more", at)
        elif change.baseline is None:
            self._freeze(change, cluster, service)
        else:
            self._look(change, cluster, service, at)

    def _about(self, change: ChangeRequest) -> tuple[ClusterSite | None, ServiceSite | None]:
        """As they are configured now, None for what is not any more."""
        cluster = self._site.clusters.get(change.payload.cluster)
        return cluster, cluster.services.get(change.payload.service) if cluster else None

    def _freeze(self, change: ChangeRequest, cluster: ClusterSite, service: ServiceSite) -> None:
        """As of when it began: whoever comes late freezes the same."""
        t0 = change.started or self._now()
        excluded = changewatch.troubled(change, self._incidents.told_between(t0 - _WEEK, self._now()), t0)
        reader, wall = self._reader(cluster.name), time.monotonic() + _FROZEN_WALL
        own = walk(baselines.baseline(service, cluster, t0, excluded), reader, wall)
        around = walk(baselines.neighbours(service, cluster, t0, excluded), reader, wall)
        limits = cluster.change.rollback
        frozen = draft(
            Kind.BASELINE, f"📏 baseline frozen: errors {baselines.errors(own, limits).words}, p95 "
            f"{baselines.latency(own, limits).words}", baseline=written_baseline({service.name: own, **around}),
        )  # fmt: skip
        told = replace(frozen, key="baseline", is_told=True)
        self._changes.append(
            change.id, lambda _: [told, timer(changeclock.SAMPLE, t0 + limits.initial_delay)]
        )

    def _freeze_anew(self, change: ChangeRequest, at: datetime) -> None:
        """What the change left behind is the baseline from now on; the event with the old one stays."""
        told: tuple[Draft, ...] = ()
        cluster, service = self._about(change)
        if cluster is not None and service is not None:
            before = dict(self._changes.baseline(change.id) or {})
            troubled = changewatch.troubled(change, self._incidents.told_between(at - _WEEK, self._now()), at)
            excluded = (*troubled, *changewatch.since_done(change, at))
            wall = time.monotonic() + _FROZEN_WALL
            new = walk(baselines.baseline(service, cluster, at, excluded), self._reader(cluster.name), wall)
            written = written_baseline({**before, service.name: new})
            told = changewatch.taken_anew(before.get(service.name), new, cluster.change.rollback, written)
        fired = changeclock.fired(changeclock.ANEW, at)
        self._changes.append(
            change.id, lambda now: [fired, *told] if now.timer(changeclock.ANEW) == at else []
        )

    def _look(self, change: ChangeRequest, cluster: ClusterSite, service: ServiceSite, at: datetime) -> None:
        frozen = dict(self._changes.baseline(change.id) or {})
        own = frozen.pop(service.name, None)
        if own is None:
            self._lose(change, "its baseline cannot be read", at)
            return
        wall = time.monotonic() + _WALL
        is_late = self._now() - at > cluster.change.rollback.interval
        looking = look(service, cluster, at, own, frozen, is_late=is_late)
        taken = walk(looking, self._reader(cluster.name), wall)
        samples = (*self._changes.samples(change.id), taken)

        def making(now: ChangeRequest) -> tuple[Draft, ...]:
            if now.timer(changeclock.SAMPLE) != at:
                return ()  # another worker took it
            found = changewatch.judged(now, samples, own, self._site, at)
            return changewatch.sampled(now, found, written_sample(taken), at, self._site)

        self._changes.append(change.id, making)

    def _lose(self, change: ChangeRequest, why: str, at: datetime) -> None:
        def making(now: ChangeRequest) -> tuple[Draft, ...]:
            is_due = now.timer(changeclock.SAMPLE) == at
            return tuple(changewatch.lost(now, why, self._now(), self._site)) if is_due else ()

        self._changes.append(change.id, making)

    # --- what else is due ---

    def _validate(self, stored: Stored[ChangeRequest], key: str, at: datetime) -> None:
        """A look of its own, told in the thread of the card."""
        record = stored.record
        line = f"change validate {record.id}"
        request = following(self._catalog, self._site, line, record, self._now())
        assert request is not None
        change = self._state.change()
        self._changes.add(change, stored, (changeclock.fired(key, at),))
        change.put(request, was="").show(request, priority=2).work(request, timeout=JOB_TIMEOUT).commit()

    def _post(self, stored: Stored[ChangeRequest], key: str, at: datetime) -> None:
        """Tell the stakeholders how it stands by now; the reminder is a line under that."""
        record, now = stored.record, self._now()
        change = self._state.change()
        self._changes.add(change, stored, (changeclock.fired(key, at),))
        text = changewatch.announcement(record, self._site.timezone)
        for number, channel in enumerate(self._site.channels.stakeholders, 1):
            kept = self._state.load(f"notice:{record.id}-{number}")
            before = kept.record if kept and isinstance(kept.record, Notice) else None
            notice = before or Notice(f"{record.id}-{number}", channel, text, now)
            lines = notice.lines
            if key == changeclock.REMIND:
                lines = (*lines, Line(str(len(lines) + 1), changewatch.reminder(record), now))
            told = replace(notice, text=text, lines=lines)
            change.put(told, was=kept.version if kept else "", keep=KEEP).show(told, priority=3)
        change.commit()

    def _take_back(self, stored: Stored[ChangeRequest], at: datetime) -> None:
        """Ask for the rollback, once; then see that it goes on, or say that somebody must look at it."""
        record, now = stored.record, self._now()
        if not record.linked_back:
            line = changewatch.way_back(record)
            request = autoback.ask(self._catalog, record, line, now) if line else None
            if request is None:
                self._leave(record, at, "its way back is no line that the bot can take")
                return
            again = timer(changeclock.ROLL_BACK, now + autoback.AGAIN)
            change = autoback.put(self._state.change(), request)
            self._changes.add(change, stored, (*changewatch.linked(record, request, is_own=True), again))
            change.commit()
            return
        first, asker = record.linked_back[0], self._site.person(record.started_by)
        if not first.is_own:
            self._leave(record, at, f"somebody asked for {first.request} first")
            return
        asked = self._state.request(first.request)
        if asked is not None and not autoback.is_planned(asked.record):
            self._changes.append(record.id, lambda _: [timer(changeclock.ROLL_BACK, now + autoback.AGAIN)])
        elif asked is not None and autoback.approve(self._state, asked, record, now, asker):
            self._changes.append(record.id, lambda _: [changeclock.fired(changeclock.ROLL_BACK, at)])
        elif asked is not None and asked.record.state is Standing.AWAITING:
            self._leave(record, at, f"the plan of {asked.record.id} must be looked at by somebody first")
        elif asked is None or asked.record.state in _NOTHING_DONE:
            stands = asked.record.state.value if asked else "gone"
            self._leave(record, at, f"{first.request} is {stands}")
        else:
            self._changes.append(record.id, lambda _: [changeclock.fired(changeclock.ROLL_BACK, at)])

    def _leave(self, change: ChangeRequest, at: datetime, why: str) -> None:
        text = f"🔴 it is not rolled back by itself: {why}"
        told = replace(
            draft(Kind.NOTE, text), is_told=True, mention=self._site.oncall(at) or change.started_by
        )
        self._changes.append(change.id, lambda _: [changeclock.fired(changeclock.ROLL_BACK, at), told])

    def _declare(self, stored: Stored[ChangeRequest], at: datetime) -> None:
        """A Sev2 with the change as its suspected cause; where one of the service is open, that. A change is told to
        everybody: of a private one it says nothing."""
        record, register = stored.record, self._incidents.register()
        public = [each for each in self._incidents.open_incidents() if not each.is_private]
        known = changewatch.of_service(record, public)
        change = self._state.change()
        incident: Any = None
        if known is not None:
            there = self._incidents.incident(known.id)
            assert there is not None
            incident = self._incidents.add(change, there, changewatch.suspected(record))
        else:
            id = self._incidents.number("INC", self._today())
            incident = self._incidents.open(change, id, changewatch.declaration(record), register)
        told = draft(Kind.DECLARED, f"🚨 {incident.id} is open for it", id=incident.id)
        self._changes.add(
            change, stored, (changeclock.fired(changeclock.DECLARE, at), replace(told, is_told=True))
        )
        change.audit(
            "declared", id=incident.id, by="", cluster=record.payload.cluster, reason=record.id
        ).commit()

    def _today(self) -> date:
        return self._now().astimezone(ZoneInfo(self._site.timezone)).date()

    # --- changes on the usual road ---

    def follow(self) -> None:
        """Read on in the audit trail, and link what names a change request as its reason."""
        place = self._state.redis.get(_PLACE)
        if place is None:
            self._state.redis.set(_PLACE, self._state.trail.last(), nx=True)
            return
        entry = ""
        for number, (entry, raw) in enumerate(self._state.trail.lines(place.decode()), 1):
            with alone(f"line {entry} of the audit trail"):
                self._heed(view(entry, raw))
            if number == _LINES:
                break
        if entry:
            self._state.redis.set(_PLACE, entry)

    def _heed(self, line: AuditLine) -> None:
        id = line.facts.get("why", "").partition(" ")[0]
        may_be_one = sum(letter.isdigit() for letter in id) >= 3  # most reasons name no change request
        if may_be_one and line.facts.get("id", "").startswith("R"):
            self._link(id, line.facts["id"])
        if line.what == "entered" and line.facts.get("act") in changewatch.TOLD_INCIDENTS:
            self._tell_incident(line)

    def _tell_incident(self, line: AuditLine) -> None:
        """What is done to a service while it has an incident belongs to that incident's timeline, too."""
        stored = self._changes.stored(line.facts.get("id", ""))
        known = changewatch.of_service(stored.record, self._incidents.open_incidents()) if stored else None
        if stored is not None and known is not None:
            told = changewatch.for_incident(stored.record, line)
            self._incidents.append_open(known.id, lambda _: [told])

    def _link(self, id: str, request: str) -> None:
        stored = self._state.request(request)
        if stored is not None and self._changes.stored(id) is not None:
            self._changes.append(id, lambda change: changewatch.linked(change, stored.record))
