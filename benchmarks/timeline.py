"""What a long incident costs: 10,000 events, one more, all of them, a page of them, and the three files.

Each beside what one would do without it, in the same run and in turns: a record that is folded from all its events
each time instead of being kept; every event parsed by the standard library alone; a page and files without what lays
them out. A page is made of the whole record: what was edited or erased later stands with its entry. Memory is what
Python allocates at most while it is done.
"""

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.common import SPREAD, Sample, main, ratio, table
from bot.records import Records
from bot.state import State, connect
from commands import timeline
from commands.incident import timeline as pages
from commands.ledger import Draft, Event, Evidence, faults
from commands.response import fold
from commands.response.events import Kind, draft
from commands.response.incident import Incident
from commands.site import Site
from sandbox.redis_server import RedisServer

ID = "INC-2026-11-23-001"
BEGAN = datetime(2026, 11, 23, 8, tzinfo=UTC)
ALICE, ROOM, ZONE = "U0ALICE0001", "C0INCROOM01", ZoneInfo("Europe/Berlin")


def run(is_quick: bool) -> list[str]:
    count, turns = (1_000, 5) if is_quick else (10_000, 15)
    with RedisServer() as server:
        redis = connect(server.url, patient=True)
        records = Records(State(redis), Site(), lambda: BEGAN + timedelta(days=1))
        _fill(records, count)
        bodies: Any = redis.lrange(f"sre:events:{ID}", 0, -1)
        body: Any = redis.hget(f"sre:incident:{ID}", "body")
        size = len(body), sum(map(len, bodies))
        return _measured(records, bodies, turns, size)


def _fill(records: Records, count: int) -> None:
    declared = draft(Kind.DECLARED, "declared", title="checkout is down", severity="1", channel="yes")
    change = records._state.change()
    records.open(change, ID, (declared,), records.register())
    change.commit()
    while (there := _incident(records).head.seq) < count:
        told = tuple(_event(number) for number in range(there, min(there + 500, count)))
        records.append(ID, lambda _, told=told: told)  # type: ignore[misc]


def _incident(records: Records) -> Incident:
    stored = records.incident(ID)
    assert stored is not None
    return stored.record


def _event(number: int) -> Draft:
    """Of ten: six notes, two commands, a message with its evidence, an alert."""
    at, text = (
        BEGAN + timedelta(seconds=number * 5),
        f"event {number}: errors of checkout fall to {number % 97} %",
    )
    if number % 10 < 6:
        return Draft(Kind.NOTE, text, at=at, by=ALICE, is_told=number % 30 == 0)
    if number % 10 < 8:
        facts = {"id": f"R{number:08}", "line": "health checkout", "state": "answered"}
        return Draft(Kind.RUN, text, at=at, by=ALICE, source="audit", facts=facts, key=f"audit:{number}-0")
    if number % 10 == 8:
        ts = f"{at.timestamp():.6f}"
        link = Evidence(ROOM, ts, permalink=f"https://acme.slack.example/archives/{ROOM}/p{ts}")
        facts = {"of": f"{ROOM} {ts}", "hash": f"{number:016x}", "pinned_by": ALICE}
        return Draft(Kind.MESSAGE, text, at, ALICE, "slack", facts, link, key=f"message {ROOM} {ts} 0")
    facts = {
        "group": f"A{number % 50:015}",
        "name": "PodCrashLooping",
        "state": ("firing", "resolved")[number % 20 == 9],
    }
    return Draft(Kind.ALERT, text, at=at, source="audit", facts=facts, key=f"audit:{number}-1")


# --- what is measured ---


def _measured(records: Records, bodies: list[bytes], turns: int, size: tuple[int, int]) -> list[str]:
    events = records.events(ID)
    incident = fold.fold(ID, events)
    assert incident == _incident(records)
    assert faults(events, incident.head, {}) == ()

    def add(folds: bool) -> None:
        if folds:
            fold.fold(ID, records.events(ID))
        records.append(ID, lambda _: (Draft(Kind.NOTE, "one more", by=ALICE),))

    compared: Iterable[tuple[str, Callable[[], object], str, Callable[[], object]]] = (
        ("append one more", lambda: add(False), "folded from all each time", lambda: add(True)),
        ("read all", lambda: records.events(ID), "json.loads of each", lambda: _parsed(bodies)),
        ("one page", lambda: _page(records), "the same without laying it out", lambda: _read(records)),
        ("three files", lambda: _files(records), "one json.dumps of it", lambda: _dumped(records)),
    )
    rows, told = [], []
    for name, ours, other, theirs in compared:
        mine, its = _in_turns(ours, theirs, turns)
        peak = _peak(ours)
        rows += [
            (name, *mine.cells(), f"{peak:.1f}", ""),
            (f"  {other}", *its.cells(), "", ratio(mine.p50, its.p50)),
        ]
        told.append(
            f"{name} {mine.p50:.1f} ms, {ratio(mine.p50, its.p50)} of {other} ({its.p50:.0f} ms), peak {peak:.1f} MB"
        )
    table(f"An incident of {len(events):,} events", ("", *SPREAD, "peak MB", "ratio"), rows)
    record, whole = size
    what = f"{len(events):,} events: record {record / 1e3:.0f} kB, events {whole / 1e6:.1f} MB"
    return [f"incidents: {what}", *(f"incidents: {line}" for line in told)]


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object], turns: int) -> tuple[Sample, Sample]:
    mine, its = Sample(), Sample()
    for turn in range(turns + 1):
        for sample, job in ((mine, ours), (its, theirs)):
            (sample if turn else Sample()).time(job)
    return mine, its


def _peak(job: Callable[[], object]) -> float:
    """MB, at most at once."""
    tracemalloc.start()
    job()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def _parsed(bodies: list[bytes]) -> list[object]:
    return [json.loads(body) for body in bodies]


def _read(records: Records) -> tuple[Incident, tuple[Event, ...]]:
    return _incident(records), records.events(ID)


def _page(records: Records) -> list[str]:
    _, events = _read(records)
    told = timeline.lines(events)
    last = timeline.page(told, timeline.pages(told, pages.SIZE), pages.SIZE)
    return [timeline.sentence(line, str) for line in last]


def _files(records: Records) -> tuple[str, str, str]:
    incident, events = _read(records)
    told = timeline.lines(events, everything=True)
    return (
        timeline.markdown(incident, timeline.lines(events), ZONE, str),
        timeline.as_csv(told, ZONE, str),
        timeline.as_json(incident, events, ZONE),
    )


def _dumped(records: Records) -> str:
    _, events = _read(records)
    told = [[e.seq, e.kind, e.at.isoformat(), e.by, e.text, dict(e.facts), e.hash] for e in events]
    return json.dumps(told)


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
