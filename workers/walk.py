"""Drives a pure generator of reads to what it returns."""

from collections.abc import Generator
from typing import Protocol, TypeVar

from commands.model import Reads, Seen

T = TypeVar("T")


class Reader(Protocol):
    """Answers reads of one cluster within one run; every read comes back as an answer or a Gap."""

    def see(self, reads: Reads, deadline: float) -> Seen: ...


def walk(inquiry: Generator[Reads, Seen, T], reader: Reader, deadline: float) -> T:
    """What the inquiry returns when its reads are answered; `deadline` is on the clock of time.monotonic()."""
    try:
        reads = next(inquiry)
        while True:
            reads = inquiry.send(reader.see(reads, deadline))
    except StopIteration as end:
        found: T = end.value
        return found
