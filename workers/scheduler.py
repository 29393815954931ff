"""Starts what is due and finds what was forgotten. Any number of these may run; each due time is one run.

The calendar is what the commands declare. A due time is claimed in the same transaction that opens its
request, so two schedulers, or one that was killed in between, never make two runs or none. The newest
missed due time is made up, once, however late; the card says so.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

from cronsim import CronSim

from bot import tracing
from bot.metrics import SCHEDULE_LATE, TAKEOVERS
from bot.state import BEAT, JOB_TIMEOUT, TRIAGE, Run, State, Taken, new_id
from bot.turns import in_turns
from commands.catalog import Catalog
from commands.command import Due
from commands.errors import SayBack
from commands.model import SCHEDULER, Place, Request, Section
from commands.model import State as Standing
from commands.reads import RunView
from commands.site import ClusterSite, Site

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)

# A start this long after the due time is called late on the card.
LATE = timedelta(minutes=2)

# Diagnoses that are enqueued again in one sweep: more than all workers together can begin in that time.
TRIAGES = 10

# A claimed due time is remembered far longer than any process may be down.
_REMEMBER = timedelta(days=90)


class Scheduler:
    def __init__(
        self,
        state: State,
        catalog: Catalog,
        site: Site,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._site = site
        self._zone = ZoneInfo(site.timezone)
        self._now = now

    def run(self, stop: Event) -> None:
        """Tick until told to stop; Redis being away only delays."""
        in_turns(stop, TICK, self.tick)

    def tick(self) -> None:
        """Start every run that is due and enqueue again every open request that nobody works on."""
        self.sweep()
        now = self._now()
        lines = list(self._lines())
        self._state.forget_runs(keep={name for _, _, name in lines}, now=now)
        for due, cluster, name in lines:
            try:
                self._look(due, cluster, name, now)
            except SayBack as error:  # the configuration lacks what this line asks for; the others run
                self._blame(due, name, str(error))
        self._state.beat(BEAT)

    def sweep(self) -> None:
        """Give forgotten requests a new hint: their worker died, or the queue was lost."""
        triages = 0
        for id in self._state.forgotten():
            triages += id.startswith(TRIAGE)
            if id.startswith(TRIAGE) and triages > TRIAGES:
                continue  # they wait for a place: in the queue they would only stand in people's way
            stored = self._state.request(id)
            if stored is None or not stored.record.is_open:
                self._state.drop_open(id)
                continue
            if stored.record.state is Standing.READING and not id.startswith(TRIAGE):
                log.warning("%s has no worker: enqueued again", id)
                TAKEOVERS.inc()
            self._state.change().work(stored.record, timeout=JOB_TIMEOUT).commit()

    def _lines(self) -> Iterator[tuple[Due, ClusterSite, str]]:
        several = len(self._site.clusters) > 1
        for due in self._catalog.schedule:
            for cluster in self._site.clusters.values():
                yield due, cluster, f"{due.name}@{cluster.name}" if several else due.name

    def _look(self, due: Due, cluster: ClusterSite, name: str, now: datetime) -> None:
        local = now.astimezone(self._zone)
        last, following = _around(due.cron, local)
        run = self._state.run(name)
        view = RunView(
            name, due.text, due.cron, next_due=following.astimezone(UTC), last_due=last.astimezone(UTC)
        )
        if run is None or run.view.cron != due.cron:
            # First seen, or moved: due times before that are nobody's missed runs.
            self._state.change().calendar(Run(view, run.request if run else "")).commit()
        elif run.view.last_due is None or last > run.view.last_due:
            self._start(due, cluster, replace(view, last_started=now), late=now - last > LATE)

    def _blame(self, due: Due, name: str, why: str) -> None:
        """A line that cannot run is said in the log, once per wording, and in the calendar."""
        run = self._state.run(name)
        if run and run.view.result != why:
            log.error("%s (`%s`) cannot run: %s", name, due.text, why)
            self._state.change().calendar(replace(run, view=replace(run.view, result=why))).commit()

    def _start(self, due: Due, cluster: ClusterSite, view: RunView, *, late: bool) -> None:
        assert view.last_due is not None, "what is started was due"
        SCHEDULE_LATE.observe((self._now() - view.last_due).total_seconds())
        channel = self._site.channel(due.channel)
        if not channel:
            log.error("%s is due and has no channel: set `channels.%s`", view.name, due.channel)
            self._state.change().calendar(Run(replace(view, result="no channel"))).commit()
            return
        with tracing.span("schedule", line=view.name):
            request = self._request(due, cluster, channel, view)
        request = replace(request, late_since=view.last_due if late else None)
        change = self._state.change().put(request, was="").show(request, priority=4)
        change.work(request, timeout=JOB_TIMEOUT).calendar(Run(view, request.id))
        change.audit("scheduled", id=request.id, text=request.text, due=str(view.last_due))
        try:
            change.once(f"due:{view.name}:{view.last_due}", request.id, _REMEMBER).commit()
        except Taken as earlier:
            self._state.change().calendar(Run(view, earlier.value)).commit()

    def _request(self, due: Due, cluster: ClusterSite, channel: str, view: RunView) -> Request:
        parsed = self._catalog.parse(due.text)
        parts = parsed.command.parts(parsed.args, cluster)
        return Request(
            id=new_id("R"),
            text=due.text,
            args=parsed.args,
            actor=SCHEDULER,
            place=Place(channel),
            cluster=cluster.name,
            created=self._now(),
            sections=tuple(Section(key, part.title) for key, part in parts.items()),
            is_quiet=due.is_quiet,
            trace=tracing.carried(),
        )


def _around(cron: str, local: datetime) -> tuple[datetime, datetime]:
    """The latest due time not after this moment, and the first one after it.

    cronsim follows Debian's cron over a change of the clocks: a time that does not exist runs when the
    clock jumps, a time that comes twice runs once.
    """
    # cronsim looks strictly before the moment it is given, by whole seconds.
    last = next(CronSim(cron, local.replace(microsecond=0) + timedelta(seconds=1), reverse=True))
    return last, next(CronSim(cron, local))
