"""The rounds: what is due for alerts and incidents without anybody asking, from the bot's own store alone.

Reminders, the ends of silences and snoozes, the cards of storms, the dead-man's switch, and trimming. What is
due is decided purely (bot/duties.py, bot/storms.py) and stored by compare-and-set, so any number of workers may
make rounds, be late, or die at any step: each thing is done once.
"""

import contextlib
import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

from bot import duties, storms
from bot.casebook import Casebook
from bot.state import KEEP, Change, Conflict, State, Stored, Taken, TooLarge, new_id
from bot.turns import in_turns
from commands.model import AlertGroup, Attachment, Notice, Storm
from commands.site import ClusterSite, Site
from workers.chronicle import Chronicle
from workers.timers import Timers

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)

# How often the groups are looked through, by one worker each time.
GROUPS = timedelta(seconds=5)

# A storm's card changes no more often than that.
STORM = timedelta(seconds=3)

TRIM = timedelta(hours=1)

# Longer than anybody is away whose Watchdog is missed.
_REMEMBER = timedelta(days=90)


class Rounds:
    def __init__(
        self,
        state: State,
        site: Site,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._site = site
        self._casebook = Casebook(state, site)
        self._chronicle = Chronicle(state, site, now)
        self._timers = Timers(state, site, now)
        self._now = now

    def run(self, stop: Event) -> None:
        """Make rounds until told to stop; Redis being away only delays."""
        in_turns(
            stop, TICK, self._groups_in_turn, self.tell_storms, self.miss_watchdogs, self._timers.fire,
            self._chronicle.follow, self._trim_in_turn,
        )  # fmt: skip

    def _groups_in_turn(self) -> None:
        if self._is_our_turn("groups", GROUPS):
            self.remind()

    def _trim_in_turn(self) -> None:
        if self._is_our_turn("trim", TRIM):
            self._casebook.trim(self._now())

    def _is_our_turn(self, name: str, every: timedelta) -> bool:
        """Saves work, and decides nothing: what is done twice at once is done once."""
        try:
            self._state.change().once(f"round:{name}", "1", every).commit()
        except Taken:
            return False
        return True

    # --- reminders ---

    def remind(self) -> None:
        """Do what is due for the groups that fire or have a silence."""
        for stored, told in self._casebook.watched():
            now = self._now()
            due = duties.due(stored.record, told, now, self._site)
            if due is not None:
                change = self._casebook.put(self._state.change(), stored, due.group, now, is_awaited=True)
                _try(change.audit("reminded", id=due.group.id, cluster=due.group.cluster, **due.facts))

    # --- storms ---

    def tell_storms(self) -> None:
        """Bring the cards of storms up to date."""
        for stored, count, is_told in self._casebook.storms():
            storm, now, joined = stored.record, self._now(), self._casebook.joined(stored.record.id)
            has_news = (
                not is_told or storms.is_over(storm, joined, now) or storms.is_settled(storm, joined, now)
            )
            if has_news and now - storm.updated >= STORM:
                self._tell(stored, count, joined, now)

    def _tell(self, stored: Stored[Storm], count: int, joined: datetime | None, now: datetime) -> None:
        members = self._casebook.members(stored.record.id)
        told = storms.counted(stored.record, members, now)
        told = replace(told, over=storms.is_over(told, joined, now))
        change = self._state.change()
        if storms.is_settled(told, joined, now):
            told = _listed(change, told, members, ZoneInfo(self._site.timezone))
        change.put(told, was=stored.version, keep=KEEP if told.over else None)
        self._casebook.told(change, told, count)
        if told.over and not stored.record.over:
            change.audit("storm over", id=told.id, channel=told.channel, members=str(told.members))
        # One that was begun with a group that then was not stored has nothing to tell, and ends unseen.
        _try(change.show(told, priority=1) if told.members else change)

    # --- the dead-man's switch ---

    def miss_watchdogs(self) -> None:
        """Tell when the Watchdog of a cluster is not heard any more, and when it is heard again."""
        for cluster in self._site.clusters.values():
            beat = self._state.heard(duties.beat_of(self._site, cluster.name))
            if beat is not None:
                self._miss(cluster, beat)

    def _miss(self, cluster: ClusterSite, beat: datetime) -> None:
        now, missing = self._now(), self._state.mark(duties.missing(cluster.name))
        if missing:
            self._hear(cluster.name, missing, beat, now)
            return
        ear = duties.Ear(beat, self._state.heard("listening-since"), self._state.heard("listening"))
        if duties.is_silent(ear, now, cluster.alerts.watchdog.silent_for):
            channel = self._channel(cluster.alerts.watchdog.channel)
            notice = duties.missed(new_id("N"), cluster.name, beat, now, self._site, channel)
            change = self._state.change().put(notice, was="").show(notice, priority=0)
            change.once(duties.missing(cluster.name), f"{notice.id} {beat.timestamp()}", _REMEMBER)
            change.once(f"watchdog-missed:{cluster.name}:{beat.timestamp()}", notice.id, _REMEMBER)
            _try(change.audit("watchdog missed", id=notice.id, cluster=cluster.name))

    def _hear(self, cluster: str, missing: str, beat: datetime, now: datetime) -> None:
        """Told once, as what says that it is missing goes away with it."""
        id, _, last = missing.partition(" ")
        silent = beat - datetime.fromtimestamp(float(last), UTC)
        stored = self._state.load(f"notice:{id}")
        if not silent:
            return
        change = (
            self._state.change().forget(duties.missing(cluster)).once(f"watchdog-heard:{id}", "1", _REMEMBER)
        )
        if stored is not None and isinstance(stored.record, Notice):
            again = duties.heard_again(stored.record, cluster, silent, now)
            change.put(again, was=stored.version, keep=KEEP).show(again, priority=1)
        _try(change.audit("watchdog heard", id=id, cluster=cluster))

    def _channel(self, place: str) -> str:
        """Of a key of `channels`, or the channel itself."""
        return (self._site.channel(place) if hasattr(self._site.channels, place) else "") or place


def _try(change: Change) -> None:
    """Another worker, or the intake, was quicker: the next round looks again."""
    with contextlib.suppress(Conflict, Taken):
        change.commit()


def _listed(change: Change, storm: Storm, members: tuple[AlertGroup, ...], zone: ZoneInfo) -> Storm:
    """With the list of its groups as a file. A file in Slack cannot be changed: a longer list is another one."""
    content = storms.listing(storm, members, zone).encode()
    stored = f"{storm.id}-{storm.members}"
    try:
        change.keep_file(stored, content)
    except TooLarge:
        log.warning("the list of %s groups of %s is too large to be kept", storm.members, storm.id)
    listing = Attachment(f"storm-{storm.id}.tsv", storms.title(storm), stored=stored, size=len(content))
    return replace(storm, listing=replace(listing, sha256=hashlib.sha256(content).hexdigest()))
