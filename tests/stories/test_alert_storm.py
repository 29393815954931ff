"""Alerts by the hundred: readable, whole, the gravest first; and people who type meanwhile are answered.

The bot's clocks at Slack run a hundred times as fast (swift.py); nothing here is asserted about time.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.alertcause import is_worth_triage
from bot.state import TRIAGE
from commands.model import AlertGroup, Severity, Storm
from sandbox.house import wait_until
from tests.build import audit_lines
from tests.edges.rude_server import HANG, RudeServer
from tests.stories.alerting import NOWHERE, PATIENCE, AlertWorld, Told, body
from tests.stories.faults import ALERTS
from workers.triage import PLACES

GROUPS, CRITICAL = 200, 10
SENDERS = 16
OVER = 10  # the default of alerts.rollup.over
WORKERS = 2


class Storming(AlertWorld):
    """While `held`, nothing is sent to the channel of alerts, as in the second after a post."""

    def hold(self) -> None:
        self.state.redis.set(f"sre:lane:{ALERTS}", "held", px=600_000)

    def release(self) -> None:
        self.state.redis.delete(f"sre:lane:{ALERTS}")

    def groups(self) -> list[AlertGroup]:
        return [stored.record for stored in self.state.groups(tuple(self.taken))]

    def diagnosing(self) -> int:
        """How many diagnoses are under way just now."""
        return len(self.state.redis.keys(f"sre:lease:request:{TRIAGE}*"))

    def storms(self) -> list[Storm]:
        ids = [line["id"] for line in audit_lines(self.state) if line["what"] == "storm"]
        found = [self.state.load(f"storm:{id}") for id in ids]
        return [stored.record for stored in found if stored and isinstance(stored.record, Storm)]


@pytest.fixture(scope="module")
def silence() -> Iterator[RudeServer]:
    """A Prometheus that hangs, so that diagnoses take their time."""
    with RudeServer(lambda asked: HANG) as server:
        yield server


@pytest.fixture(scope="module")
def world(silence: RudeServer) -> Iterator[Storming]:
    stack = {**NOWHERE, "prometheus": {"url": silence.url}, "access": "direct"}
    with Storming(site={"monitoring": stack, "alerts": {}}, worker_count=WORKERS) as world:
        yield world


@pytest.fixture(scope="module")
def storm(world: Storming) -> Iterator["Weather"]:
    """Two hundred groups at once, every twentieth of them critical, while the channel is held; then all is sent."""
    weather = Weather(world)
    weather.blow()
    yield weather


class Weather:
    def __init__(self, world: Storming) -> None:
        self._world = world
        self.most = 0  # diagnoses that were seen under way at once
        self.answered_among = 0  # diagnoses still waiting when a person was answered
        self.unsent = 0  # cards not sent when a person's command was acknowledged

    def blow(self) -> None:
        world, over = self._world, threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,))
        world.hold()
        watcher.start()
        try:
            severities = ["critical" if n % (GROUPS // CRITICAL) == 0 else "warning" for n in range(GROUPS)]
            bodies = [body(f"Storm-{n}", severity=severity) for n, severity in enumerate(severities)]
            with ThreadPoolExecutor(SENDERS) as senders:
                sent = [senders.submit(world.post, each) for each in bodies]
                self._ask()
            assert len({each.result() for each in sent}) == GROUPS
            world.release()
            world.wait_sent()
            wait_until(self._is_counted, seconds=PATIENCE, what="the storm's card counts all its groups")
            wait_until(lambda: not world.state.depths()["open_requests"], seconds=90, what="all is diagnosed")
            world.wait_sent()
        finally:
            over.set()
            watcher.join()

    def _ask(self) -> None:
        """A person types while all this comes in, and is answered while diagnoses wait for their place."""
        world = self._world
        wait_until(lambda: world.diagnosing(), seconds=PATIENCE, what="a diagnosis is under way")
        wait_until(lambda: world.state.depths()["outbox"] > CRITICAL, seconds=PATIENCE, what="cards wait")
        delivery = world.slack.command("alice", "#sre-daily", "health monitoring --heartbeat")
        assert delivery.ok and "On it" in delivery.text, delivery
        self.unsent = world.state.depths()["outbox"]

        def is_answered() -> bool:
            return any("last webhook" in str(each) for each in world.slack.messages("#sre-daily"))

        world.wait(is_answered, "the person's answer")
        self.answered_among = world.state.depths()["open_requests"]

    def _is_counted(self) -> bool:
        (storm,) = self._world.storms()
        return storm.members == len([group for group in self._world.groups() if group.storm])

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            self.most = max(self.most, self._world.diagnosing())


def test_two_hundred_groups_in_a_minute_have_a_message_each_and_none_is_dropped(
    world: Storming, storm: Weather
) -> None:
    assert len(world.groups()) == GROUPS
    messages = [message for message in world.told() if message.card != "?"]
    twice = [each for each, n in Counter((m.card, m.key) for m in messages).items() if n > 1]
    assert not twice
    assert Counter(m.card for m in messages if m.key == "1:card") == Counter(
        f"alert:{id}" for id in world.taken
    )


def test_the_criticals_have_cards_of_their_own_and_are_there_before_all_others(
    world: Storming, storm: Weather
) -> None:
    roots = [message for message in _cards(world) if not message.thread]
    severity = {f"alert:{group.id}": group.severity for group in world.groups()}
    criticals = [message for message in roots if severity.get(message.card) is Severity.CRITICAL]
    assert len(criticals) == CRITICAL
    assert [message.card for message in _cards(world)][:CRITICAL] == [message.card for message in criticals]


def test_the_many_are_in_the_thread_of_one_card_that_counts_them(world: Storming, storm: Weather) -> None:
    (record,) = world.storms()
    members = [group for group in world.groups() if group.storm]
    own = GROUPS - CRITICAL - len(members)
    # Who opens at the same moment as others does not see them yet.
    assert 0 <= own <= OVER + SENDERS
    (card,) = [
        message for message in world.told() if message.card == f"storm:{record.id}" and message.key == "card"
    ]
    assert f"{len(members)} alert groups, {len(members)} firing" in card.text
    threads = {message.card: message.thread for message in _cards(world)}
    assert {threads[f"alert:{group.id}"] for group in members} == {card.ts}
    assert ("namespace", "shop", len(members)) in record.counts


def test_only_what_is_worth_it_is_diagnosed_and_a_few_at_a_time(world: Storming, storm: Weather) -> None:
    groups = world.groups()
    assert {group.id for group in groups if group.triage} == {
        g.id for g in groups if is_worth_triage(None, g)
    }
    print(f"\n{storm.most} diagnoses at once, of {sum(bool(group.triage) for group in groups)}")
    assert 1 <= storm.most <= PLACES * WORKERS


def test_a_person_is_acknowledged_and_answered_in_the_midst_of_it(world: Storming, storm: Weather) -> None:
    assert storm.unsent > CRITICAL, "before the cards were sent"
    assert storm.answered_among > PLACES * WORKERS, "before the diagnoses were made"


def test_three_hundred_alerts_of_a_group_are_one_card_and_at_most_five_replies(
    world: Storming, storm: Weather
) -> None:
    id = world.post(body("Hundreds", 300, severity="critical"))
    card = world.wait_card(id, "300 firing")
    wait_until(lambda: not world.state.depths()["open_requests"], seconds=PATIENCE, what="it is diagnosed")
    world.wait_sent()
    thread = world.slack.thread(ALERTS, card.ts)
    assert 1 <= len(thread) - 1 <= 5, world.report()
    files = [file["name"] for message in thread for file in message.get("files") or ()]
    assert len(files) == 1, "the whole list"
    assert not card.thread and [m.key for m in world.of(id)] == ["1:card"]


def _cards(world: Storming) -> list[Told]:
    return [message for message in world.told() if message.key == "1:card"]
