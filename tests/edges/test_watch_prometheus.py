"""A change watched over HTTP: against a Prometheus that remembers a bad rollout, and against one that only fails."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rude_server import RudeServer, page
from test_signals import NoProxy, site

from commands import baseline as frozen
from commands.baseline import baseline
from commands.sample import Sample, Value, sample
from commands.site import ClusterSite, Rollback, ServiceSite
from commands.watch import judged
from commands.watchverdict import Outcome, recovery, verdict
from sandbox import monitoring
from workers.reader import Reader
from workers.signals import Signals
from workers.walk import walk

MINUTE, WEEK = timedelta(minutes=1), timedelta(weeks=1)
RULES = Rollback()
SHOP = ServiceSite(name="shop", namespace="sre-shop", deployment="shop", service="shop", role="synthetic")
T0 = datetime.fromtimestamp(int(time.time()) // 60 * 60 - 3600, UTC)
BACK = T0 + 10 * MINUTE


def watched(url: str) -> ClusterSite:
    """Nothing but Prometheus is asked."""
    return ClusterSite(monitoring=site(url).monitoring, services={"shop": SHOP}, critical_checks=())


def samples(reader: Reader, of: ClusterSite, first: datetime, number: int) -> tuple[Sample, ...]:
    limit = time.monotonic() + 30
    return tuple(walk(sample(SHOP, of, first + n * MINUTE), reader, limit) for n in range(number))


# --- A Prometheus that remembers ------------------------------------------------------------------


class Remembering(monitoring.Prometheus):
    """20 requests a second, 0.2 % of them failing; from T0 to ten minutes later 0.6 %, and half as fast."""

    def _flags(self, port: int) -> list[str]:
        past = self.folder / "past.txt"
        past.write_text("".join(openmetrics()))
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=240h"]
        subprocess.run(
            [*command, str(past), str(self.folder / "data")], check=True, capture_output=True, timeout=30
        )
        return [*super()._flags(port), "--storage.tsdb.retention.time=30d"]


def moments() -> Iterator[int]:
    for end in (T0 - WEEK, T0 + 20 * MINUTE):
        last = int(end.timestamp())
        yield from range(last - 100 * 60, last, 15)


def openmetrics() -> Iterator[str]:
    labels = 'namespace="sre-shop",service="shop"'
    families = {
        "up": ("gauge", {f"up{{{labels}}}": (0.0, 0.0)}),
        "http_requests": (
            "counter",
            {
                f'http_requests_total{{{labels},status="200"}}': (19.96, 19.88),
                f'http_requests_total{{{labels},status="500"}}': (0.04, 0.12),
            },
        ),
        "http_request_duration_seconds": (
            "histogram",
            {
                f'http_request_duration_seconds_bucket{{{labels},le="{le}"}}': rates
                for le, rates in (("0.1", (19.0, 10.0)), ("0.2", (20.0, 19.0)), ("+Inf", (20.0, 20.0)))
            },
        ),
    }
    for name, (kind, series) in families.items():
        yield f"# TYPE {name} {kind}\n"
        for key, (well, ill) in series.items():
            total = 1.0
            for moment in moments():
                total += 15 * (ill if T0.timestamp() < moment <= BACK.timestamp() else well)
                yield f"{key} {total:.6f} {moment}\n"
    yield "# EOF\n"


@pytest.fixture(scope="module")
def remembering() -> Iterator[Remembering]:
    if not monitoring.available() or shutil.which("promtool") is None:
        pytest.skip(f"not on PATH: {', '.join(monitoring.lacking()) or 'promtool'}")
    with Remembering({"global": {"scrape_interval": "1h"}}) as server:
        yield server


@pytest.mark.monitoring
def test_a_bad_rollout_fails_and_its_rollback_recovers(remembering: Remembering) -> None:
    of = watched(remembering.url)
    client = Signals(of, NoProxy())
    reader = Reader((client,))
    before = walk(baseline(SHOP, of, T0), reader, time.monotonic() + 30)
    assert before.recent.requests.number == pytest.approx(66_000, rel=0.01)
    assert before.last_week.requests.number == pytest.approx(66_000, rel=0.01)
    assert float(frozen.errors(before, RULES).number or 0) == pytest.approx(0.002, rel=0.01)
    assert before.recent.p95 == Value(0.1) and before.healthy == Value(1)
    row = samples(reader, of, T0 + 2 * MINUTE, 2)
    found = verdict([judged(each, before, RULES) for each in row], RULES)
    assert found.outcome is Outcome.FAIL
    assert found.used == (
        "errors: 2 of 2 in a row used, 2 of 3 among 5 used",
        "latency: 2 of 2 in a row used, 2 of 3 among 5 used",
    )
    assert "errors 0.60 % (7 of 1,200 requests)" in found.samples[0].text
    after = samples(reader, of, BACK + MINUTE, 3)
    assert recovery(after, before, RULES, BACK, BACK + 4 * MINUTE).outcome is Outcome.PASS
    client.close()


# --- One that fails -------------------------------------------------------------------------------


def test_a_prometheus_that_answers_503_five_times_is_blind_and_nothing_is_rolled_back() -> None:
    with RudeServer(lambda _: page(503, "no healthy upstream", "text/plain")) as server:
        of = watched(server.url)
        client = Signals(of, NoProxy())
        reader = Reader((client,))
        before = walk(baseline(SHOP, of, T0), reader, time.monotonic() + 30)
        row = samples(reader, of, T0 + 2 * MINUTE, 5)
        client.close()
    found = verdict([judged(each, before, RULES) for each in row], RULES)
    assert found.outcome is Outcome.BLIND
    assert "5 of 5 samples could not be read" in found.reason and "503" in found.reason
    assert "no baseline" in frozen.errors(before, RULES).words
