"""Several diagnoses at once: they take as many rounds as the longest of them, and what they share is asked once."""

from collections.abc import Generator
from typing import TypeVar

from commands.model import Reads, Seen

T = TypeVar("T")
_Asking = Generator[Reads, Seen, T]


def beside(*asking: Generator[Reads, Seen, T]) -> Generator[Reads, Seen, tuple[T, ...]]:
    """What each of them returns, in their order."""
    ended: dict[int, T] = {}
    wanted: dict[int, Reads] = {}
    for n, each in enumerate(asking):
        _step(n, each, None, wanted, ended)
    while wanted:
        seen = yield tuple(dict.fromkeys(read for reads in wanted.values() for read in reads))
        for n in list(wanted):
            del wanted[n]
            _step(n, asking[n], seen, wanted, ended)
    return tuple(ended[n] for n in range(len(asking)))


def _step(
    n: int, asking: _Asking[T], seen: Seen | None, wanted: dict[int, Reads], ended: dict[int, T]
) -> None:
    try:
        wanted[n] = next(asking) if seen is None else asking.send(seen)
    except StopIteration as done:
        ended[n] = done.value
