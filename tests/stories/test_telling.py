"""What the processes tell of one request: their log lines, its trace at a collector, the headers of their reads, metrics.

A real bot and a real worker; the collector and the Prometheus they speak to are one small server here.
"""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sandbox.house import House, wait_until
from sandbox.process import free_ports
from sandbox.redis_server import RedisServer

SECRET = "glsa_0123456789abcdefghijklmnopqrstuv"
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class Listener(ThreadingHTTPServer):
    """Takes OTLP at /v1/traces; everything else it answers as a Prometheus that has no series."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.spans: list[tuple[str, Span]] = []
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def trace_of(self, id: str) -> list[tuple[str, Span]]:
        """Every span, with its service, of the traces that speak of this request."""
        with self.lock:
            traces = {span.trace_id for _, span in self.spans if facts(span).get("sre.request") == id}
            return [(service, span) for service, span in self.spans if span.trace_id in traces]


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.answer(EMPTY)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/traces":
            return self.do_GET()
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            found = [(named["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
            with self.server.lock:
                self.server.spans += found
        self.answer(b"", "application/x-protobuf")
        return None

    def answer(self, body: bytes, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


class Told:
    """A house, and one request that went through it."""

    def __init__(self, house: House, listener: Listener, worker_port: int, redis: RedisServer) -> None:
        self.house, self.listener, self.worker_port, self.redis = house, listener, worker_port, redis
        self.id = self.asked("health slo")
        self.id_of_secret = self.asked(f"node show {SECRET}")
        for id in (self.id, self.id_of_secret):
            wait_until(lambda id=id: f"{id} answered" in house.workers[0].log(), "the request is answered")  # type: ignore[misc]
        wait_until(lambda: len([m for m in self.lines("bot") if "up to date" in m["msg"]]) > 1, "it is shown")

    def asked(self, text: str) -> str:
        """Its id."""
        said = self.house.slack.command("alice", "#sre-daily", text).text
        assert "(R" in said, said
        return said.rpartition("(")[2].partition(")")[0]

    def lines(self, name: str) -> list[dict[str, str]]:
        """The lines about the request, of one process, in the order they were written."""
        member = self.house.bot if name == "bot" else self.house.workers[0]
        found = [json.loads(line) for line in member.log().splitlines() if line.startswith("{")]
        return [line for line in found if line.get("request") == self.id]

    def worker(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.worker_port}{path}"
        answer = urllib3.request("GET", url, retries=False, timeout=12)
        return answer.status, answer.data.decode()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    listener = Listener()
    serving = threading.Thread(target=listener.serve_forever, daemon=True)
    serving.start()
    port = free_ports(1)[0]
    site = {"clusters": {"prod": {"monitoring": {"prometheus": {"url": listener.url}}}}}
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": listener.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "WORKER_PORT": str(port),
        "GRAFANA_TOKEN": SECRET,
    }
    folder: Path = tmp_path_factory.mktemp("telling")
    with (
        RedisServer() as redis,
        House(redis=redis, site=site, worker_count=1, environment=environment, folder=folder) as house,
    ):
        yield Told(house, listener, port, redis)
    listener.shutdown()
    listener.server_close()
    serving.join()


def facts(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def orphans(spans: list[tuple[str, Span]]) -> list[str]:
    """Those whose outer step has not arrived."""
    known = {span.span_id for _, span in spans}
    return [span.name for _, span in spans if span.parent_span_id and span.parent_span_id not in known]


def test_the_lines_of_a_request_tell_its_whole_way_in_order(told: Told) -> None:
    lines = sorted(told.lines("bot") + told.lines("worker"), key=lambda line: line["ts"])
    way = [line["msg"] for line in lines]
    steps = ["asked for", "taken up", "answered", "is up to date in Slack"]
    seen = [next(at for at, text in enumerate(way) if step in text) for step in steps[:3]]
    last = max(at for at, text in enumerate(way) if steps[3] in text)
    assert seen == sorted(seen)
    assert last > seen[-1]


def test_no_line_of_any_process_has_a_secret(told: Told) -> None:
    logs = [member.log() for member in told.house.members]
    assert all(f"{told.id_of_secret} " in log for log in logs)
    assert not any(SECRET in log or told.house.slack.bot_token in log for log in logs)


def test_a_read_carries_the_id_and_the_trace_to_its_source(told: Told) -> None:
    ids = {asked.get("x-request-id") for asked in told.listener.asked}
    assert told.id in ids
    ours = [asked for asked in told.listener.asked if asked.get("x-request-id") == told.id]
    traces = {span.trace_id.hex() for _, span in told.listener.trace_of(told.id)}
    assert {asked["traceparent"].split("-")[1] for asked in ours} == traces


def test_the_trace_of_a_command_is_one_from_slack_to_slack(told: Told) -> None:
    wanted = {"slack command", "submit", "queue", "work", "read", "tell", "render", "slack"}
    wait_until(
        lambda: (
            wanted <= {span.name for _, span in told.listener.trace_of(told.id)}
            and not orphans(told.listener.trace_of(told.id))
        ),
        "both processes have sent their spans, the outer ones last",
    )
    spans = told.listener.trace_of(told.id)
    assert len({span.trace_id for _, span in spans}) == 1
    known = {span.span_id: span for _, span in spans}
    roots = [span.name for _, span in spans if not span.parent_span_id]
    assert roots == ["slack command"]
    assert {service for service, _ in spans} == {"sre-bot", "sre-bot-worker"}
    by_name = {span.name: span for _, span in spans}
    for child, parent in (
        ("submit", "slack command"),
        ("work", "submit"),
        ("queue", "submit"),
        ("tell", "submit"),
    ):
        assert known[by_name[child].parent_span_id].name == parent
    reads = [facts(span) for _, span in spans if span.name == "read"]
    assert "prometheus" in {read["sre.source"] for read in reads}


def test_a_worker_answers_probes_and_tells_its_metrics(told: Told) -> None:
    assert told.worker("/healthz") == (200, "ok\n")
    assert told.worker("/readyz") == (200, "ready\n")
    assert told.worker("/alerts")[0] == 404
    page = told.worker("/metrics")[1]
    assert 'sre_bot_build_info{part="worker"' in page
    assert 'sre_bot_job_seconds_count{command="health slo",phase="read"} 1.0' in page
    assert 'sre_bot_source_reads_total{outcome="ok",source="prometheus"}' in page
    waited = re.search(r"^sre_bot_queue_wait_seconds_count (.*)$", page, re.MULTILINE)
    assert waited is not None and float(waited[1]) >= 2


def test_the_bot_tells_of_what_came_in_of_slack_and_of_the_store(told: Told) -> None:
    wait_until(
        lambda: "sre_bot_schedule_silent_seconds" in told.house.get("/metrics")[1], "a scheduler looked"
    )
    page = told.house.get("/metrics")[1]
    assert 'sre_bot_slack_ack_seconds_count{kind="command",outcome="ok"}' in page
    assert 'sre_bot_slack_call_seconds_count{method="chat.postMessage"}' in page
    assert 'sre_bot_processes{part="worker"} 1.0' in page
    assert 'sre_bot_open{kind="incidents"} 0.0' in page


def test_a_worker_whose_store_hangs_says_so_soon_and_is_not_killed_for_it(told: Told) -> None:
    told.redis.pause()
    try:
        answers = [told.worker("/readyz") for _ in range(3)]
        alive = told.worker("/healthz")
    finally:
        told.redis.resume()
    assert {status for status, _ in answers} == {503} and "Redis does not answer" in answers[0][1]
    assert alive == (200, "ok\n")
    wait_until(lambda: told.worker("/readyz")[0] == 200, "it is ready again")
