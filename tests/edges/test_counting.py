"""What is counted where it happens, and what the store tells of itself: each number moves when its thing does."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import logs, metrics, vitals
from bot.courier import Courier, Pace
from bot.outbox import Outbox
from bot.presence import Presence
from bot.settings import Settings
from bot.state import JOB_TIMEOUT, OUTBOX, STALE, State
from bot.wire import Told, Wire
from commands import reads
from commands.catalog import Catalog
from commands.errors import Forbidden, Refused, TimedOut, Unanswered, Unreachable
from commands.model import Read
from commands.site import Channels, Site
from sandbox.house import wait_until
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer
from sandbox.slack import SlackStandIn
from tests import build
from tests.build import ALICE, BOB
from tests.edges.test_desk import Bench
from tests.edges.test_records import Post
from workers.alone import alone
from workers.carried import along
from workers.clients import Clients
from workers.port import Port, listening
from workers.reader import Reader
from workers.scheduler import Scheduler
from workers.watching import Watcher, outcome_of, source_of

SITE = Site(channels=Channels(daily="#sre-daily"))
MS = timedelta(milliseconds=1)


class Counted:
    """How much a number has moved since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = self._now()

    def _now(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    @property
    def moved(self) -> float:
        return self._now() - self._before


def show(state: State, id: str) -> None:
    state.change().put(build.request(id), was="").show(build.request(id)).commit()


# --- what the store tells ---


def test_a_card_is_as_old_as_its_first_mark_until_slack_has_it(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    show(state, "RTEST0001")
    since = Outbox(state).stale_since()
    state.change().show(build.request()).commit()
    assert since is not None
    assert Outbox(state).stale_since() == since
    courier, deadline = Courier(state, slack_client, str, Pace(post=MS)), time.monotonic() + 60
    while state.depths()["outbox"]:
        assert time.monotonic() < deadline
        courier.step()
    assert Outbox(state).stale_since() is None
    assert not state.redis.exists(STALE)


def test_what_is_marked_while_it_is_sent_is_stale_from_then_on(state: State) -> None:
    show(state, "RTEST0001")
    outbox = Outbox(state)
    state.redis.zadd(STALE, {"request:RTEST0001": 1000})
    claim = outbox.claim(timedelta(seconds=5))
    assert claim is not None
    state.change().show(build.request()).commit()
    outbox.release(claim, again=None)
    since = outbox.stale_since()
    assert since is not None and since.year >= 2026


def test_a_dead_letter_waits_for_nobody(state: State) -> None:
    show(state, "RTEST0001")
    Outbox(state).bury("request:RTEST0001", "card", "C0SREDAILY1", "channel_not_found")
    assert Outbox(state).stale_since() is None
    assert vitals.read(state, SITE).waiting["dead_letters"] == 1


def test_a_card_that_another_version_brought_up_to_date_is_not_late(state: State) -> None:
    show(state, "ROLD00001")
    show(state, "RNEW00001")
    state.redis.zadd(STALE, {"request:ROLD00001": 1000})
    state.redis.zrem(OUTBOX, "request:ROLD00001")
    since = Outbox(state).stale_since()
    assert since is not None and since.year >= 2026


def test_the_oldest_job_is_found_behind_those_that_were_put_first(state: State) -> None:
    assert state.queued_since() is None
    state.change().work(build.request("RFIRST001"), timeout=JOB_TIMEOUT).commit()
    since = state.queued_since()
    state.change().work(build.request("RURGENT01"), timeout=JOB_TIMEOUT, first=True).commit()
    assert since is not None
    assert state.queued_since() == since


def test_the_store_tells_what_waits_who_is_alive_and_who_looks(state: State) -> None:
    nobody = vitals.read(state, SITE)
    assert (nobody.silence, nobody.processes, nobody.oldest) == (None, {"bot": 0, "worker": 0}, {})
    Presence(state, "worker").announce()
    state.change().work(build.request(), timeout=JOB_TIMEOUT).commit()
    Scheduler(state, Catalog.load(), SITE).tick()
    found = vitals.read(state, SITE)
    assert found.processes == {"bot": 0, "worker": 1}
    assert found.silence is not None and found.silence < timedelta(minutes=1)
    assert set(found.oldest) == {"queued_jobs"}
    assert found.open == {"alerts": 0, "incidents": 0}


def test_what_somebody_else_left_in_the_register_keeps_nobody_from_saying_that_they_are_here(
    state: State,
) -> None:
    state.redis.hset("sre:present", "bot of-another-make", "0.1.0 yesterday")
    stop = threading.Event()
    saying = threading.Thread(target=Presence(state, "worker").run, args=(stop,))
    saying.start()
    wait_until(lambda: state.redis.hlen("sre:present") == 2)
    stop.set()
    saying.join()
    assert state.redis.hkeys("sre:present") == [b"bot of-another-make"]


# --- what a process counts ---


def test_a_request_whose_worker_died_is_counted_as_taken_over(state: State) -> None:
    state.change().put(build.request(), was="").work(build.request(), timeout=JOB_TIMEOUT).commit()
    state.redis.delete(state.queue.key)
    state.redis.zadd("sre:open", {"RTEST0001": 0})
    counted = Counted("sre_bot_takeovers_total")
    Scheduler(state, Catalog.load(), SITE).sweep()
    assert counted.moved == 1


def test_each_decision_is_counted_by_its_outcome(
    state: State, slack: SlackStandIn, slack_client: WebClient
) -> None:
    bench = Bench(state, slack, slack_client)
    bench.put()
    refused, approved = (Counted("sre_bot_approvals_total", outcome=each) for each in ("refused", "approved"))
    waited = Counted("sre_bot_approval_seconds_count")
    bench.press(ALICE)
    assert (refused.moved, approved.moved, waited.moved) == (1, 0, 0)
    bench.press(BOB)
    assert (refused.moved, approved.moved, waited.moved) == (1, 1, 1)


def test_what_slack_puts_off_is_counted_with_its_seconds(state: State, slack: SlackStandIn) -> None:
    told = Told(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
    wire = Wire(state, told, timedelta(minutes=1))
    slack.fault("chat.postMessage", "ratelimited", retry_after=7)
    waits = Counted("sre_bot_slack_wait_seconds_total", method="chat.postMessage")
    calls = Counted("sre_bot_slack_calls_total", method="chat.postMessage", outcome="ratelimited")
    with pytest.raises(SlackApiError):
        wire.call("chat.postMessage", json={"channel": "C0SREDAILY1", "text": "x"})
    assert (waits.moved, calls.moved) == (7, 1)


def test_a_window_and_a_look_at_who_is_who_are_calls_too(slack: SlackStandIn) -> None:
    told = Told(slack.bot_token, base_url=slack.api_url, timeout=30, retry_handlers=[])
    slack.fault("views.open", "error", error="expired_trigger_id")
    refused = Counted("sre_bot_slack_calls_total", method="views.open", outcome="expired_trigger_id")
    known = Counted("sre_bot_slack_calls_total", method="auth.test", outcome="ok")
    with pytest.raises(SlackApiError):
        told.views_open(
            trigger_id="1.2.3", view={"type": "modal", "title": {"type": "plain_text", "text": "x"}}
        )
    told.auth_test()
    assert (refused.moved, known.moved) == (1, 1)


# --- reads ---


class Source:
    """Says what its table says."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((reads.Nodes,),)

    def read(self, read: Read, deadline: float) -> Any:
        return self._act()


class Cluster(Source):
    """Is called as the client of Kubernetes is."""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (TimedOut("x"), "timeout"),
        (Unreachable("x"), "unreachable"),
        (Unreachable("x", retry_after=MS), "busy"),
        (Forbidden("x"), "forbidden"),
        (Refused("x"), "refused"),
    ],
)
def test_a_read_is_counted_by_what_became_of_it(error: Unanswered | None, outcome: str) -> None:
    def act() -> Any:
        if error is not None:
            raise error
        return ()

    counted = Counted("sre_bot_source_reads_total", source="kubernetes", outcome=outcome)
    timed = Counted("sre_bot_source_seconds_count", source="kubernetes")
    Reader([Cluster(act)], watch=Watcher()).see((reads.Nodes(),))
    assert outcome_of(error) == outcome
    assert (counted.moved, timed.moved) == (1, 1)


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_read_that_is_given_up_is_one_timeout_also_when_it_answers_later(never: threading.Event) -> None:
    late, ended = threading.Event(), threading.Event()

    class Slow(Watcher):
        def answered(self, source: object, read: Read, seconds: float, error: Unanswered | None) -> None:
            super().answered(source, read, seconds, error)
            late.set()

    def act() -> Any:
        never.wait(60)
        ended.set()
        return ()

    timeouts = Counted("sre_bot_source_reads_total", source="kubernetes", outcome="timeout")
    answers = Counted("sre_bot_source_reads_total", source="kubernetes", outcome="ok")
    Reader([Cluster(act)], timedelta(seconds=0.05), watch=Slow()).see((reads.Nodes(),))
    assert late.is_set()
    never.set()
    assert ended.wait(30)
    assert (timeouts.moved, answers.moved) == (1, 0)


def test_every_source_of_the_workers_has_a_name(state: State) -> None:
    clients = Clients(Settings(), state)
    named = {source_of(each, reads.Now()) for sources in clients._sources.values() for each in sources}
    clients.close()
    assert named == {"kubernetes", "pods", "network", "runbooks", "aws", "store"}


def test_the_parts_of_the_monitoring_stack_are_told_apart(state: State) -> None:
    clients = Clients(Settings(), state)
    (signals,) = [each for each in next(iter(clients._sources.values())) if type(each).__name__ == "Signals"]
    asked = (reads.Query("up"), reads.GrafanaHealth(), reads.Probe("alertmanager", "/-/healthy"))
    assert [source_of(signals, read) for read in asked] == ["prometheus", "grafana", "alertmanager"]
    clients.close()


def test_a_thread_that_a_call_is_given_to_knows_the_request() -> None:
    found: list[str] = []
    with logs.bound("R1"):
        call = along(lambda: found.append(logs.request()))
    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["R1"] * 3
    assert logs.request() == ""


# --- the worker's port ---


def test_a_worker_whose_thread_has_ended_is_not_alive_and_one_that_stops_not_ready() -> None:
    ended = threading.Thread(target=str, name="scheduler")
    ended.start()
    ended.join()
    port, missing = free_ports(1)[0], ["asked to stop"]
    with (
        listening(port, Port([ended], lambda: missing), "127.0.0.1"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        assert (http.get("/healthz").status_code, http.get("/healthz").text) == (503, "scheduler has ended\n")
        assert (http.get("/readyz").status_code, http.get("/readyz").text) == (
            503,
            "not ready: asked to stop\n",
        )
        missing.clear()
        assert http.get("/readyz").text == "ready\n"
        assert http.post("/metrics").status_code == 405
        assert "sre_bot_takeovers_total" in http.get("/metrics").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)


def test_a_worker_whose_port_somebody_else_has_ends_and_does_not_go_on_without_taking_jobs(
    redis_server: RedisServer,
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        ran = subprocess.run(
            [sys.executable, "-m", "workers"],
            env={**os.environ, "REDIS_URL": redis_server.url, "WORKER_PORT": str(taken.getsockname()[1])},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert ran.returncode == 1
    assert "Address already in use" in ran.stderr


def test_a_worker_without_a_port_listens_nowhere() -> None:
    before = {thread.name for thread in threading.enumerate()}
    with listening(0, Port([], list)):
        assert {thread.name for thread in threading.enumerate()} == before


def test_what_alerts_look_at_is_there_from_the_start() -> None:
    metrics.started("bot")
    assert REGISTRY.get_sample_value("sre_bot_bugs_total", {"where": "card"}) is not None
    assert REGISTRY.get_sample_value("sre_bot_alert_webhooks_total", {"outcome": "unavailable"}) is not None
    failed = {"route": "/alerts", "status": "5xx"}
    assert REGISTRY.get_sample_value("sre_bot_http_responses_total", failed) is not None


# --- which record a line is about ---


def test_what_is_entered_into_a_record_is_logged_with_its_id(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(state)
    with caplog.at_level("INFO", logger="bot.entryclerk"):
        told = post.type("incident declare sev3 checkout is slow")
    (incident,) = post.records.open_incidents()
    assert incident.id in told.text
    assert [line.getMessage() for line in caplog.records] == [f"{incident.id}: incident declare entered"]


def test_what_is_wrong_with_one_record_is_told_of_it_and_holds_up_no_other() -> None:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLines(str))
    logging.getLogger("workers.alone").addHandler(handler)
    for id in ("INC-1", "INC-2"):
        with alone(f"what is due of {id}", id):
            raise ValueError("odd")
    logging.getLogger("workers.alone").removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["request"], line["msg"]) for line in lines] == [
        (f"INC-{n}", f"what is due of INC-{n} was passed over") for n in (1, 2)
    ]
