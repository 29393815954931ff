"""The reader: everything is answered or given up in time, once, and a bug stays a bug."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from commands import reads, scheduling
from commands.errors import Refused, Unreachable
from commands.model import Gap, Read
from workers.reader import Reader

SHORT = timedelta(seconds=1)


class Scripted:
    """A source that does what its function does, and counts."""

    def __init__(self, kind: type[Read], act: Callable[[Any, float], Any]) -> None:
        self._kind = kind
        self._act = act
        self.seen: list[Read] = []

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((self._kind,),)

    def read(self, read: Read, deadline: float) -> Any:
        self.seen.append(read)
        return self._act(read, deadline)


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a hung source waits for; set at the end so that its threads go."""
    event = threading.Event()
    yield event
    event.set()


def _query(number: int) -> reads.Query:
    return reads.Query(f"up{number}")


def test_every_read_is_answered_by_its_own_source() -> None:
    queries = Scripted(reads.Query, lambda read, _: read.expr)
    nodes = Scripted(reads.Nodes, lambda *_: ())
    seen = Reader([queries, nodes]).see((_query(1), reads.Nodes()))
    assert dict(seen) == {_query(1): "up1", reads.Nodes(): ()}


def test_no_answer_becomes_a_gap_with_its_reason_and_mend() -> None:
    def refuse(*_: Any) -> Any:
        raise Refused("no", mend="say please")

    def fail(*_: Any) -> Any:
        raise Unreachable("later")

    sources = [Scripted(reads.Query, refuse), Scripted(reads.Nodes, fail)]
    seen = Reader(sources).see((_query(1), reads.Nodes()))
    assert dict(seen) == {_query(1): Gap("no", "say please"), reads.Nodes(): Gap("later", silent=True)}


def test_a_read_is_asked_once_in_a_run_and_again_in_the_next() -> None:
    source = Scripted(reads.Query, lambda read, _: read.expr)
    run = Reader([source])
    run.see((_query(1), _query(1)))
    run.see((reads.Query("up1"),))
    assert len(source.seen) == 1
    Reader([source]).see((_query(1),))
    assert len(source.seen) == 2


def test_two_threads_that_want_the_same_share_one_flight() -> None:
    both_wait, release = threading.Barrier(2), threading.Event()

    def slow(read: reads.Query, _: float) -> str:
        release.wait()
        return read.expr

    source = Scripted(reads.Query, slow)
    run = Reader([source])
    answers: list[Any] = []

    def part() -> None:
        both_wait.wait()
        answers.append(run.see((_query(1),))[_query(1)])

    threads = [threading.Thread(target=part) for _ in range(2)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert answers == ["up1", "up1"]
    assert len(source.seen) == 1


def test_a_read_with_more_patience_is_given_the_time_and_others_are_not() -> None:
    deadlines: dict[type[Read], float] = {}

    def note(read: Read, deadline: float) -> None:
        deadlines[type(read)] = deadline

    large = Scripted(scheduling.Placements, note)
    Reader([large, Scripted(reads.Nodes, note)], SHORT).see((scheduling.Placements(), reads.Nodes()))
    given = deadlines[scheduling.Placements] - deadlines[reads.Nodes]
    assert given == pytest.approx(scheduling.Placements.patience - SHORT.total_seconds())


def test_a_source_that_hangs_for_ever_is_given_up_in_time(never: threading.Event) -> None:
    hung = Scripted(reads.Query, lambda *_: never.wait())
    nodes = Scripted(reads.Nodes, lambda *_: "here")
    started = time.monotonic()
    seen = Reader([hung, nodes], SHORT).see((*map(_query, range(30)), reads.Nodes()))
    assert time.monotonic() - started < 5
    assert seen[reads.Nodes()] == "here"
    assert seen[_query(0)] == Gap("query: no answer in time", silent=True)
    assert seen[_query(29)] == Gap("query: not asked, its source is still busy with earlier questions")


def test_hung_reads_do_not_take_the_places_of_the_next_ones(never: threading.Event) -> None:
    def act(read: reads.Query, _: float) -> Any:
        return never.wait() if read.expr < "up5" else read.expr

    run = Reader([Scripted(reads.Query, act)], SHORT, width=2)
    run.see((_query(0), _query(1), _query(2)))
    assert run.see((_query(7),))[_query(7)] == "up7"


def test_a_late_answer_does_not_replace_the_gap() -> None:
    release, returned = threading.Event(), threading.Event()

    def late(*_: Any) -> str:
        release.wait()
        returned.set()
        return "late"

    run = Reader([Scripted(reads.Query, late)], timedelta(seconds=0.05))
    gap = run.see((_query(1),))[_query(1)]
    release.set()
    returned.wait()
    assert run.see((_query(1),))[_query(1)] is gap


def test_the_wall_of_the_run_is_never_passed(never: threading.Event) -> None:
    hung = Scripted(reads.Query, lambda *_: never.wait())
    started = time.monotonic()
    seen = Reader([hung]).see((_query(1),), wall=started + 0.2)
    assert time.monotonic() - started < 5
    assert isinstance(seen[_query(1)], Gap)


def test_the_source_learns_the_deadline() -> None:
    source = Scripted(reads.Query, lambda _, deadline: deadline - time.monotonic())
    left = Reader([source], timedelta(seconds=2)).see((_query(1),))[_query(1)]
    assert 1.5 < left <= 2


def test_a_bug_in_one_read_comes_out_as_it_is() -> None:
    def bug(*_: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        Reader([Scripted(reads.Query, bug)]).see((_query(1),))


def test_what_hangs_in_one_lane_keeps_no_thread_from_the_source_s_other_lanes(never: threading.Event) -> None:
    class Two:
        def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
            return ((reads.Query,), (reads.Nodes,))

        def read(self, read: Read, deadline: float) -> Any:
            return () if isinstance(read, reads.Nodes) else never.wait()

    seen = Reader([Two()], SHORT, width=1).see((_query(1), _query(2), reads.Nodes()))
    assert seen[reads.Nodes()] == ()
    assert isinstance(seen[_query(1)], Gap) and isinstance(seen[_query(2)], Gap)


def test_a_read_nobody_handles_is_a_bug() -> None:
    with pytest.raises(LookupError, match="no source handles Nodes"):
        Reader([]).see((reads.Nodes(),))


def test_a_hung_read_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading, datetime\n"
        "from commands import reads\n"
        "from workers.reader import Reader\n"
        "class Hung:\n"
        "    def lanes(self): return ((reads.Nodes,),)\n"
        "    def read(self, read, deadline): threading.Event().wait()\n"
        "print(Reader([Hung()], datetime.timedelta(seconds=0.1)).see((reads.Nodes(),))[reads.Nodes()].reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.returncode) == ("nodes: no answer in time", 0)
