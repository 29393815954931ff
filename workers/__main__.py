"""`python -m workers`: one RQ worker, one scheduler, the rounds and the lookout. Run as many as you like.

Jobs run in this process (rq's SimpleWorker): clients stay warm and a trivial job costs 5 ms, not the 14 ms
of a fork (medians; docs/measurements.md). What a fork would have protected against is covered by the
record: a worker that dies loses its lease, and another goes on within seconds.
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError
from rq import SimpleWorker

from bot import logs, metrics, settings, tracing
from bot.metrics import QUEUE_WAIT
from bot.presence import Presence
from bot.state import HouseJob, State, connect
from commands.catalog import Catalog
from workers import carried, jobs
from workers.changepage import ChangePage
from workers.changewatch import ChangeWatch
from workers.clients import Clients
from workers.engine import Engine
from workers.lookout import Lookout
from workers.pictures import Painter
from workers.port import Port, listening
from workers.rounds import Rounds
from workers.scheduler import Scheduler
from workers.sightings import Sightings
from workers.statuspage import StatusPage

log = logging.getLogger("workers")

# How long a worker that is asked to stop lets its diagnoses run on; then another worker goes on with them.
_FINISH_SECONDS = 5.0


class HouseWorker(SimpleWorker):
    """Stops warm on SIGTERM, and looks for a lost Redis every two seconds instead of up to every minute."""

    max_connection_wait_time = 2.0
    asked_to_stop = False

    def request_stop(self, signum: int, frame: Any) -> None:
        HouseWorker.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def perform_job(self, job: Any, *args: Any, **options: Any) -> bool:
        """Note how long it has waited; what it waited with is told by the one who enqueued it."""
        if job.enqueued_at:
            QUEUE_WAIT.observe(max((datetime.now(UTC) - job.enqueued_at).total_seconds(), 0.0))
            tracing.waited("queue", job.enqueued_at, after=str(job.meta.get("trace", "")))
        return super().perform_job(job, *args, **options)


def main(arguments: Sequence[str] = ()) -> int:
    argparse.ArgumentParser(
        prog="worker", description="Reads, changes, the calendar. Settings come from the environment."
    ).parse_args(arguments)
    try:
        loaded = settings.load_worker(os.environ)
        catalog = Catalog.load(zone=ZoneInfo(loaded.site.timezone))
    except settings.BadSettings as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(loaded.redactor(), loaded.log_level)
    state = State(connect(loaded.redis_url.reveal(), patient=True), redact=loaded.redactor())
    clients = Clients(loaded, state)
    painter = Painter(loaded.redactor(), ZoneInfo(loaded.site.timezone))
    engine = Engine(
        state, catalog, loaded.site, clients.reader,
        effects=clients.effects, bucket=clients.bucket, draw=painter.draw,
        stopping=lambda: HouseWorker.asked_to_stop,
    )  # fmt: skip
    bay = jobs.install(engine)
    stop = Event()
    threads = [
        Thread(target=Scheduler(state, catalog, loaded.site).run, args=(stop,), name="scheduler"),
        Thread(target=Rounds(state, loaded.site).run, args=(stop,), name="rounds"),
        Thread(target=Presence(state, "worker").run, args=(stop,), name="presence"),
        Thread(
            target=StatusPage(state, loaded.site, loaded.status_page_token.reveal()).run,
            args=(stop,),
            name="page",
        ),
        Thread(
            target=ChangePage(state, loaded.site, loaded.status_page_token.reveal()).run,
            args=(stop,),
            name="changepage",
        ),
        Thread(target=Sightings(state, loaded.site, clients.reader).run, args=(stop,), name="sightings"),
        Thread(target=Lookout(state, loaded.site, clients.reader).run, args=(stop,), name="lookout"),
        Thread(
            target=ChangeWatch(state, catalog, loaded.site, clients.reader).run, args=(stop,), name="changes"
        ),
    ]
    carried.install(tracing.headers)
    metrics.started("worker")
    tracing.configure(loaded.otlp_endpoint, "worker")
    if missing := tracing.missing(loaded.otlp_endpoint):
        log.warning("%s", missing)
    log.info("workers start: %s", clients.described())
    with listening(loaded.worker_port, _port(loaded, threads)):  # else it ends before anything has begun
        for thread in threads:
            thread.start()
        try:
            _work(state)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            bay.close(_FINISH_SECONDS)
            clients.close()
    log.info("workers stopped")
    return 0


def _port(loaded: settings.Settings, threads: Sequence[Thread]) -> Port:
    """A probe that waited for Redis as the others do would hold the port's threads, and the worker be killed for it."""
    hasty = State(connect(loaded.redis_url.reveal(), patient=False))
    return Port(threads, lambda: _not_ready(hasty))


def _not_ready(state: State) -> list[str]:
    if HouseWorker.asked_to_stop:
        return ["asked to stop"]
    try:
        state.probe()
    except RedisError as error:
        return [f"Redis does not answer: {error}"]
    return []


def _work(state: State) -> None:
    """Work until SIGTERM. RQ's loop ends by itself when Redis goes away; then it starts anew."""
    signal.signal(signal.SIGTERM, _stop_before_work)
    while not HouseWorker.asked_to_stop:
        try:
            worker = HouseWorker(
                [state.queue], connection=state.redis, job_class=HouseJob, serializer=state.queue.serializer
            )
            worker.work(logging_level=None)
        except RedisError as error:
            log.warning("waiting for the store: %s", error)
            time.sleep(1)


def _stop_before_work(signum: int, frame: Any) -> None:
    """SIGTERM while no RQ loop runs (Redis is away)."""
    HouseWorker.asked_to_stop = True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
