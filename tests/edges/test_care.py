"""What people decide about an alert: typed, pressed, at once, twice, by those who may not, and too late."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.casebook import Casebook
from bot.desk import Desk, Receipt, Said
from bot.outbox import Outbox, Sent
from bot.people import People
from bot.state import State
from commands.catalog import Catalog
from commands.model import Actor, AlertGroup, Care, Judgement, Place, Request, Severity
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from sandbox.slack.workspace import User
from tests import build
from tests.build import ALICE, BOB, NOW, TEAM
from tests.edges.test_casebook import SITE, Book, blow, numbered, sent_all
from tests.edges.test_desk import BOT, CAROL, DAVE, EVE, MALLORY
from tests.edges.test_intake import House, opened

CATALOG = Catalog.load()
MINUTE = timedelta(minutes=1)
ALERTS, DAILY = "C0SREALERTS", "C0SREDAILY1"


@pytest.fixture(scope="module")
def standing_slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(rate_limits="off") as stand_in:
        yield stand_in


class Desks:
    """A desk at a settable time, and a critical group whose card is in #sre-alerts."""

    def __init__(self, state: State, slack: SlackStandIn) -> None:
        self.state, self.slack, self.now = state, slack, NOW + MINUTE
        self.client = WebClient(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
        self.people = People(state, SITE, self.client)
        self.people.refresh(self.client)
        self.desk = Desk(state, CATALOG, SITE, self.people, now=lambda: self.now)
        self.book = Book(state, SITE)
        self.id = self.shown(numbered(1, severity=Severity.CRITICAL)).id

    def shown(self, group: AlertGroup, ts: str = "17.1") -> AlertGroup:
        group = self.book.put(group)
        Outbox(self.state).note_sent(f"alert:{group.id}", f"{group.episode}:card", Sent(ALERTS, ts))
        return group

    @property
    def group(self) -> AlertGroup:
        stored = self.state.alert_group(self.id)
        assert stored is not None
        return stored.record

    @property
    def care(self) -> Care:
        return self.group.care

    def said(self) -> list[tuple[str, str, str]]:
        return [(line.mention, line.text, line.by) for line in self.group.lines]

    def press(self, actor: Actor, verb: str, word: str = "", value: str = "") -> Receipt:
        return self.desk.tend(actor, Place(ALERTS), verb, value or f"{self.id} 1", word)

    def type(self, actor: Actor, text: str, channel: str = DAILY, thread: str = "") -> Receipt:
        return self.desk.submit(Said(actor, Place(channel, thread), text, f"{actor.user} {text} {self.now}"))

    def audited(self, what: str) -> list[dict[str, str]]:
        return [line for line in build.audit_lines(self.state) if line["what"] == what]


@pytest.fixture
def desks(state: State, standing_slack: SlackStandIn) -> Desks:
    standing_slack.reset()
    return Desks(state, standing_slack)


# --- ack ---


def test_an_alert_is_acknowledged_once_by_name_and_its_card_is_drawn_anew(desks: Desks) -> None:
    desks.state.redis.delete("sre:outbox", "sre:outbox:meta")
    assert desks.press(BOB, "ack").accepted
    assert (desks.care.acked, desks.care.acked_by) == (desks.now, BOB.user)
    assert desks.said() == [("", "👀 acknowledged", BOB.user)]
    assert desks.state.redis.zscore("sre:outbox", f"alert:{desks.id}") is not None
    (line,) = desks.audited("acked")
    assert (line["by"], line["id"], line["episode"]) == (BOB.user, desks.id, "1")
    assert desks.press(BOB, "ack").accepted  # the same press, delivered again
    assert len(desks.said()) == len(desks.audited("acked")) == 1


def test_a_second_acknowledgement_says_who_has_it(desks: Desks) -> None:
    desks.press(BOB, "ack")
    desks.now += 5 * MINUTE
    told = desks.press(CAROL, "ack")
    assert not told.accepted and "has it: acknowledged 5 min ago" in told.text
    assert desks.care.acked_by == BOB.user


def test_what_is_resolved_needs_no_acknowledgement(desks: Desks) -> None:
    desks.book.ends(desks.group)
    told = desks.press(BOB, "ack")
    assert not told.accepted and "is resolved" in told.text
    assert desks.care == Care()


def test_of_fifty_who_press_at_the_same_moment_one_has_it_and_all_others_are_told_who(desks: Desks) -> None:
    crowd = [Actor(f"U0MANY00{n:03}", TEAM) for n in range(50)]
    for n, person in enumerate(crowd):
        user = User(person.user, f"many{n}", f"Many {n}", f"many{n}@example.com", TEAM)
        desks.slack.workspace.users[user.id] = user
        desks.people.kind_of(person.user)
    start, told = Barrier(50), []

    def press(person: Actor) -> None:
        start.wait()
        told.append(desks.press(person, "ack"))

    threads = [Thread(target=press, args=(person,)) for person in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.accepted for each in told].count(True) == 1
    assert sum("has it: acknowledged" in each.text for each in told) == 49
    assert len(desks.said()) == len(desks.audited("acked")) == 1


def test_of_fifty_marks_at_the_same_moment_none_is_lost(desks: Desks) -> None:
    start, told = Barrier(50), []

    def press(n: int) -> None:
        start.wait()
        word = ("actionable", "informational", "false-alarm")[n % 3]
        told.append(desks.press((ALICE, BOB, CAROL)[n // 3 % 3], "mark", word))

    threads = [Thread(target=press, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each.accepted for each in told)
    assert len(desks.audited("marked")) == len(desks.said())
    assert desks.care.judged[-1].by == desks.said()[-1][2]


# --- who may ---


@pytest.mark.parametrize(
    ("actor", "why"),
    [(BOT, "Bots"), (DAVE, "Guests"), (EVE, "deactivated"), (MALLORY, "Only members")],
)
@pytest.mark.parametrize("verb", ["ack", "own", "snooze", "mark"])
def test_who_is_no_member_is_refused_with_the_reason_and_that_is_written_down(
    desks: Desks, actor: Actor, why: str, verb: str
) -> None:
    told = desks.press(actor, verb, "actionable" if verb == "mark" else "")
    assert not told.accepted and why in told.text and "Nothing was done" in told.text
    assert desks.care == Care() and desks.said() == []
    (line,) = desks.audited("refused")
    assert (line["by"], line["act"]) == (actor.user, f"alert {verb}")


@pytest.mark.parametrize("value", ["", "A1 1", "R2AB3CD4E 1 0123456789abcdef", "A0000000000000001"])
def test_a_value_that_no_button_has_does_nothing(desks: Desks, value: str) -> None:
    told = desks.desk.tend(ALICE, Place(ALERTS), "ack", value)
    assert not told.accepted and "does not say which alert" in told.text


# --- own and hand over ---


def test_who_takes_an_alert_has_taken_notice_too(desks: Desks) -> None:
    assert desks.press(ALICE, "own").accepted
    assert (desks.care.owner, desks.care.acked_by) == (ALICE.user, ALICE.user)
    assert desks.said() == [("", "🙋 taken", ALICE.user)]


def test_nobody_takes_it_from_another_by_accident(desks: Desks) -> None:
    desks.press(ALICE, "own")
    told = desks.press(BOB, "own")
    assert not told.accepted and f"/sre alert own {desks.id} --to me" in told.text
    assert desks.type(BOB, f"alert own {desks.id} --to me").accepted
    assert desks.care.owner == BOB.user and desks.said()[-1][2] == BOB.user


def test_handing_over_calls_the_other_one_once_and_keeps_the_reminder(desks: Desks) -> None:
    assert desks.type(ALICE, f"alert own {desks.id} --to <@{BOB.user}|bob>").accepted
    again = desks.type(ALICE, f"alert own {desks.id} --to <@{BOB.user}|bob>")
    assert not again.accepted and "in hand already" in again.text
    assert desks.said() == [(BOB.user, "🤝 is in your hands: handed over", ALICE.user)]
    assert (desks.care.owner, desks.care.acked) == (BOB.user, None)
    (line,) = desks.audited("handed over")
    assert line["to"] == BOB.user


@pytest.mark.parametrize("to", ["@bob", f"<@{DAVE.user}>", f"<@{BOT.user}>", f"<@{MALLORY.user}>"])
def test_it_cannot_be_handed_to_who_is_no_member(desks: Desks, to: str) -> None:
    assert not desks.type(ALICE, f"alert own {desks.id} --to {to}").accepted
    assert desks.care == Care()


# --- snooze ---


def test_a_snooze_ends_by_itself_after_four_hours_at_most(desks: Desks) -> None:
    assert desks.type(ALICE, f"alert snooze {desks.id} --for 30m").accepted
    assert (desks.care.snoozed, desks.care.snoozed_by) == (desks.now + 30 * MINUTE, ALICE.user)
    told = desks.type(ALICE, f"alert snooze {desks.id} --for 5h")
    assert not told.accepted and "4 h at most" in told.text
    assert desks.press(ALICE, "snooze").accepted
    assert len(desks.said()) == 1  # half an hour is what the button says, too


# --- mark ---


def test_the_last_mark_counts_and_the_earlier_ones_are_kept(desks: Desks) -> None:
    assert desks.type(ALICE, f"alert mark {desks.id} false-alarm").accepted
    assert desks.press(BOB, "mark", value=f"{desks.id} 1 actionable").accepted
    assert desks.press(BOB, "mark", value=f"{desks.id} 1 actionable").accepted
    marks = [(each.judgement, each.by) for each in desks.care.judged]
    assert marks == [(Judgement.FALSE_ALARM, ALICE.user), (Judgement.ACTIONABLE, BOB.user)]
    desks.book.now = desks.now
    (fired,) = desks.book.fired()
    assert fired.judged and fired.judged.judgement is Judgement.ACTIONABLE


def test_what_is_over_can_be_marked_also_after_it_fired_again(desks: Desks) -> None:
    desks.book.ends(desks.group)
    assert desks.press(ALICE, "mark", "informational").accepted
    again = replace(build.alert(pod="web-1"), starts_at=NOW + 60 * MINUTE)
    desks.book.now = desks.now = NOW + 61 * MINUTE
    desks.book.put(replace(desks.group, alerts=(again,), episode=2, care=Care(), lines=()))
    assert desks.press(BOB, "mark", "false-alarm").accepted  # on the card of then
    assert desks.press(BOB, "mark", "false-alarm").accepted
    assert not desks.press(BOB, "ack").accepted
    assert desks.care == Care() and len(desks.said()) == 1
    first, second = desks.book.fired()
    assert first.judged and first.judged.judgement is Judgement.FALSE_ALARM
    assert second.judged is None
    kept = Casebook(desks.state, SITE).care_of(desks.id, 1)
    assert kept and [each.judgement for each in kept.judged] == [
        Judgement.INFORMATIONAL, Judgement.FALSE_ALARM,
    ]  # fmt: skip


def test_a_mark_without_a_word_asks_for_one_and_an_unknown_word_names_the_known(desks: Desks) -> None:
    assert desks.press(ALICE, "mark").needs_reason
    told = desks.type(ALICE, f"alert mark {desks.id} silly")
    assert not told.accepted and "false-alarm" in told.text


# --- which one is meant ---


def test_in_the_thread_of_an_alert_its_name_is_left_out(desks: Desks) -> None:
    other = desks.shown(numbered(2), "17.2")
    assert desks.type(ALICE, "ack", ALERTS, "17.1").accepted
    assert desks.type(ALICE, "alert mark false-alarm", ALERTS, "17.1").accepted
    assert desks.care.acked_by == ALICE.user and desks.care.judged
    stored = desks.state.alert_group(other.id)
    assert stored and stored.record.care == Care()


def test_without_a_thread_the_only_one_that_waits_here_is_meant_else_all_are_named(desks: Desks) -> None:
    other = desks.shown(numbered(2), "17.2")
    told = desks.type(ALICE, "ack", ALERTS)
    assert not told.accepted and desks.id in told.text and other.id in told.text
    assert "No alert here waits" in desks.type(ALICE, "ack", DAILY).text
    desks.press(BOB, "ack")
    assert desks.type(ALICE, "ack", ALERTS).accepted
    stored = desks.state.alert_group(other.id)
    assert stored and stored.record.care.acked_by == ALICE.user


def test_in_the_thread_of_a_storm_those_that_wait_are_named(desks: Desks) -> None:
    storm = blow(desks.book, (numbered(10 + n) for n in range(12)))[-1].storm
    Outbox(desks.state).note_sent(f"storm:{storm}", "card", Sent(ALERTS, "18.1"))
    told = desks.type(ALICE, "ack", ALERTS, "18.1")
    assert not told.accepted and "Which one?" in told.text


@pytest.mark.parametrize("name", ["A0000000000000001", "a00000000000000", "PodCrashLooping"])
def test_an_alert_is_typed_by_id_by_its_beginning_or_by_name(desks: Desks, name: str) -> None:
    assert desks.type(ALICE, f"alert ack {name}").accepted
    assert desks.care.acked_by == ALICE.user


def test_an_alert_that_is_unknown_is_said_to_be(desks: Desks) -> None:
    assert "There is no alert `Affff`" in desks.type(ALICE, "alert ack Affff").text
    assert "`actionable`, `informational`" in desks.type(ALICE, "alert mark fals").text


# --- buttons and windows, through Slack ---


@pytest.fixture(scope="module")
def running(redis_server: RedisServer) -> Iterator[House]:
    with opened(redis_server) as built:
        yield built


@pytest.fixture
def house(running: House) -> House:
    return running.emptied()


def posted(house: House) -> tuple[str, str]:
    """A critical group with its card in Slack; its id and the card's ts."""
    group = Book(house.state, SITE).put(numbered(1, severity=Severity.CRITICAL, cluster="prod-eu1"))
    sent_all(house.state, house.slack)
    return group.id, Outbox(house.state).sent(f"alert:{group.id}")["1:card"].ts


def care_of(house: House, id: str) -> Care:
    stored = house.state.alert_group(id)
    assert stored is not None
    return stored.record.care


def actions_of(house: House) -> dict[str, Any]:
    card = next(
        m for m in house.slack.messages("#sre-alerts") if "thread_ts" not in m or m["ts"] == m["thread_ts"]
    )
    elements = [e for block in card["blocks"] if block["type"] == "actions" for e in block["elements"]]
    return {element["action_id"]: element for element in elements}


def seldom(house: House) -> list[str]:
    """What the choices of the card's menu carry."""
    return [each["value"] for each in actions_of(house)["alert:more"]["options"]]


def test_the_buttons_of_the_card_do_what_they_say(house: House) -> None:
    id, ts = posted(house)
    assert {"alert:ack", "alert:own", "alert:more"} <= actions_of(house).keys()
    snooze, *_, mark = seldom(house)
    for action, chosen in (("alert:ack", None), ("alert:own", None), ("alert:more", snooze)):
        assert house.slack.press("alice", "#sre-alerts", ts, action, chosen).status == 200
    assert house.slack.press("bob", "#sre-alerts", ts, "alert:more", mark).status == 200
    care = care_of(house, id)
    assert (care.acked_by, care.owner) == (ALICE.user, ALICE.user)
    assert care.snoozed_by == ALICE.user
    assert care.judged[-1].by == BOB.user


def test_who_comes_second_is_told_in_private(house: House) -> None:
    _, ts = posted(house)
    for who in ("alice", "bob"):
        house.slack.press(who, "#sre-alerts", ts, "alert:ack")
    sent_all(house.state, house.slack)
    assert "has it: acknowledged" in house.slack.ephemerals("bob")[-1]["text"]
    assert house.slack.ephemerals("alice") == []


def test_a_hand_over_asks_in_a_window_to_whom(house: House) -> None:
    id, ts = posted(house)
    house.slack.press("alice", "#sre-alerts", ts, "alert:own")
    sent_all(house.state, house.slack)
    house.slack.press("alice", "#sre-alerts", ts, "alert:more", seldom(house)[0])
    view = house.slack.views("alice")[-1]
    said = house.slack.submit_view("alice", view["id"], {"choice": DAVE.user})
    assert said.body["response_action"] == "errors"
    view = house.slack.views("alice")[-1]
    assert house.slack.submit_view("alice", view["id"], {"choice": BOB.user}).status == 200
    assert care_of(house, id).owner == BOB.user
    sent_all(house.state, house.slack)
    assert f"<@{BOB.user}>" in json.dumps(house.slack.thread("#sre-alerts", ts)[-1])


def test_a_mention_in_the_thread_acknowledges_its_alert(house: House) -> None:
    id, ts = posted(house)
    house.slack.mention("bob", "#sre-alerts", "ack", thread_ts=ts)
    assert care_of(house, id).acked_by == BOB.user
    sent_all(house.state, house.slack)
    assert house.slack.ephemerals("bob") == []  # the thread shows it


def test_a_mention_that_changes_nothing_is_answered_in_private(house: House) -> None:
    _, ts = posted(house)
    house.slack.press("bob", "#sre-alerts", ts, "alert:ack")
    house.slack.mention("bob", "#sre-alerts", "ack", thread_ts=ts)
    sent_all(house.state, house.slack)
    (told,) = house.slack.ephemerals("bob")
    assert "You have acknowledged" in told["text"] and told["thread_ts"] == ts


def test_a_silence_is_asked_for_in_a_window_and_planned_in_the_thread(house: House) -> None:
    id, ts = posted(house)
    house.slack.press("alice", "#sre-alerts", ts, "alert:silence")
    view = house.slack.views("alice")[-1]
    said = house.slack.submit_view("alice", view["id"], {"for": "2h", "reason": "we know, disk ordered"})
    assert (said.status, said.body) == (200, {})
    (request,) = requests_of(house)
    assert request.text == f'alert silence {id} --cluster prod-eu1 --for 2h --why "we know, disk ordered"'
    assert (request.actor.user, request.place.thread) == (ALICE.user, ts)


def test_what_cannot_be_silenced_is_said_inside_the_window(house: House) -> None:
    _, ts = posted(house)
    house.slack.press("dave", "#sre-alerts", ts, "alert:silence")
    view = house.slack.views("dave")[-1]
    said = house.slack.submit_view("dave", view["id"], {"for": "1h", "reason": "x"})
    assert said.body["response_action"] == "errors"
    assert requests_of(house) == []


def requests_of(house: House) -> list[Request]:
    ids = (key.decode().rpartition(":")[2] for key in house.state.redis.scan_iter("sre:request:R*"))
    found = (house.state.request(id) for id in ids)
    return [stored.record for stored in found if stored is not None]
