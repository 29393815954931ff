"""What can be broken of the bot's own house, time that is moved, and the reset, without a browser.

What can be broken in the shop is played in test_sandbox_panel.py. One sandbox serves all; the last test ends everything
and begins anew: after it, nothing of the others is left.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from sandbox.assembly import Sandbox
from sandbox.house import wait_until
from tests.stories.sandboxed import SECONDS, shown, soon_missed

Json = dict[str, Any]

pytestmark = pytest.mark.monitoring


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with soon_missed(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


def post(sandbox: Sandbox, what: str, **body: Any) -> Json:
    answer = httpx.post(f"{sandbox.slack.url}/_sandbox/{what}", json=body, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def state(sandbox: Sandbox) -> Json:
    told: Json = httpx.get(f"{sandbox.slack.url}/_sandbox/state", timeout=SECONDS).json()
    return told


def lever(told: Json, name: str) -> Json:
    found: Json = next(each for each in told["faults"] if each["name"] == name)
    return found


def messages(sandbox: Sandbox, channel: str, *words: str) -> list[str]:
    """What is in the channel and says all of this, the newest last."""
    texts = [shown(each) for each in sandbox.slack.messages(channel)]
    return [text for text in texts if all(word in text for word in words)]


def wait_for(sandbox: Sandbox, channel: str, *words: str, seconds: float = SECONDS) -> str:
    found = wait_until(
        lambda: messages(sandbox, channel, *words), what=f"{words} in #{channel}", seconds=seconds
    )
    return found[-1]


@pytest.mark.parametrize("fault", ["slack-429", "slack-down"])
def test_what_happens_while_slack_is_away_is_told_once_when_it_is_back(sandbox: Sandbox, fault: str) -> None:
    alert = {"slack-429": "HighCPUUsage", "slack-down": "HighMemoryUsage"}[fault]
    found = lever(post(sandbox, "break", fault=fault), fault)
    assert found["on"] and found["since"]
    assert post(sandbox, "alert", alert=alert)["status"] == 200
    wait_until(lambda: _is_kept(sandbox, alert), what="the alert in the store", seconds=SECONDS)
    assert messages(sandbox, "sre-alerts", alert) == []
    post(sandbox, "mend", fault=fault)
    wait_for(sandbox, "sre-alerts", alert, "firing")
    post(sandbox, "alert", alert=alert, resolve=True)
    wait_for(sandbox, "sre-alerts", alert, "resolved")
    roots = [each for each in sandbox.slack.messages("sre-alerts") if alert in shown(each)]
    assert len([each for each in roots if each.get("thread_ts", each["ts"]) == each["ts"]]) == 1


def _is_kept(sandbox: Sandbox, alert: str) -> bool:
    with Redis.from_url(sandbox.house.redis_url) as redis:
        return any(alert.encode() in (redis.hget(key, "body") or b"") for key in redis.keys("sre:alert:*"))


@pytest.mark.parametrize("fault", ["redis-restart", "worker-kill"])
def test_what_happens_once_is_over_and_what_was_asked_meanwhile_is_answered(
    sandbox: Sandbox, fault: str
) -> None:
    before = {message["ts"] for message in sandbox.slack.messages("sre-daily")}
    pids = [worker.pid for worker in sandbox.house.workers]
    sandbox.slack.command("alice", "#sre-daily", "health app")
    told = post(sandbox, "break", fault=fault)
    found = lever(told, fault)
    assert found["once"] and found["last"] and not found["on"] and told["broken"] == []

    def is_answered() -> bool:
        new = [each for each in sandbox.slack.messages("sre-daily") if each["ts"] not in before]
        return any("Application" in shown(each) and "3/3 ready" in shown(each) for each in new)

    wait_until(is_answered, what="the answer", seconds=SECONDS)
    wait_until(
        lambda: all(each.is_ready() for each in sandbox.house.members), what="all back", seconds=SECONDS
    )
    assert ([worker.pid for worker in sandbox.house.workers] == pids) is (fault == "redis-restart")
    refused = httpx.post(f"{sandbox.slack.url}/_sandbox/mend", json={"fault": fault}, timeout=SECONDS)
    assert refused.status_code == 400 and "happens once" in refused.json()["error"]


def test_time_that_is_moved_brings_what_would_be_due_and_new_messages_carry_it(sandbox: Sandbox) -> None:
    post(sandbox, "break", fault="errors")
    wait_for(sandbox, "sre-alerts", "HighErrorRate", "payment backend: timeout", "firing")
    clock = post(sandbox, "clock", skip="15m")
    assert (clock["ahead_seconds"], clock["ahead"]) == (900, "15m") and clock["now"] > clock["real"]
    reminder = wait_for(sandbox, "sre-alerts", "nobody has acknowledged this for")
    assert "5 min" in reminder
    newest = max(float(each["ts"]) for each in sandbox.slack.messages("sre-alerts"))
    assert newest > _real_now(sandbox) + 600
    with Redis.from_url(sandbox.house.redis_url) as redis:
        beats = [float(redis.get(key) or 0) for key in redis.keys("sre:beat:*")]
    assert beats and min(beats) > sandbox.slack.clock.now() - 600  # or the alert path would read as silent
    post(sandbox, "mend", fault="errors")
    answer = httpx.post(f"{sandbox.slack.url}/_sandbox/clock", json={"skip": "-1h"}, timeout=SECONDS)
    assert answer.status_code == 400 and "15m" in answer.json()["error"]


def _real_now(sandbox: Sandbox) -> float:
    return sandbox.slack.clock.now() - sandbox.clock.ahead()


def test_a_prometheus_that_is_down_is_missed_by_itself_and_heard_again(sandbox: Sandbox) -> None:
    post(sandbox, "break", fault="prometheus-down")
    sandbox.slack.command("alice", "#sre-daily", "health monitoring")
    wait_for(sandbox, "sre-daily", "Monitoring", 'no endpoints available for service "prometheus-service"')
    wait_for(sandbox, "incidents", "no Watchdog for", seconds=3 * SECONDS)
    post(sandbox, "mend", fault="prometheus-down")
    wait_for(sandbox, "incidents", "heard again")


def test_a_reset_leaves_nothing_of_what_was_and_keeps_the_page(sandbox: Sandbox) -> None:
    """The last test of the file."""
    address, pid, resets = sandbox.slack.url, sandbox.nursery.pid, sandbox.resets
    post(sandbox, "clock", skip="5m")
    post(sandbox, "alert", alert="HighLatency")
    wait_for(sandbox, "sre-alerts", "HighLatency")
    post(sandbox, "break", fault="crash-loop")
    post(sandbox, "break", fault="slack-429")
    notices = sandbox.slack.notices()

    told = post(sandbox, "reset")

    assert told["resets"] == resets + 1 and told["broken"] == [] and told["clock"]["ahead_seconds"] == 0
    assert told["backend"] == {"pods": 3, "ready": 3}
    assert all(not each["on"] and each["last"] is None for each in told["faults"])
    assert messages(sandbox, "sre-alerts") == [] and messages(sandbox, "sre-daily") == []
    assert (sandbox.slack.url, sandbox.nursery.pid) == (address, pid)
    kinds = []
    while not notices.empty():
        kinds.append(notices.get())
    assert "reset" in {each["kind"] for each in kinds}
    assert {"kind": "sandbox", "what": "reset"}.items() <= kinds[-1].items()
    sandbox.slack.command("alice", "#sre-daily", "health app")
    wait_for(sandbox, "sre-daily", "Application", "3/3 ready")
