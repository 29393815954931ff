"""Every source of a health run hangs: the answer still comes within a minute, and says of nothing that it is well."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from bot.state import State, connect
from commands.finding import Finding, Light
from commands.model import Request
from sandbox.house import House
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from tests.build import audit_lines
from tests.edges.rude_server import HANG, Asked, RudeServer, page
from tests.stories.almanac import still

# The manual's promise for a whole run.
MINUTE = 60

SLACK_WAITS = 3.0


class World:
    """A house whose sources take every connection, hear every request out, and say nothing.

    `others_answer` lets Grafana and Alertmanager speak.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.others_answer = False

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self.silence = closing.enter_context(RudeServer(lambda asked: HANG))
            self.others = closing.enter_context(RudeServer(self._say))
            kubeconfig = self._folder / "kubeconfig"
            kubeconfig.write_text(_kubeconfig(self.silence.url))
            urls = {
                "prometheus": self.silence.url,
                "alertmanager": self.others.url,
                "grafana": self.others.url,
            }
            aws = {
                "AWS_ENDPOINT_URL": self.silence.url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_EC2_METADATA_DISABLED": "true",
            }  # fmt: skip
            site = {
                "monitoring": {**{kind: {"url": url} for kind, url in urls.items()}, "access": "direct"},
                "cluster": {"nodegroups": ["a", "b"]},
            }
            self.slack = closing.enter_context(SlackStandIn())
            redis = closing.enter_context(RedisServer())
            connection = connect(redis.url, patient=True)
            closing.callback(connection.close)
            self._state = State(connection)
            still(self._state)
            closing.enter_context(
                House(slack=self.slack, redis=redis, kubeconfig=kubeconfig, site=site, environment=aws)
            )
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _say(self, asked: Asked) -> Any:
        if not self.others_answer:
            return HANG
        if asked.target.startswith("/api/health"):
            return page(200, {"database": "ok", "version": "12.0.0", "commit": "abc"})
        if asked.target.startswith("/api/v2/status"):
            return page(200, {"cluster": {"status": "disabled"}, "versionInfo": {"version": "0.28.0"}})
        return page(200, "OK", "text/plain")

    def health(self, channel: str) -> tuple[Request, float]:
        """The answer to `health` and how long it took."""
        began = time.monotonic()
        delivery = self.slack.command("alice", channel, "health")
        assert delivery.ok and delivery.elapsed < SLACK_WAITS

        def is_answered() -> bool:
            return any("green" in message["text"] for message in self.slack.messages(channel))

        self.slack.wait_for(is_answered, timeout=2 * MINUTE)
        took = time.monotonic() - began
        id = [line["id"] for line in audit_lines(self._state) if line["what"] == "answered"][-1]
        stored = self._state.request(id)
        assert stored is not None and len(stored.record.sections) == 4
        return stored.record, took


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("kube")) as world:
        yield world


def findings_of(request: Request) -> list[Finding]:
    return [finding for section in request.sections for finding in section.findings]


def _kubeconfig(url: str) -> str:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "silent",
        "clusters": [{"name": "silent", "cluster": {"server": url}}],
        "users": [{"name": "silent", "user": {"token": "unused"}}],
        "contexts": [{"name": "silent", "context": {"cluster": "silent", "user": "silent"}}],
    }  # fmt: skip
    return yaml.safe_dump(config)


@pytest.mark.timeout(150)
def test_a_run_of_hanging_sources_ends_in_time_and_shows_no_green(world: World) -> None:
    request, took = world.health("#sre-daily")
    asked = len(world.silence.asked) + len(world.others.asked)
    print(f"\nwith every source hanging: answered after {took:.1f} s, {asked} requests unanswered")
    assert took < MINUTE
    assert "0/4 green" in world.slack.messages("#sre-daily")[0]["text"]
    findings = findings_of(request)
    assert len(findings) > 15
    for finding in findings:
        # That a server of the monitoring stack does not answer is itself what its line tells.
        is_down = finding.light is Light.RED and finding.value.startswith("no answer")
        assert finding.light is Light.UNKNOWN or is_down, finding
        assert finding.value or finding.evidence, finding


@pytest.mark.timeout(150)
def test_a_hanging_prometheus_hides_no_other_source(world: World) -> None:
    world.others_answer = True
    request, _ = world.health("#changes")
    told = {finding.label: finding for finding in findings_of(request)}
    for label in ("Grafana", "Alertmanager"):
        assert told[label].light is not Light.UNKNOWN, told[label]
