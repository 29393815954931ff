"""The rounds with a real Redis: late, twice at once, killed in between, and each duty is done once."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from bot.casebook import Casebook
from bot.state import KEEP, State
from commands.alertreads import AmAlert, AmAlerts
from commands.model import AlertGroup, Care, Gap, Notice, Reads, Seen, Severity, Silenced, Storm
from commands.site import OnCall, Site
from commands.triagereads import CHANNEL, OWNER, NamespaceNotes
from tests import build
from tests.build import ALICE, BOB, NOW
from tests.edges.test_casebook import Book, blow, numbered
from workers.lookout import Lookout
from workers.rounds import Rounds

MINUTE = timedelta(minutes=1)
SITE = replace(Site(), roles=replace(Site().roles, oncall=OnCall(rota=(ALICE.user, BOB.user))))
CLUSTER = SITE.default_cluster


class Watch:
    """A worker that makes rounds at a settable time."""

    def __init__(self, state: State) -> None:
        self.state, self.book, self.now = state, Book(state, SITE), NOW
        self.rounds = Rounds(state, SITE, now=lambda: self.now)

    def at(self, now: datetime) -> None:
        self.now = self.book.now = now

    def group(self, id: str) -> AlertGroup:
        stored = self.state.alert_group(id)
        assert stored is not None
        return stored.record

    def records(self, kind: str) -> list[Any]:
        keys = sorted(self.state.redis.keys(f"sre:{kind}:*"))
        found = (self.state.load(key.decode().removeprefix("sre:")) for key in keys)
        return [stored.record for stored in found if stored]

    def lines(self, what: str) -> int:
        return sum(line["what"] == what for line in build.audit_lines(self.state))

    def beat(self, name: str, at: datetime) -> None:
        self.state.redis.set(f"sre:beat:{name}", repr(at.timestamp()))

    def listens(self, since: datetime) -> None:
        self.beat("listening-since", since)
        self.beat("listening", self.now)


@pytest.fixture
def watch(state: State) -> Watch:
    return Watch(state)


def at_once(*deeds: Callable[[], None]) -> None:
    start, failed = Barrier(len(deeds)), []

    def run(deed: Callable[[], None]) -> None:
        start.wait()
        try:
            deed()
        except Exception as error:
            failed.append(error)

    threads = [Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


# --- reminders ---


def test_two_rounds_at_once_remind_of_an_unacknowledged_critical_alert_once(watch: Watch) -> None:
    group = watch.book.put(numbered(1, severity=Severity.CRITICAL))
    watch.at(NOW + 200 * MINUTE)  # nobody made rounds before
    at_once(*[Rounds(watch.state, SITE, now=lambda: watch.now).remind] * 4)
    watch.rounds.remind()
    (line,) = watch.group(group.id).lines
    assert line.mention == BOB.user and "nobody has acknowledged" in line.text
    assert watch.lines("reminded") == 1
    assert watch.state.redis.hget("sre:outbox:meta", f"alert:{group.id}").startswith(b"0 ")


def test_the_intake_that_writes_at_the_same_moment_costs_no_reminder(watch: Watch) -> None:
    group = watch.book.put(numbered(1, severity=Severity.CRITICAL))
    watch.at(NOW + 6 * MINUTE)

    def repeats() -> None:
        watch.state.change().put(replace(group, repeats=1), was="1").commit()

    repeats()
    watch.rounds.remind()
    told = watch.group(group.id)
    assert told.repeats == 1 and len(told.lines) == 1


def test_the_end_of_a_silence_is_told_under_a_quiet_group_too(watch: Watch) -> None:
    silence = Silenced("s1", ALICE.user, NOW + 30 * MINUTE)
    group = watch.book.ends(watch.book.put(numbered(1, care=Care(silences=(silence,)))))
    watch.at(NOW + 31 * MINUTE)
    watch.rounds.remind()
    watch.rounds.remind()
    (line,) = watch.group(group.id).lines
    assert (line.mention, line.text) == (ALICE.user, "🔔 your silence has ended: quiet now")
    assert watch.book.book.watched() == []


# --- storms ---


def storm_of(watch: Watch) -> Storm:
    (storm,) = watch.records("storm")
    assert isinstance(storm, Storm)
    return storm


def test_the_card_of_a_storm_counts_what_changed_and_no_more_often_than_every_three_seconds(
    watch: Watch,
) -> None:
    told = [group for group in blow(watch.book, (numbered(n) for n in range(30))) if group.storm]
    watch.at(NOW + MINUTE / 30)
    watch.rounds.tell_storms()
    assert storm_of(watch).members == 1
    watch.at(NOW + MINUTE / 15)
    at_once(*[Rounds(watch.state, SITE, now=lambda: watch.now).tell_storms] * 3)
    storm = storm_of(watch)
    assert (storm.members, storm.firing, storm.over) == (20, 20, False)
    watch.book.ends(told[0])
    watch.at(NOW + MINUTE / 5)
    watch.rounds.tell_storms()
    assert (storm_of(watch).members, storm_of(watch).firing) == (20, 19)
    before = storm_of(watch).updated
    watch.at(NOW + MINUTE / 2)
    watch.rounds.tell_storms()
    assert storm_of(watch).updated == before  # nothing changed


def test_the_list_of_a_storm_is_kept_once_it_calms_down(watch: Watch) -> None:
    blow(watch.book, (numbered(n) for n in range(30)))
    watch.at(NOW + 1.5 * MINUTE)
    watch.rounds.tell_storms()
    watch.rounds.tell_storms()
    listing = storm_of(watch).listing
    assert listing and listing.title == "All 20 groups of this storm"
    content = watch.state.file(listing.stored)
    assert content and len(content.splitlines()) == 21 and len(content) == listing.size


def test_a_storm_is_over_and_the_next_one_is_another(watch: Watch) -> None:
    groups = blow(watch.book, (numbered(n) for n in range(30)))
    watch.at(NOW + 5 * MINUTE)
    for group in groups:
        watch.book.ends(group)
    watch.at(NOW + 11 * MINUTE)
    watch.rounds.tell_storms()
    watch.rounds.tell_storms()
    over = storm_of(watch)
    assert over.over and over.firing == 0 and watch.lines("storm over") == 1
    assert watch.state.redis.pttl(f"sre:storm:{over.id}") > 0
    watch.at(NOW + 12 * MINUTE)
    again = [g for g in blow(watch.book, (numbered(100 + n) for n in range(30))) if g.storm]
    assert {group.storm for group in again} & {over.id} == set()


def test_a_storm_whose_beginner_died_before_anybody_joined_ends_by_itself(watch: Watch) -> None:
    watch.book.book._storm(numbered(1), NOW)
    watch.at(NOW + 30 * MINUTE)
    watch.rounds.tell_storms()
    assert storm_of(watch).over
    assert watch.state.mark("storm:#sre-alerts") == ""


# --- the dead-man's switch ---


def test_a_watchdog_that_falls_silent_is_told_once_and_its_return_too(watch: Watch) -> None:
    watch.beat("watchdog", NOW)
    watch.at(NOW + 9 * MINUTE)
    watch.listens(NOW - 60 * MINUTE)
    watch.rounds.miss_watchdogs()
    assert watch.records("notice") == []
    watch.at(NOW + 11 * MINUTE)
    watch.listens(NOW - 60 * MINUTE)
    at_once(*[Rounds(watch.state, SITE, now=lambda: watch.now).miss_watchdogs] * 4)
    (notice,) = watch.records("notice")
    assert isinstance(notice, Notice)
    assert (notice.channel, notice.mention) == (SITE.channels.incidents, ALICE.user)
    watch.at(NOW + 23 * MINUTE)
    watch.listens(NOW - 60 * MINUTE)
    watch.beat("watchdog", watch.now)
    at_once(*[Rounds(watch.state, SITE, now=lambda: watch.now).miss_watchdogs] * 4)
    (notice,) = watch.records("notice")
    assert "heard again" in notice.text
    assert [line.text for line in notice.lines] == ["🔊 was silent for 23 min"]
    watch.at(NOW + 40 * MINUTE)
    watch.listens(NOW - 60 * MINUTE)
    watch.rounds.miss_watchdogs()
    assert len(watch.records("notice")) == 2  # silent again is news again


def test_after_the_bot_was_down_the_watchdog_gets_its_time_before_anybody_is_called(watch: Watch) -> None:
    watch.beat("watchdog", NOW)
    watch.at(NOW + 300 * MINUTE)
    watch.listens(NOW + 299 * MINUTE)
    watch.rounds.miss_watchdogs()
    assert watch.records("notice") == []
    watch.at(NOW + 309 * MINUTE)
    watch.listens(NOW + 299 * MINUTE)
    watch.rounds.miss_watchdogs()
    assert len(watch.records("notice")) == 1


def test_a_cluster_whose_watchdog_was_never_heard_is_not_missed(watch: Watch) -> None:
    watch.at(NOW + 300 * MINUTE)
    watch.listens(NOW)
    watch.rounds.miss_watchdogs()
    assert watch.records("notice") == []


# --- the lookout ---


class Alertmanager:
    """Answers a lookout's reads as told."""

    def __init__(self, alerts: Any = (), notes: Any = None) -> None:
        self.alerts, self.notes = alerts, {} if notes is None else notes

    def see(self, reads: Reads, deadline: float) -> Seen:
        return Seen({AmAlerts(): self.alerts, NamespaceNotes(): self.notes})


def known(group: AlertGroup) -> tuple[AmAlert, ...]:
    return tuple(AmAlert(a.fingerprint, a.labels, {}, a.starts_at, "active") for a in group.alerts)


def look(watch: Watch, outside: Alertmanager) -> None:
    Lookout(watch.state, SITE, lambda cluster: outside, now=lambda: watch.now).look(CLUSTER)


def test_what_alertmanager_does_not_have_in_two_looks_is_over(watch: Watch) -> None:
    gone = watch.book.put(numbered(1, cluster=CLUSTER))
    stays = watch.book.put(numbered(2, cluster=CLUSTER))
    outside = Alertmanager(known(stays))
    watch.at(NOW + 11 * MINUTE)
    look(watch, outside)
    assert watch.group(gone.id).firing
    watch.at(NOW + 16 * MINUTE)
    look(watch, outside)
    look(watch, outside)
    told = watch.group(gone.id)
    assert not told.firing and "no longer has it" in told.lines[-1].text and len(told.lines) == 1
    assert watch.group(stays.id).firing
    assert watch.book.open_ids() == [stays.id]
    ended = [each for each in watch.book.fired() if each.group == gone.id]
    assert [each.ends_at for each in ended] == [NOW + 16 * MINUTE]
    assert 0 < watch.state.redis.pttl(f"sre:alert:{gone.id}") <= KEEP.total_seconds() * 1000


def test_an_alert_that_was_away_in_one_look_only_fires_on(watch: Watch) -> None:
    group = watch.book.put(numbered(1, cluster=CLUSTER))
    watch.at(NOW + 20 * MINUTE)
    for alerts in ((), known(group), ()):
        look(watch, Alertmanager(alerts))
    assert watch.group(group.id).firing


def test_an_alertmanager_that_does_not_answer_changes_nothing(watch: Watch) -> None:
    group = watch.book.put(numbered(1, cluster=CLUSTER))
    watch.at(NOW + 20 * MINUTE)
    for alerts in ((), Gap("no answer"), Gap("no answer")):
        look(watch, Alertmanager(alerts))
    assert watch.group(group.id).firing


def test_an_alert_known_by_its_labels_alone_is_the_same(watch: Watch) -> None:
    group = watch.book.put(numbered(1, cluster=CLUSTER))
    theirs = tuple(replace(each, fingerprint="other") for each in known(group))
    watch.at(NOW + 20 * MINUTE)
    look(watch, Alertmanager(theirs))
    look(watch, Alertmanager(theirs))
    assert watch.group(group.id).firing


def test_who_owns_which_namespace_is_noted_for_the_intake(watch: Watch) -> None:
    look(watch, Alertmanager(notes={"shop": {OWNER: "S0SHOP", CHANNEL: "#shop"}, "db": {OWNER: "U0DB"}}))
    noted = json.loads(watch.state.recall(f"notes-{CLUSTER}"))
    assert noted == {"shop": {"owner": "S0SHOP", "channel": "#shop"}, "db": {"owner": "U0DB"}}
    look(watch, Alertmanager(notes=Gap("forbidden")))
    assert json.loads(watch.state.recall(f"notes-{CLUSTER}")) == noted


# --- killed in between ---


def test_rounds_that_die_before_any_write_are_made_up_and_nothing_is_told_twice(watch: Watch) -> None:
    """Each duty is one transaction: before it nothing has happened, after it nothing is left to do."""
    group = watch.book.put(numbered(1, severity=Severity.CRITICAL))
    blow(watch.book, (numbered(10 + n) for n in range(30)))
    watch.beat("watchdog", NOW)
    watch.at(NOW + 12 * MINUTE)
    watch.listens(NOW)
    for _ in range(3):
        fresh = Rounds(watch.state, SITE, now=lambda: watch.now)
        for duty in (fresh.remind, fresh.tell_storms, fresh.miss_watchdogs):
            duty()
    counts = {what: watch.lines(what) for what in ("reminded", "watchdog missed", "storm")}
    assert counts == {"reminded": 1, "watchdog missed": 1, "storm": 1}
    assert len(watch.group(group.id).lines) == 1
    assert Casebook(watch.state, SITE).open_groups()[0].care.reminded == watch.now
