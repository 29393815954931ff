"""The life of an alert with the real Prometheus and the real Alertmanager, while one process after the other is killed.

Fires, is repeated, ends in part, ends, fires again and ends for good: one card, one thread, right at the end.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest

from bot import alertbody, alerts
from bot.state import Conflict
from sandbox import monitoring
from sandbox.house import ALERT_TOKEN, Member, wait_until
from sandbox.monitoring import Alertmanager, Prometheus, webhook_config
from sandbox.process import free_ports
from tests.build import trail_faults
from tests.stories.alerting import PATIENCE, AlertWorld
from tests.stories.real_world import serving

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        not monitoring.available(), reason=f"not installed: {', '.join(monitoring.lacking())}"
    ),
]

RULES = {
    "groups": [
        {
            "name": "shop",
            "rules": [
                {
                    "alert": "PodBroken",
                    # A scrape that a busy machine did not answer in its second is no end of the alert.
                    "expr": "last_over_time(broken[1m]) > 0",
                    "labels": {"severity": "critical", "namespace": "shop"},
                    "annotations": {"summary": "{{ $labels.pod }} is broken"},
                }
            ],
        }
    ]
}
PODS = ("web-1", "web-2")


class Shop(BaseHTTPRequestHandler):
    """What Prometheus scrapes: which pods are broken."""

    broken: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        page = "# TYPE broken gauge\n" + "".join(
            f'broken{{pod="{pod}"}} {int(pod in self.broken)}\n' for pod in PODS
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Eager(Prometheus):
    """Says every five seconds what fires, as it does every minute where nobody waits for it; an alert of which nothing
    is heard for four times as long is over for Alertmanager."""

    def _flags(self, port: int) -> list[str]:
        return [*super()._flags(port), "--rules.alert.resend-delay=5s"]


class Cycle(AlertWorld):
    """All of it, with short intervals."""

    def __enter__(self) -> "Cycle":
        with ExitStack() as closing:
            super().__enter__()
            closing.push(super().__exit__)
            shop = closing.enter_context(serving(Shop))
            hook = webhook_config(f"{self.house.url}/alerts", ALERT_TOKEN, repeat_interval="1s")
            self.alertmanager = closing.enter_context(Alertmanager(hook))
            self.prometheus = closing.enter_context(Eager(self._scraping(shop), files={"rules.yml": RULES}))
            self._around = closing.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._around.close()

    def _scraping(self, port: int) -> dict[str, Any]:
        target = self.alertmanager.url.removeprefix("http://")
        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]},
            "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        }

    def broken(self, *pods: str) -> None:
        Shop.broken = set(pods)

    def wait_repeats(self, count: int = 3) -> None:
        """Alertmanager says again, so many times, what it said before."""
        sent = "alertmanager_notifications_total"
        before = self.alertmanager.counted(sent, integration="webhook")
        wait_until(
            lambda: self.alertmanager.counted(sent, integration="webhook") >= before + count, seconds=PATIENCE,
            what="Alertmanager repeats itself",
        )  # fmt: skip

    def pass_minutes(self, id: str) -> None:
        """As though nothing had been heard of the group for two minutes: a copy within one is a twin's, no repeat."""
        wait_until(lambda: self._aged(id), seconds=PATIENCE, what="the group can be written")

    def _aged(self, id: str) -> bool:
        stored = self.state.alert_group(id)
        assert stored is not None and stored.record.heard is not None
        long_ago = stored.record.heard - alerts.LATE_COPY - timedelta(minutes=1)
        try:
            self.state.change().put(replace(stored.record, heard=long_ago), was=stored.version).commit()
        except Conflict:
            return False
        return True


@pytest.fixture
def world() -> Iterator[Cycle]:
    with Cycle(worker_count=1, port=free_ports(1)[0]) as world:
        yield world


@pytest.mark.timeout(300)
def test_one_thread_is_right_at_the_end_whatever_died_on_the_way(world: Cycle) -> None:
    world.broken(*PODS)
    id = group_of("PodBroken")
    world.taken[id] = "PodBroken"
    first = world.wait_card(id, "2 firing")
    kill(world.house.bot)

    world.wait_repeats()
    world.pass_minutes(id)
    world.wait_card(id, "still firing (2x")
    kill(world.house.workers[0])

    world.broken("web-1")
    world.wait_card(id, "1 firing / 1 resolved")
    world.redis.kill()
    world.redis.restart()

    world.broken()
    world.wait_card(id, "resolved after")
    world.wait_line(id, "✅ all 2 resolved")
    kill(world.house.bot)

    world.broken("web-2")
    world.wait_card(id, "flapping 1")
    world.alertmanager.kill()
    world.alertmanager.restart()
    world.wait_repeats()

    world.broken()
    world.wait_card(id, "resolved after")
    world.wait_line(id, "✅ all 2 resolved")
    wait_until(lambda: len(told_of(world, id)) == 4, seconds=PATIENCE, what="its last line")
    world.wait_sent()
    assert_right(world, id, first.ts)


def assert_right(world: Cycle, id: str, ts: str) -> None:
    card, *thread = world.of(id)
    assert (card.ts, card.thread) == (ts, "") and card.text.startswith("✅ PodBroken: resolved after")
    told = told_of(world, id)
    assert [text.partition(":")[0].partition(" after")[0] for text in told] == [
        "✅ resolved",
        "✅ all 2 resolved",
        "🔥 fires again (flapping 1)",
        "✅ all 2 resolved",
    ]
    assert "pod=web-2" in told[0] and "pod=web-2" in told[2]
    roots = [message for message in world.told() if not message.thread]
    assert [message.card for message in roots] == [f"alert:{id}"], (
        "nothing but its one card is in the channels"
    )
    assert all(message.thread == ts for message in thread)
    world.assert_told_once()
    came_apart = len(world.lines(id)) - len(told)
    world.assert_audited(id, *[(1, 0)] * came_apart, (2, 0), (1, 1), (0, 2), (1, 1), (0, 2))
    assert trail_faults(world.state) == ()


def told_of(world: Cycle, id: str) -> list[str]:
    """Its lines. Whether the second alert comes with the first or just after it is Alertmanager's."""
    lines = [each.text for each in world.lines(id)]
    return lines[1:] if lines and lines[0].startswith("🔥 also firing") else lines


def kill(member: Member) -> None:
    member.kill()
    member.restart()


def group_of(name: str) -> str:
    """Of a group by alertname alone."""
    return alertbody.parse(
        b'{"version": "4", "groupLabels": {"alertname": "%s"}, "alerts": []}' % name.encode()
    ).id
