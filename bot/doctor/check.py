"""One line of the doctor, and how a probe that makes such lines is run: in a thread of its own, within a time.

Knows nothing of what is probed. What a probe found before it hung or failed is kept; none can hide another.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

PATIENCE = 5.0  # seconds for each probe
ANSWER_BYTES = (
    1 << 20
)  # of what is read of an answer: who is asked may be anybody, and the doctor runs beside the bot

T = TypeVar("T")
R = TypeVar("R")

GOOD, BROKEN, WARNING, OPEN = "✓", "✗", "!", "?"

# What they are called where a program reads them.
STATES = {GOOD: "good", BROKEN: "broken", WARNING: "warning", OPEN: "open"}


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it stands, what was found, and the line that mends it. probe: whose line it is."""

    about: str
    state: str
    found: str
    mend: str = ""
    probe: str = field(default="", compare=False)


Probe = Callable[[], Iterable[Check]]


class Run:
    """A probe under way."""

    def __init__(self, name: str, probe: Probe) -> None:
        self._name = name
        self._found: list[Check] = []
        self._thread = Thread(target=self._collect, args=(probe,), name=f"doctor-{name}", daemon=True)
        self._thread.start()

    def _collect(self, probe: Probe) -> None:
        try:
            for check in probe():
                self._found.append(check)
        except Exception as error:  # a broken check is a line, and the others go on
            self._found.append(Check(self._name, OPEN, f"could not be checked: {words(error)}"))

    def result(self, until: float) -> list[Check]:
        self._thread.join(max(0.0, until - time.monotonic()))
        found = list(self._found)
        if self._thread.is_alive():
            mend = "run the doctor again, and look whether it is overloaded or far away"
            found.append(Check(self._name, BROKEN, "did not answer in time", mend))
        return [replace(check, probe=self._name) for check in found]


def run_all(probes: Iterable[tuple[str, Probe]], patience: float) -> list[Check]:
    """Side by side; in the order of the probes, not of the answers."""
    running = [Run(name, probe) for name, probe in probes]
    until = time.monotonic() + patience + 0.5  # the clients' own limits say more, so they go first
    return [check for run in running for check in run.result(until)]


def side_by_side(ask: Callable[[T], R], about: Iterable[T], most: int) -> Iterator[R]:
    """The answers in their order, so many asked at a time. By threads that nobody waits for at the end of the process,
    as one would for those of a ThreadPoolExecutor: who drips its answer must not keep the doctor."""
    waiting: SimpleQueue[tuple[Future[R], T]] = SimpleQueue()
    answers: list[Future[R]] = []
    for each in about:
        answers.append(Future())
        waiting.put((answers[-1], each))

    def work() -> None:
        while True:
            try:
                answer, one = waiting.get_nowait()
            except Empty:
                return
            try:
                answer.set_result(ask(one))
            except BaseException as error:  # not handled here: raised where the answer is awaited
                answer.set_exception(error)

    for _ in range(min(most, len(answers))):
        Thread(target=work, name="doctor-ask", daemon=True).start()
    return (answer.result() for answer in answers)


def words(error: BaseException) -> str:
    """An exception in one short line; redaction happens where it is printed."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
