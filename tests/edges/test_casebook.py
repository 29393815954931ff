"""The book of alerts in a real Redis: what is open, what ever fired, which group is meant, storms."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from slack_sdk import WebClient

from bot.casebook import Casebook
from bot.courier import Courier, Pace
from bot.intake import Intake
from bot.outbox import Outbox, Sent
from bot.state import State
from commands.alertreads import Called, GroupOf, Occurrence, Occurrences, OpenGroups
from commands.catalog import Catalog
from commands.model import Alert, AlertGroup, Care, Judged, Judgement, Severity, Storm
from commands.site import OnCall, Site
from sandbox.slack import SlackStandIn
from tests import build
from tests.build import ALICE, BOB, NOW
from workers.casebook import CasebookSource

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SITE = replace(Site(), roles=replace(Site().roles, oncall=OnCall(rota=(ALICE.user,))))


class Book:
    """Writes groups as the intake does, at a settable time."""

    def __init__(self, state: State, site: Site = SITE) -> None:
        self.state, self.book, self.now = state, Casebook(state, site), NOW

    def put(self, group: AlertGroup) -> AlertGroup:
        stored = self.state.alert_group(group.id)
        old = stored.record if stored else None
        group = self.book.placed(old, group, self.now)
        self.book.put(self.state.change(), stored, group, self.now).commit()
        return group

    def ends(self, group: AlertGroup, at: datetime | None = None) -> AlertGroup:
        at = at or self.now
        ended = tuple(replace(alert, status="resolved", ends_at=at) for alert in group.alerts)
        return self.put(replace(group, alerts=ended, updated=at))

    def fired(self, window: timedelta = 2 * DAY) -> tuple[Occurrence, ...]:
        return self.book.occurrences(window, self.now).occurrences

    def open_ids(self) -> list[str]:
        return [group.id for group in self.book.open_groups()]


@pytest.fixture
def book(state: State) -> Book:
    return Book(state)


def numbered(n: int, *alerts: Alert, **changes: object) -> AlertGroup:
    made = build.group(*(alerts or (build.alert(pod=f"web-{n}"),)), id=f"A{n:016x}", cluster="training")
    return replace(made, **{"severity": Severity.WARNING, **changes})  # type: ignore[arg-type]


# --- open groups ---


def test_what_fires_is_open_gravest_first_then_oldest_and_what_ended_is_not(book: Book) -> None:
    young = book.put(numbered(1, opened=NOW + MINUTE))
    book.put(numbered(2, opened=NOW))
    book.put(numbered(3, severity=Severity.CRITICAL, opened=NOW + 2 * MINUTE, cluster="other"))
    assert book.open_ids() == [f"A{n:016x}" for n in (3, 2, 1)]
    assert [group.id for group in book.book.open_groups("other")] == [f"A{3:016x}"]
    book.ends(young)
    assert book.open_ids() == [f"A{n:016x}" for n in (3, 2)]


def test_what_fires_again_is_told_from_then_on(book: Book) -> None:
    group = book.put(numbered(1))
    book.now = NOW + MINUTE
    book.put(replace(group, repeats=1))
    assert [told for _, told in book.book.watched()] == [NOW]
    book.ends(group)
    book.now = NOW + 5 * MINUTE
    book.put(replace(group, flaps=1))
    assert [told for _, told in book.book.watched()] == [NOW + 5 * MINUTE]


# --- what ever fired ---


def test_repeats_of_an_alert_are_one_occurrence_and_its_end_is_told(book: Book) -> None:
    group = book.put(numbered(1))
    for n in range(3):
        book.put(replace(group, repeats=n))
    (one,) = book.fired()
    assert (one.name, one.ends_at, one.group, one.episode) == ("PodCrashLooping", None, group.id, 1)
    assert (one.oncall, one.cluster, one.starts_at) == (ALICE.user, "training", NOW)
    book.now = NOW + 7 * MINUTE
    book.ends(group)
    (one,) = book.fired()
    assert one.ends_at == NOW + 7 * MINUTE


def test_every_time_a_flapping_alert_fires_is_an_occurrence(book: Book) -> None:
    for n in range(4):
        alert = replace(build.alert(), starts_at=NOW + n * MINUTE)
        group = book.put(numbered(1, alert))
        book.ends(group, NOW + n * MINUTE + MINUTE / 2)
    book.now = NOW + 9 * MINUTE
    assert [each.starts_at for each in book.fired()] == [NOW + n * MINUTE for n in range(4)]


def test_an_alert_that_began_anew_without_an_end_ended_at_the_latest_then(book: Book) -> None:
    group = book.put(numbered(1))
    later = replace(group.alerts[0], starts_at=NOW + 3 * MINUTE)
    book.put(replace(group, alerts=(later,)))
    book.now = NOW + 9 * MINUTE
    assert [each.ends_at for each in book.fired()] == [NOW + 3 * MINUTE, None]


def test_a_window_has_what_ended_in_it_or_fires_still_and_nothing_else(book: Book) -> None:
    book.ends(book.put(numbered(1)), NOW + MINUTE)
    long = replace(build.alert(pod="long"), starts_at=NOW - 5 * DAY)
    book.put(numbered(2, long))
    book.now = NOW + DAY
    assert [each.labels["pod"] for each in book.fired(DAY / 2)] == ["long"]
    assert [each.labels["pod"] for each in book.fired(2 * DAY)] == ["long", "web-1"]
    page = book.book.occurrences(30 * DAY, book.now)
    assert page.since == NOW  # the store was empty before
    assert book.book.occurrences(DAY, book.now, "other").occurrences == ()


def test_what_people_call_an_episode_survives_the_next_one(book: Book) -> None:
    judged = Judged(Judgement.FALSE_ALARM, BOB.user, NOW)
    care = Care(acked=NOW, acked_by=BOB.user, judged=(Judged(Judgement.ACTIONABLE, ALICE.user, NOW), judged))
    group = book.ends(book.put(numbered(1, care=care)), NOW + MINUTE)
    again = replace(build.alert(pod="web-1"), starts_at=NOW + 60 * MINUTE)
    book.now = NOW + 61 * MINUTE
    book.put(replace(group, alerts=(again,), episode=2, care=Care()))
    first, second = book.fired()
    assert (first.judged, first.acked, first.acked_by) == (judged, NOW, BOB.user)
    assert (second.judged, second.acked, second.episode) == (None, None, 2)


def test_what_is_older_than_the_reach_or_more_than_fits_is_trimmed_and_said(book: Book) -> None:
    for n in range(6):
        alert = replace(build.alert(pod=f"old-{n}"), starts_at=NOW + n * MINUTE)
        book.ends(book.put(numbered(n, alert)), NOW + n * MINUTE + MINUTE / 2)
    book.now = NOW + DAY
    book.book.trim(book.now, most=2)
    page = book.book.occurrences(2 * DAY, book.now)
    assert [each.labels["pod"] for each in page.occurrences] == ["old-4", "old-5"]
    assert page.since == NOW + 3.5 * MINUTE
    book.now = NOW + 36 * DAY
    book.book.trim(book.now)
    assert book.fired(100 * DAY) == ()


def test_names_of_what_is_gone_are_trimmed(book: Book) -> None:
    group = book.put(numbered(1))
    Outbox(book.state).note_sent(f"alert:{group.id}", "1:card", Sent("C0", "1.1"))
    book.state.redis.delete(f"sre:alert:{group.id}")
    book.book.trim(NOW)
    assert book.state.redis.zcard("sre:groups:ids") == book.state.redis.hlen("sre:threads") == 0


def test_an_occurrence_is_as_grave_as_its_own_label_says(book: Book) -> None:
    book.put(numbered(1, build.alert(severity="page"), build.alert(pod="b", severity="ticket")))
    assert {each.severity for each in book.fired()} == {Severity.CRITICAL, Severity.WARNING}


def test_the_intake_writes_the_book_in_the_transaction_of_the_group(book: Book) -> None:
    intake = Intake(book.state, Catalog.load(), SITE, now=lambda: book.now)
    body = json.loads((Path(__file__).parents[1] / "payloads" / "am-firing.json").read_text())
    at = datetime.fromisoformat(body["alerts"][0]["startsAt"])
    for minute in range(3):
        book.now = at + minute * MINUTE
        intake.take(json.dumps(body).encode())
    (group,) = book.book.open_groups()
    assert len(book.fired()) == len(group.alerts)
    for alert in body["alerts"]:
        alert |= {"status": "resolved", "endsAt": (at + 3 * MINUTE).isoformat()}
    book.now = at + 4 * MINUTE
    intake.take(json.dumps(body | {"status": "resolved"}).encode())
    assert book.book.open_groups() == ()
    assert {each.ends_at for each in book.fired()} == {at + 3 * MINUTE}


# --- which one is meant ---


@pytest.mark.parametrize(
    ("text", "found"), [("A00", 2), ("a0000000000000001", 1), ("podcrashlooping", 2), ("nope", 0)]
)
def test_a_group_is_found_by_its_id_its_beginning_or_its_name(book: Book, text: str, found: int) -> None:
    book.put(numbered(1))
    book.put(numbered(2))
    assert len(book.book.named(text)) == found


def test_a_reader_gets_a_group_only_when_one_alone_can_be_meant(book: Book) -> None:
    group = book.put(numbered(1))
    source = CasebookSource(book.book, lambda: book.now)
    assert source.read(GroupOf("PodCrashLooping"), 0.0) == group
    assert source.read(OpenGroups(), 0.0) == (group,)
    assert len(source.read(Occurrences(DAY), 0.0).occurrences) == 1
    known = {"U0ALICE0001": "alice"}
    source = CasebookSource(book.book, lambda: book.now, lambda user: known.get(user, ""))
    assert source.read(Called(("U0ALICE0001", "U0NOBODY001")), 0.0) == known
    book.put(numbered(2))
    assert source.read(GroupOf("PodCrashLooping"), 0.0) is None


def test_the_thread_of_a_card_is_its_groups_and_that_of_a_storm_has_all_of_them(book: Book) -> None:
    one = book.put(numbered(1))
    outbox = Outbox(book.state)
    outbox.note_sent(f"alert:{one.id}", "1:card", Sent("C0ALERTS", "17.1"))
    outbox.note_sent(f"alert:{one.id}", "1:3", Sent("C0ALERTS", "17.2"))
    assert book.book.told_in("C0ALERTS", "17.1") == (one,)
    assert book.book.told_in("C0ALERTS", "17.2") == book.book.told_in("C0ALERTS", "") == ()
    assert book.book.shown_in("C0ALERTS") == (one,)
    assert book.book.shown_in("C0OTHER") == ()


# --- storms ---

OVER = SITE.alerts.rollup.over


def blow(book: Book, groups: Iterable[AlertGroup]) -> list[AlertGroup]:
    return [book.put(group) for group in groups]


def test_more_groups_than_people_can_read_are_told_in_one_storm_and_critical_ones_are_not(book: Book) -> None:
    told = blow(book, (numbered(n) for n in range(OVER + 5)))
    storms = {group.storm for group in told}
    assert [bool(group.storm) for group in told] == [False] * OVER + [True] * 5
    assert len(storms) == 2
    grave = book.put(numbered(99, severity=Severity.CRITICAL))
    assert grave.storm == ""
    (storm,) = storms - {""}
    stored = book.state.load(f"storm:{storm}")
    assert stored and isinstance(stored.record, Storm) and stored.record.members == 1
    assert len(book.book.members(storm)) == 5


def test_a_minute_later_a_group_has_a_card_of_its_own_again_and_an_old_one_stays_where_it_is(
    book: Book,
) -> None:
    told = blow(book, (numbered(n) for n in range(OVER + 1)))
    book.now = NOW + 1.1 * MINUTE
    assert book.put(numbered(50)).storm == ""
    assert book.put(replace(told[-1], repeats=1)).storm == told[-1].storm != ""


def test_another_channel_has_its_own_count(book: Book) -> None:
    blow(book, (numbered(n) for n in range(OVER + 1)))
    assert book.put(numbered(50, channel="#other")).storm == ""


def test_one_that_becomes_critical_leaves_the_storm_with_a_card_of_its_own(book: Book) -> None:
    mild = blow(book, (numbered(n) for n in range(OVER + 1)))[-1]
    Outbox(book.state).note_sent(f"alert:{mild.id}", "1:card", Sent("C0ALERTS", "17.1"))
    grave = book.put(replace(mild, severity=Severity.CRITICAL))
    assert (grave.storm, grave.episode, grave.before) == ("", 2, "C0ALERTS 17.1")


def test_storms_that_begin_at_the_same_moment_are_one(book: Book) -> None:
    blow(book, (numbered(n) for n in range(OVER)))
    start, told = Barrier(20), []

    def enter(n: int) -> None:
        start.wait()
        told.append(book.put(numbered(n)).storm)

    threads = [Thread(target=enter, args=(100 + n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 20 and len(set(told)) == 1 and told[0]
    assert len(book.book.members(told[0])) == 20


@pytest.fixture
def quick_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


def sent_all(state: State, slack: SlackStandIn) -> None:
    client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=5, retry_handlers=[])
    courier, until = Courier(state, client, str, Pace(post=timedelta(0))), time.monotonic() + 60
    while state.depths()["outbox"]:
        assert time.monotonic() < until
        if not courier.step():
            Outbox(state).wait_for_mail(timedelta(milliseconds=20))


def test_in_a_storm_of_two_hundred_nothing_is_dropped_and_what_is_critical_comes_first(
    state: State, quick_slack: SlackStandIn
) -> None:
    book = Book(state)
    blow(book, (numbered(n) for n in range(200)))
    grave = book.put(numbered(900, severity=Severity.CRITICAL))
    sent_all(state, quick_slack)
    outbox, groups = Outbox(state), book.book.open_groups()
    posted = {group.id: outbox.sent(f"alert:{group.id}")["1:card"].ts for group in groups}
    assert len(posted) == 201 and all(posted.values())
    assert min(posted, key=lambda id: float(posted[id])) == grave.id
    (storm,) = {group.storm for group in groups} - {""}
    card = outbox.sent(f"storm:{storm}")["card"].ts
    members = {posted[group.id] for group in groups if group.storm}
    assert len(members) == 200 - OVER and all(float(ts) > float(card) for ts in members)
    told = [m for m in quick_slack.messages("#sre-alerts") if m.get("thread_ts") == card and m["ts"] != card]
    assert {m["ts"] for m in told} == members
