"""How fast an alert webhook is durable: 300 alerts in one body, and 200 groups at once.

The bot runs twice, with Redis writing each change to the disk before it answers (`always`) and each second
(`everysec`); beside them the same HTTP server with an endpoint that reads the body and does nothing. All
three take turns. A body is measured when it is new, when a tenth of it is news, and when it says nothing
new, which is what a repeat or the twin of an Alertmanager pair is. Target: 100 ms at p99.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.common import SPREAD, Caller, Sample, alerts_body, main, ratio, table
from benchmarks.slackside import SlackProcess
from benchmarks.storm import LARGE, Storm
from bot import web
from sandbox.house import ALERT_TOKEN, House
from sandbox.process import Child, free_ports
from sandbox.redis_server import DURABLE, RedisServer

ALWAYS, EVERYSEC, NOTHING = "bot, always", "bot, everysec", "does nothing"
KINDS = ("new", "a tenth is news", "nothing new")
GROUPS = 200
TARGET_MS = 100


def run(is_quick: bool) -> list[str]:
    bodies, storms = (8, 1) if is_quick else (60, 3)
    with ExitStack() as closing:
        sides = {
            mode: closing.enter_context(_bot(fsync))
            for mode, fsync in ((ALWAYS, "always"), (EVERYSEC, "everysec"))
        }
        urls = {mode: house.url for mode, house in sides.items()}
        urls[NOTHING] = closing.enter_context(_nothing())
        taken = _large(urls, bodies)
        walls = {mode: [_storm(url, n) for n in range(storms)] for mode, url in urls.items()}
        stored = {mode: _stored(house) for mode, house in sides.items()}
    expected = GROUPS * storms + bodies
    return _report(taken, walls, {mode: f"{count} of {expected}" for mode, count in stored.items()})


def _large(urls: Mapping[str, str], count: int) -> dict[tuple[str, str], Sample]:
    taken = {(mode, kind): Sample() for mode in urls for kind in KINDS}
    callers = {mode: Caller(url) for mode, url in urls.items()}
    for number in range(-1, count):
        new = alerts_body(f"large-{max(number, 0)}", LARGE)
        news = _with_news(new)
        for mode, caller in callers.items():
            for kind, body in zip(KINDS, (new, news, news), strict=True):
                sample = taken[mode, kind] if number >= 0 else Sample()
                sample.time(lambda caller=caller, body=body: _post(caller, body))  # type: ignore[misc]
    for caller in callers.values():
        caller.close()
    return taken


def _with_news(body: bytes) -> bytes:
    """A tenth of the alerts fires anew."""
    return body.replace(b"2026-11-23T04:05:26.05585992Z", b"2026-11-23T05:05:26.05585992Z", LARGE // 10)


def _post(caller: Caller, body: bytes) -> None:
    if (status := caller.alerts(ALERT_TOKEN, body)) != 200:
        raise SystemExit(f"not stored: {status}")


def _storm(url: str, number: int) -> float:
    """Seconds until every group of a burst got its 200, which the bot gives once it is stored."""
    outcome = Storm(url, groups=GROUPS, seconds=0, large=0, name=f"storm-{number}").start().wait()
    if outcome.refused:
        raise SystemExit(f"{outcome.refused} groups were refused")
    return outcome.seconds


def _stored(house: House) -> int:
    with Redis.from_url(house.redis_url) as redis:
        return sum(1 for _ in redis.scan_iter("sre:alert:*", count=1000))


@contextmanager
def _bot(fsync: str) -> Iterator[House]:
    with (
        SlackProcess() as slack,
        RedisServer(settings={**DURABLE, "appendfsync": fsync}) as server,
        House(slack=slack, redis=server, worker_count=0) as house,  # type: ignore[arg-type]
    ):
        yield house


# --- the endpoint that does nothing ---


@contextmanager
def _nothing() -> Iterator[str]:
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.webhook", "--serve", str(port)]
        child = Child(argv, log=Path(folder) / "nothing.log")
        child.start()
        child.wait_ready(lambda: _answers(url), seconds=20)
        try:
            yield url
        finally:
            child.stop()


def _answers(url: str) -> bool:
    try:
        Caller(url).close()
    except OSError:
        return False
    return True


class _Nothing:
    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Length", "7")])
        return [b"stored\n"]

    def too_large(self, authorization: str, size: int) -> None:
        """No body of this benchmark is."""


# --- what it says ---


def _report(
    taken: Mapping[tuple[str, str], Sample], walls: Mapping[str, list[float]], stored: Mapping[str, str]
) -> list[str]:
    rows = [
        (f"{kind}: {mode}", *sample.cells(), ratio(sample.p50, taken[NOTHING, kind].p50))
        for kind in KINDS
        for mode, sample in ((mode, taken[mode, kind]) for mode in walls)
    ]
    table(f"A body of {LARGE} alerts ({len(alerts_body('large-1', LARGE)) // 1000} kB)", ("", *SPREAD, "to nothing"), rows)  # fmt: skip  # noqa: E501
    best = {mode: min(each) for mode, each in walls.items()}
    rows = []
    for mode, each in walls.items():
        rate, against = f"{GROUPS / best[mode]:.0f}", ratio(best[mode], best[NOTHING])
        rows.append((mode, f"{best[mode]:.2f}", f"{max(each):.2f}", rate, stored.get(mode, "-"), against))
    header = ("", "best s", "worst s", "groups/s", "stored", "to nothing")
    table(f"{GROUPS} groups of 5 alerts at once, until all are stored", header, rows)
    new, lazy, idle = (taken[mode, KINDS[0]] for mode in (ALWAYS, EVERYSEC, NOTHING))
    return [
        f"webhook: {LARGE} new alerts {new.p50:.1f} ms p50, {new.p99:.1f} ms p99 (target {TARGET_MS} ms), "
        f"{ratio(new.p50, lazy.p50)} of everysec, {ratio(new.p50, idle.p50)} of doing nothing",
        f"webhook: {GROUPS} groups at once durable in {best[ALWAYS]:.2f} s, everysec {best[EVERYSEC]:.2f} s, "
        f"doing nothing {best[NOTHING]:.2f} s",
    ]


if __name__ == "__main__":
    if "--serve" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--serve", type=int, required=True)
        web.serve(_Nothing(), parser.parse_args().serve, "127.0.0.1").run()  # type: ignore[arg-type]
    else:
        sys.exit(main(__doc__, run))
