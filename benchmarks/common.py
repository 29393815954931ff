"""What the measurements share: samples and tables, requests and alert bodies, a signed slash command.

Nothing here decides; a benchmark prints what it saw beside what it compares with, and hands back the lines
that `python -m benchmarks` repeats at the end. Times are of a machine that others use too, so they are
medians and minima of sides that took turns.
"""

import argparse
import http.client
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from bot.state import new_id
from commands.model import Actor, Args, Place, Request, Section
from sandbox.slack.delivery import sign

TEAM, ALICE, DAILY = "T0EMULATED1", "U0ALICE0001", "C0SREDAILY1"

# Its only read is answered from the bot's own store: what is measured is the road, not a cluster.
TRIVIAL = "health monitoring --heartbeat"


@dataclass
class Sample:
    """Durations in seconds, told in milliseconds."""

    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def time(self, job: Callable[[], object]) -> None:
        started = time.perf_counter()
        job()
        self.add(time.perf_counter() - started)

    def quantile(self, part: float) -> float:
        """Milliseconds; the value that `part` of the samples do not exceed."""
        ranked = sorted(self.seconds)
        return ranked[max(0, math.ceil(part * len(ranked)) - 1)] * 1000 if ranked else math.nan

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds) * 1000 if self.seconds else math.nan

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    @property
    def best(self) -> float:
        return min(self.seconds, default=math.nan) * 1000

    @property
    def worst(self) -> float:
        return max(self.seconds, default=math.nan) * 1000

    def cells(self) -> tuple[str, ...]:
        """For a table: p50, p99, min, max and how many."""
        told = (f"{value:.1f}" for value in (self.p50, self.p99, self.best, self.worst))
        return (*told, str(len(self.seconds)))


SPREAD = ("p50 ms", "p99 ms", "min ms", "max ms", "n")


def ratio(one: float, other: float) -> str:
    """ "2.4x", or a dash when there is nothing to divide."""
    return f"{one / other:.2f}x" if other and not math.isnan(one / other) else "-"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is words, the others are numbers."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(header))]
    print(f"\n{title}")
    for line in lines:
        cells = [word.ljust(width) if n == 0 else word.rjust(width) for n, (word, width) in enumerate(zip(line, widths, strict=True))]  # fmt: skip  # noqa: E501
        print("  " + "  ".join(cells))
    sys.stdout.flush()


def main(doc: str | None, run: Callable[[bool], list[str]]) -> int:
    """The command line every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="rough numbers in a fraction of the time")
    is_quick = parser.parse_args().quick
    print(machine())
    for line in run(is_quick):
        print(line)
    return 0


def machine() -> str:
    """What the numbers depend on most."""
    one, five, _ = os.getloadavg()
    return (
        f"{os.cpu_count()} cores, load {one:.1f} (1 min) {five:.1f} (5 min), Python {sys.version.split()[0]}"
    )


# --- what is stored ---


def request(sections: int = 4) -> Request:
    """A request as the desk opens it for `health`."""
    pending = tuple(Section(f"part{n}", f"Part {n}") for n in range(sections))
    return Request(
        new_id("R"), "health", Args("health"), Actor(ALICE, TEAM), Place(DAILY), "training",
        datetime.now(UTC), sections=pending,
    )  # fmt: skip


# --- what comes in ---


def alerts_body(
    group: str,
    count: int,
    *,
    started: str = "2026-11-23T04:05:26.05585992Z",
    severity: str = "warning",
    **also: str,
) -> bytes:
    """An Alertmanager webhook of one group with `count` firing alerts; 300 of them are about 250 kB. also: labels."""
    labels = {"alertname": "KubePodCrashLooping", "group": group}
    shared = labels | {"severity": severity} | also
    return json.dumps(
        {
            "version": "4",
            "receiver": "sre-bot",
            "status": "firing",
            "groupKey": f'{{}}:{{group="{group}"}}',
            "groupLabels": labels,
            "commonLabels": shared,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "truncatedAlerts": 0,
            "alerts": [_alert(shared, group, number, started) for number in range(count)],
        }
    ).encode()


def _alert(labels: dict[str, str], group: str, number: int, started: str) -> dict[str, object]:
    pod = f"api-{number:03d}-7c9f6d5b8-x{number:04d}"
    return {
        "status": "firing",
        "labels": labels | {"namespace": "payments", "pod": pod, "container": "api", "job": "kube-state"},
        "annotations": {
            "summary": f"Pod payments/{pod} is crash looping",
            "description": f"Container api of pod {pod} was restarted again and again in the last ten minutes.",
            "runbook_url": "https://runbooks.example/kubernetes/KubePodCrashLooping",
        },
        "startsAt": started,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=increase%28kube_pod_container_status_restarts_total%5B10m%5D%29+%3E+3&g0.tab=1",
        "fingerprint": f"{hash((group, number)) & 0xFFFFFFFFFFFFFFFF:016x}",
    }  # fmt: skip


def severity_of(number: int) -> str:
    """Of the nth group of a storm: every tenth is critical."""
    return "warning" if number % 10 else "critical"


def command_form(text: str, trigger: str, user: str = ALICE) -> dict[str, str]:
    """The form fields of a slash command; the trigger id is what makes a delivery unique."""
    return {
        "command": "/sre", "text": text, "team_id": TEAM, "user_id": user, "user_name": "somebody",
        "channel_id": DAILY, "channel_name": "sre-daily", "trigger_id": trigger,
        "response_url": "http://127.0.0.1:9/unused", "api_app_id": "A0EMULATED1", "team_domain": "emulated",
    }  # fmt: skip


def signed(secret: str, body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": sign(secret, stamp, body),
    }


class Caller:
    """One connection that stays open; a lighter client than what is measured."""

    def __init__(self, url: str, *, timeout: float = 30) -> None:
        self._address = str(urlsplit(url).netloc)
        self._timeout = timeout
        self._open()

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            return self._ask(path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()  # the server closed a connection that idled
            self._open()
            return self._ask(path, body, headers)

    def command(self, secret: str, text: str, user: str = ALICE) -> tuple[int, str]:
        """Type a slash command; the text of the acknowledgement."""
        body = urlencode(command_form(text, new_id("trigger"), user)).encode()
        status, answer = self.post("/slack/events", body, signed(secret, body))
        return status, str(json.loads(answer).get("text", "")) if status == 200 else ""

    def alerts(self, token: str, body: bytes) -> int:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.post("/alerts", body, headers)[0]

    def close(self) -> None:
        self._http.close()

    def _open(self) -> None:
        self._http = http.client.HTTPConnection(self._address, timeout=self._timeout)
        self._http.connect()

    def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self._http.request("POST", path, body, headers)
        answer = self._http.getresponse()
        return answer.status, answer.read()
