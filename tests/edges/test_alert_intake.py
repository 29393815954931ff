"""Alerts over real HTTP into a real Redis: durable or refused, one group for twins, and nothing lost in silence."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import httpx
import pytest

from bot import web
from bot.intake import Intake
from bot.outbox import Outbox, Sent
from bot.state import State, connect
from commands.catalog import Catalog
from commands.model import AlertGroup, Notice, Severity
from commands.site import AlertRoute, ClusterSite, OnCall, Roles, Site
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer

TOKEN = "t0ken"
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SITE = replace(
    Site(),
    clusters={"eu": ClusterSite(name="eu", eks="prod-eu1"), "us": ClusterSite(name="us")},
    default_cluster="eu",
    roles=Roles(oncall=OnCall(("U0ONCALL",)), platform=("U0PLAT", "S0PLAT")),
)


class Door:
    """The webhook and its store; `now` is the clock of the intake."""

    def __init__(self, redis_url: str) -> None:
        self.state = State(connect(redis_url, patient=True))
        self.now = NOW
        self.site = SITE
        self.serve()

    def serve(self) -> None:
        intake = Intake(self.state, Catalog.load(), self.site, now=lambda: self.now)
        self.intake = intake
        app = web.Web(
            intake, None, signing_secret="", alert_tokens=(TOKEN,), not_ready=list, told=list  # type: ignore[arg-type]
        )  # fmt: skip
        self.app, self.port = app, free_ports(1)[0]
        self.server = web.serve(app, self.port, "127.0.0.1")
        self.thread = Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.task_dispatcher.shutdown()
        for channel in list(self.server.active_channels.values()):
            channel.close()
        self.server.close()
        self.thread.join()
        self.state.redis.close()

    def post(self, body: Any) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with httpx.Client(timeout=30) as http:
            given = {"authorization": f"Bearer {TOKEN}"}
            return http.post(
                f"http://127.0.0.1:{self.port}/alerts", content=content, headers=given
            ).status_code

    def groups(self) -> list[AlertGroup]:
        return [group for group in self.records("alert") if isinstance(group, AlertGroup)]

    def notices(self) -> list[str]:
        return [notice.text for notice in self.records("notice") if isinstance(notice, Notice)]

    def records(self, kind: str) -> list[Any]:
        keys = sorted(key.decode().removeprefix("sre:") for key in self.state.redis.keys(f"sre:{kind}:[AN]*"))
        return [stored.record for key in keys if (stored := self.state.load(key))]

    def audited(self) -> int:
        return int(self.state.redis.xlen("sre:audit"))


@pytest.fixture(scope="module")
def running(redis_server: RedisServer) -> Iterator[Door]:
    door = Door(redis_server.url)
    yield door
    door.close()


@pytest.fixture
def door(running: Door) -> Door:
    running.state.redis.flushall()
    running.now = NOW
    running.intake._site = running.intake._casebook._site = SITE
    return running


def alert(
    pod: str = "web-7", status: str = "firing", *, begun: str = "05:58:00", **labels: str
) -> dict[str, Any]:
    said = {"alertname": "PodDown", "severity": "critical", "namespace": "shop", "pod": pod, "cluster": "eu"}
    return {"status": status, "labels": said | labels, "annotations": {"summary": "down"},
            "startsAt": f"2026-11-23T{begun}Z", "endsAt": "2026-11-23T06:05:00Z"}  # fmt: skip


def body(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"version": "4", "receiver": r"sre\.bot", "groupLabels": {"alertname": "PodDown"},
            "externalURL": "http://am:9093", "alerts": alerts or [alert()]} | changes  # fmt: skip


def test_what_was_stored_says_where_it_goes_and_whom_it_calls(door: Door) -> None:
    assert door.post(body()) == 200
    (group,) = door.groups()
    assert (group.channel, group.mention, group.cluster) == ("#sre-alerts", "U0ONCALL", "eu")
    assert (group.severity, group.receiver, group.heard) == (Severity.CRITICAL, "sre.bot", NOW)
    assert group.route == "severity critical → page" and group.triage


def test_fifty_twins_at_the_same_moment_make_one_record_and_one_diagnosis(door: Door) -> None:
    with ThreadPoolExecutor(50) as twins:
        answers = list(twins.map(door.post, [body(externalURL=f"http://am-{n}:9093") for n in range(50)]))
    assert set(answers) <= {200, 503}, "never a refusal that Alertmanager would take for good"
    (group,) = door.groups()
    assert (group.episode, group.repeats, group.flaps) == (1, 0, 0)
    assert len(door.state.redis.keys("sre:request:*")) == 1
    assert door.audited() == 1


def test_the_same_group_of_two_clusters_is_two_groups(door: Door) -> None:
    assert door.post(body(alert(), alert(cluster="us"))) == 200
    assert door.post(body(alert(cluster="prod-eu1"))) == 200
    assert sorted((group.cluster, len(group.firing)) for group in door.groups()) == [
        ("eu", 1),
        ("eu", 1),
        ("us", 1),
    ]
    assert door.notices() == []


def test_a_cluster_that_nobody_knows_is_shown_and_told_of_once(door: Door) -> None:
    for _ in range(3):
        assert door.post(body(alert(cluster="mars"))) == 200
    (group,) = door.groups()
    assert (group.cluster, group.triage, len(group.firing)) == ("", "", 1)
    (text,) = door.notices()
    assert "`mars`" in text and "`eu`, `us`" in text


def test_hundreds_of_clusters_that_nobody_knows_make_no_storm_of_notices(door: Door) -> None:
    for number in range(20):
        assert door.post(body(alert(cluster=f"planet-{number}"))) == 200
    assert len(door.groups()) == 20
    assert len(door.notices()) == 1


def test_without_a_label_the_address_tells_the_cluster_and_parts_the_groups(door: Door) -> None:
    us = replace(SITE.clusters["us"], urls=replace(SITE.urls, alertmanager="https://am.us.example.com"))
    door.intake._site = replace(SITE, clusters={**SITE.clusters, "us": us})
    unnamed = alert() | {"labels": {"alertname": "PodDown"}}
    for url in ("https://am.us.example.com", "http://somewhere:9093"):
        assert door.post(body(unnamed, externalURL=url)) == 200
    assert sorted(group.cluster for group in door.groups()) == ["", "us"]
    assert door.notices() == []


def test_a_route_and_a_namespaces_own_words_are_heeded(door: Door) -> None:
    door.state.remember("notes-eu", '{"shop": {"owner": "S0SHOP", "channel": "#shop"}}', timedelta(hours=1))
    assert door.post(body()) == 200
    rule = AlertRoute(('namespace="shop"',), channel="incidents", owner="platform")
    eu = replace(SITE.clusters["eu"], alerts=replace(SITE.alerts, routes=(rule,)))
    door.intake._site = replace(SITE, clusters={**SITE.clusters, "eu": eu})
    assert door.post(body(groupLabels={"alertname": "Other"})) == 200
    told = sorted((group.channel, group.mention, group.owner) for group in door.groups())
    assert told == [("#incidents", "S0PLAT", "S0PLAT"), ("#shop", "S0SHOP", "S0SHOP")]


def test_a_life_from_firing_over_repeats_and_flaps_to_a_new_card(door: Door) -> None:
    def after(minutes: int, *alerts: dict[str, Any]) -> AlertGroup:
        door.now = NOW + timedelta(minutes=minutes)
        assert door.post(body(*alerts)) == 200
        (group,) = door.groups()
        return group

    first = after(0, alert())
    assert after(240, alert()).repeats == 1
    assert not after(245, alert(status="resolved")).firing
    again = after(255, alert(begun="10:14:00"))
    assert (again.flaps, again.episode, again.triage) == (1, 1, first.triage)
    after(260, alert(status="resolved", begun="10:14:00"))
    Outbox(door.state).note_sent(f"alert:{first.id}", "1:card", Sent(channel="C1", ts="17.5"))
    later = after(400, alert(begun="12:39:00"))
    assert (later.episode, later.before, later.flaps, later.repeats) == (2, "C1 17.5", 0, 0)
    assert later.triage not in ("", first.triage)
    assert door.audited() == 5, "a repeat is no line of the trail"


def test_a_watchdog_beats_for_its_cluster_and_keeps_no_group_open(door: Door) -> None:
    watchdog = {"alertname": "Watchdog", "severity": "none"}
    assert door.post(body(alert(), alert(**watchdog))) == 200
    (group,) = door.groups()
    assert [each.name for each in group.alerts] == ["PodDown"]
    assert all(door.state.heard(beat) for beat in ("webhook", "webhook-eu", "watchdog", "watchdog-eu"))
    assert door.state.heard("watchdog-us") is None


def test_a_full_store_is_a_503_and_the_next_try_is_stored(door: Door) -> None:
    door.state.redis.config_set("maxmemory", 1)
    try:
        assert door.post(body()) == 503
    finally:
        door.state.redis.config_set("maxmemory", 0)
    assert door.groups() == []
    assert door.post(body()) == 200
    assert len(door.groups()) == 1


def test_three_hundred_alerts_of_60_kb_are_all_there_and_the_record_is_small(door: Door) -> None:
    many = [alert(f"p{n}") | {"annotations": {"description": "x" * 60_000}} for n in range(300)]
    assert door.post(body(*many)) == 200
    (group,) = door.groups()
    assert len(group.firing) == 300
    assert len(door.state.redis.hget(f"sre:alert:{group.id}", "body")) < 1_000_000


def send_head(door: Door, token: str, length: int) -> int:
    """Only the head of a request: the server answers before there is a body."""
    connection = HTTPConnection("127.0.0.1", door.port, timeout=10)
    try:
        connection.putrequest("POST", "/alerts")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_what_is_too_large_is_a_413_and_the_channel_hears_of_it_once(door: Door) -> None:
    assert [send_head(door, TOKEN, web.MAX_BODY + 1) for _ in range(3)] == [413] * 3
    (text,) = door.notices()
    assert "25 MB" in text and "`max_alerts`" in text


def test_a_stranger_cannot_make_the_channel_hear_of_sizes(door: Door) -> None:
    assert send_head(door, "wrong", web.MAX_BODY + 1) == 413
    assert door.notices() == []
