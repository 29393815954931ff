"""Alerts while anything dies, hangs or refuses: each that was taken is told once, in order, and nothing twice.

The bot's clocks at Slack run a hundred times as fast (swift.py), so that ten minutes of an outage take six seconds.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox import monitoring
from sandbox.house import ALERT_TOKEN, wait_until
from sandbox.monitoring import Alertmanager, webhook_config
from sandbox.slack.faults import Kind as FaultKind
from tests.build import trail_faults
from tests.edges.rude_server import HANG, RudeServer
from tests.stories import mortal
from tests.stories.alerting import CHANNELS, NOWHERE, PATIENCE, AlertWorld, body
from tests.stories.swift import SCALE

# With fewer steps than these the road was not walked: commit, claim, attempt, post, note, release; and for an end
# commit, claim, edit, note, release, and those of its line.
ENOUGH = 15
MOST = 40


@pytest.fixture(scope="module")
def world() -> Iterator[AlertWorld]:
    with AlertWorld() as world:
        yield world


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        world: AlertWorld = request.getfixturevalue("world")
        world.slack.clear_faults()
        world.plan.unlink(missing_ok=True)


# --- kill -9 at every step ------------------------------------------------------------------------


def is_struck(world: AlertWorld, name: str, nth: int, pid: int = 0) -> bool:
    """An alert begins and ends while process `pid` (0: the bot) dies before its nth step; False when it has no nth."""
    world.plan.write_text(f"{nth} {pid} {name}")
    id = world.post(body(name))
    world.wait_card(id, "firing")
    world.wait_sent()
    world.post(body(name, 0, 1))
    world.wait_card(id, "resolved after")
    world.wait_line(id, "resolved after")
    world.wait_sent()
    world.assert_audited(id, (1, 0), (0, 1))
    if world.plan.exists():
        world.plan.unlink()
        return False
    return True


def test_a_bot_killed_at_any_step_of_intake_and_sending_tells_each_alert_once(world: AlertWorld) -> None:
    began = time.monotonic()
    died = next(nth for nth in range(1, MOST) if not is_struck(world, f"BotDies-{nth}", nth)) - 1
    print(f"\nbot killed {died} times in {time.monotonic() - began:.0f} s")
    assert died >= ENOUGH
    world.assert_told_once()
    assert trail_faults(world.state) == ()


def test_a_redis_killed_at_any_step_has_forgotten_nothing_it_answered_for(
    world: AlertWorld,
) -> None:
    """Started again on its data, as by its supervisor."""
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_up, args=(world, stop))
    keeper.start()
    try:
        for nth in range(1, ENOUGH + 1, 2):  # the sender waits a second for the store: every other step
            assert is_struck(world, f"RedisDies-{nth}", nth, world.redis.pid)
            wait_until(world.house.bot.is_ready, seconds=PATIENCE, what="the store is back")
    finally:
        stop.set()
        keeper.join()
    world.assert_told_once()
    assert trail_faults(world.state) == ()


def _keep_up(world: AlertWorld, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        if not world.redis.is_running():
            world.redis.restart()


@pytest.mark.timeout(180)
def test_a_worker_killed_at_any_step_of_a_diagnosis_leaves_it_to_another_and_nothing_is_told_twice() -> None:
    """A commit of the triage each: the sections, the cause on the card, the end."""
    with AlertWorld() as world:
        workers = world.house.member("mortal", "tests.stories.mortal", lambda: True)
        bodies = {nth: body(f"WorkerDies-{nth}", 2, severity="critical") for nth in range(1, 6)}
        ids = {nth: world.post(each) for nth, each in bodies.items()}
        world.state.redis.hset(mortal.PLAN, mapping={id: f"before {nth}" for nth, id in ids.items()})
        workers.start()
        try:
            wait_until(
                lambda: not world.state.depths()["open_requests"], seconds=90, what="all are diagnosed"
            )
            world.wait_sent()
        finally:
            workers.stop()
        died = world.state.redis.hlen(mortal.STRUCK)
        print(f"\n{died} workers killed")
        assert died >= 4
        world.assert_told_once()
        for id in ids.values():
            stored = world.state.alert_group(id)
            assert stored is not None and stored.record.triage
            triage = world.state.request(stored.record.triage)
            assert triage is not None and all(section.done for section in triage.record.sections)
            told = [message for message in world.told() if message.card == f"request:{triage.record.id}"]
            assert 1 <= len(told) <= 5


# --- Slack ----------------------------------------------------------------------------------------

FAULTS: list[tuple[FaultKind, dict[str, int]]] = [
    ("status", {"status": 502}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("fatal_error", {}),
]


@pytest.mark.parametrize(("kind", "options"), FAULTS, ids=[kind for kind, _ in FAULTS])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
def test_what_fails_with_or_without_effect_arrives_once_and_in_order(
    world: AlertWorld, method: str, kind: FaultKind, options: dict[str, int]
) -> None:
    world.slack.fault(method, kind, 6, **options)
    ids = come_and_go(world, [f"{method.removeprefix('chat.')}-{kind}-{number}" for number in range(3)])
    assert not world.slack.faults.planned(), "every fault befell"
    assert [[line.key for line in world.lines(id)] for id in ids] == [["1:1", "1:2"]] * 3
    world.assert_told_once()


def test_twenty_limits_of_posts_and_three_of_edits_only_delay(world: AlertWorld) -> None:
    """Each closes its channel for the second it names."""
    before = len(world.slack.calls())
    world.slack.fault("chat.postMessage", "ratelimited", 20, retry_after=1)
    world.slack.fault("chat.update", "ratelimited", 3, retry_after=1)
    ids = come_and_go(world, list(CHANNELS), teams=list(CHANNELS))
    limited = [call for call in world.slack.calls()[before:] if call.status == 429]
    assert len(limited) == 23
    assert [[line.key for line in world.lines(id)] for id in ids] == [["1:1", "1:2"]] * len(CHANNELS)
    world.assert_told_once()


def come_and_go(world: AlertWorld, names: list[str], teams: list[str] | None = None) -> list[str]:
    """Two alerts each, which begin together and end one after the other."""
    named = list(zip(names, teams or [""] * len(names), strict=True))
    ids = [world.post(body(name, 2, team=team)) for name, team in named]
    for id in ids:
        world.wait_card(id, "firing")
    for id, (name, team) in zip(ids, named, strict=True):
        world.post(body(name, 1, 1, team=team))
        world.wait_line(id, "resolved after")
    for id, (name, team) in zip(ids, named, strict=True):
        world.post(body(name, 0, 2, team=team))
        world.wait_card(id, "resolved after")
        world.wait_line(id, "✅ all 2 resolved after")
    world.wait_sent()
    return ids


@pytest.mark.timeout(180)
def test_a_post_that_slack_takes_and_answers_too_late_has_no_twin(world: AlertWorld) -> None:
    """The answer of one call comes after the bot gave it up."""
    world.slack.fault("chat.postMessage", "latency", seconds=600)
    id = world.post(body("AnsweredLate"))
    world.wait_card(id, "firing")
    world.post(body("AnsweredLate", 0, 1))
    world.wait_line(id, "resolved after")
    world.assert_told_once()


def test_slack_is_away_for_ten_minutes_and_is_told_the_latest_of_each_alert(world: AlertWorld) -> None:
    before = len(world.slack.calls())
    world.slack.fault("*", "down", times=None)
    began, minutes = time.monotonic(), 10
    ids = [world.post(body(f"Away-{number}", 2)) for number in range(5)]
    for number in range(5):
        world.post(body(f"Away-{number}", 1, 1))
    wait_until(
        lambda: time.monotonic() - began > minutes * 60 / SCALE, seconds=PATIENCE, what="ten minutes pass"
    )
    tried, tens = len(world.slack.calls()) - before, (time.monotonic() - began) * SCALE / 60 / minutes
    for number in range(5):
        world.post(body(f"Away-{number}", 0, 2))
    assert world.house.get("/readyz")[0] == 200, "a pod that takes in alerts keeps its traffic"
    assert not any(world.of(id) for id in ids)
    world.slack.clear_faults()
    for id in ids:
        world.wait_card(id, "resolved after")
        world.wait_line(id, "✅ all 2 resolved after")
        assert [line.key for line in world.lines(id)] == ["1:1", "1:2"]
    world.wait_sent()
    world.assert_told_once()
    print(f"\n{tried} calls in ten minutes of silence")
    assert 5 <= tried <= 200 * tens, "it tries again and again, ever more seldom"


# --- the store, and Alertmanager's own patience ----------------------------------------------------


@pytest.mark.monitoring
@pytest.mark.skipif(
    monitoring.find_program("alertmanager") is None, reason="prometheus-alertmanager is not installed"
)
def test_what_comes_while_redis_is_down_is_delivered_once_by_alertmanagers_own_retry(
    world: AlertWorld,
) -> None:
    config = webhook_config(f"{world.house.url}/alerts", ALERT_TOKEN)
    with Alertmanager(config) as alertmanager:
        world.redis.kill()
        alertmanager.alert({"alertname": "WhileDown", "severity": "critical", "pod": "web-1"})
        failed = "alertmanager_notification_requests_failed_total"
        wait_until(
            lambda: alertmanager.counted(failed, integration="webhook") >= 2,
            seconds=PATIENCE,
            what="Alertmanager was refused twice",
        )
        world.redis.restart()
        (id,) = _ids(world, "WhileDown")
        world.taken[id] = "WhileDown"
        world.wait_card(id, "WhileDown")
        assert alertmanager.counted("alertmanager_notifications_total", integration="webhook") == 1
        given_up = alertmanager.counted("alertmanager_notifications_failed_total", integration="webhook")
        assert not given_up
    world.wait_sent()
    world.assert_told_once()
    world.assert_audited(id, (1, 0))


def _ids(world: AlertWorld, name: str) -> list[str]:
    def found() -> list[str]:
        return [
            m.card.removeprefix("alert:") for m in world.told() if name in m.text and m.key.endswith(":card")
        ]

    ids: list[str] = world.wait(found, f"a card of {name}")
    return ids


def test_two_alertmanagers_that_say_the_same_at_once_make_one_card_and_each_line_once(
    world: AlertWorld,
) -> None:
    said = [("Twins", 3, 0), ("Twins", 2, 1), ("Twins", 0, 3)]
    for name, firing, resolved in said:
        bodies = [body(name, firing, resolved, url=f"http://alertmanager-{n % 2}:9093") for n in range(8)]
        gate = threading.Barrier(len(bodies))

        def post(each: bytes, gate: threading.Barrier = gate) -> str:
            gate.wait()
            return world.post(each)

        with ThreadPoolExecutor(len(bodies)) as senders:
            (id,) = set(senders.map(post, bodies))
    world.wait_line(id, "✅ all 3 resolved after")
    world.wait_sent()
    assert len(world.lines(id)) == 2
    world.assert_told_once()
    world.assert_audited(id, (3, 0), (2, 1), (0, 3))


# --- what a diagnosis reads ------------------------------------------------------------------------


@pytest.mark.timeout(150)
def test_a_prometheus_that_hangs_does_not_hold_the_card_up_and_is_named_in_the_thread() -> None:
    with RudeServer(lambda asked: HANG) as silence:
        stack = {**NOWHERE, "prometheus": {"url": silence.url}, "access": "direct"}
        with AlertWorld(site={"monitoring": stack}, worker_count=1) as world:
            began = time.monotonic()
            id = world.post(body("KubePodCrashLooping", severity="critical", container="app"))
            world.wait_card(id, "firing")
            print(f"\nthe card was there after {time.monotonic() - began:.2f} s")
            assert not _triage_told(world), "the card came before anything that its diagnosis found"
            world.wait(lambda: _triage_told(world), "what the diagnosis found")
            wait_until(lambda: not world.state.depths()["open_requests"], seconds=PATIENCE, what="it is over")
            world.wait_sent()
            texts = "\n".join(_shown(world))
            assert silence.asked, "Prometheus was asked"
            assert "unknown: prometheus: no complete answer in time" in texts, texts
            assert "nothing in the last 2 h" in texts, "what others say still shows"
            world.assert_told_once()


def _triage_told(world: AlertWorld) -> list[str]:
    return [message.text for message in world.told() if message.card.startswith("request:T")]


def _shown(world: AlertWorld) -> list[str]:
    return [str(message.get("blocks")) + message["text"] for message in world.slack.messages("#sre-alerts")]
