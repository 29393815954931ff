"""A threshold or a `for` that would have spared the false alarms of a rule and kept every true one.

Pure arithmetic over what the rule's expression was worth around each firing. A proposal that would have lost one
true alert is none; where a true one has no points there is nothing to go by, so there is none either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import ceil, floor, inf, log10

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A firing that somebody judged: whether it was true, and its points, oldest first, from before it began."""

    is_true: bool
    points: Points


@dataclass(frozen=True, slots=True)
class Proposal:
    """threshold or wait, the other one None; spares: how many of the false ones it would have spared."""

    spares: int
    threshold: float | None = None
    wait: timedelta | None = None


def proposals(
    cases: Sequence[Case], op: str, threshold: float | None, wait: timedelta, step: timedelta
) -> tuple[Proposal, ...]:
    """What would have helped, the best first; () where nothing does without losing a true alert."""
    true = [case for case in cases if case.is_true]
    false = [case for case in cases if not case.is_true]
    if not true or not false or any(not case.points for case in true):
        return ()
    found = [_longer(true, false, op, threshold, wait, step)]
    if op in (">", ">=", "<", "<=") and threshold is not None:
        found.append(_further(true, false, op, threshold, wait, step))
    kept = [each for each in found if each is not None]
    return tuple(sorted(kept, key=lambda each: (-each.spares, each.threshold is None)))


def _longer(
    true: Sequence[Case],
    false: Sequence[Case],
    op: str,
    threshold: float | None,
    wait: timedelta,
    step: timedelta,
) -> Proposal | None:
    """A longer `for`: longer than the false ones lasted, shorter than the true ones did."""
    over = _comparison(op, threshold)
    shortest = min(longest_run(case.points, over, step) for case in true)
    runs = [longest_run(case.points, over, step) for case in false if case.points]
    spared = [run for run in runs if run < shortest]
    if not spared:
        return None
    minutes = floor((max(spared) + shortest).total_seconds() / 2 / 60)
    made = timedelta(minutes=minutes)
    # A true one must outlast it by more than a point, for nobody knows what was between two of them.
    if not max(wait, max(spared)) < made <= shortest - step:
        return None
    return Proposal(sum(run < made for run in runs), wait=made)


def _further(
    true: Sequence[Case],
    false: Sequence[Case],
    op: str,
    threshold: float,
    wait: timedelta,
    step: timedelta,
) -> Proposal | None:
    """A threshold between what the false ones held for `wait` and what the true ones held."""
    sign = 1.0 if op.startswith(">") else -1.0
    lowest = min(sustained(_turned(case.points, sign), wait, step) for case in true)
    held = [sustained(_turned(case.points, sign), wait, step) for case in false if case.points]
    spared = [value for value in held if value < lowest]
    if not spared or lowest in (-inf, inf):
        return None
    made = rounded_between(max(*spared, sign * threshold), lowest)
    if made is None or not sign * threshold < made < lowest:
        return None
    return Proposal(sum(value <= made for value in held), threshold=sign * made)


def _turned(points: Points, sign: float) -> Points:
    """ "below 5" is "above -5"."""
    return tuple((at, sign * value) for at, value in points)


def _comparison(op: str, threshold: float | None) -> Callable[[float], bool]:
    """An expression without a level has points only where it holds."""
    if threshold is None:
        return lambda value: True
    limit = threshold
    compare: dict[str, Callable[[float], bool]] = {
        ">": lambda value: value > limit,
        ">=": lambda value: value >= limit,
        "<": lambda value: value < limit,
        "<=": lambda value: value <= limit,
        "==": lambda value: value == limit,
        "!=": lambda value: value != limit,
    }
    return compare.get(op, lambda value: True)


def longest_run(points: Points, over: Callable[[float], bool], step: timedelta) -> timedelta:
    """How long it held without a break; a missing point breaks it."""
    longest, begun, last = 0.0, None, None
    for at, value in points:
        if begun is None or last is None or at - last > 1.5 * step.total_seconds() or not over(value):
            begun = at if over(value) else None
        if begun is not None:
            longest = max(longest, at - begun)
        last = at
    return timedelta(seconds=longest)


def sustained(points: Points, wait: timedelta, step: timedelta) -> float:
    """The highest value below which it never fell for as long as `wait`; -inf where it has no such stretch."""
    best = -inf
    for stretch in _unbroken(points, step):
        for start, (begun, _) in enumerate(stretch):
            end = next((n for n, (at, _) in enumerate(stretch) if at - begun >= wait.total_seconds()), None)
            if end is None:
                break
            best = max(best, min(value for _, value in stretch[start : max(end, start) + 1]))
    return best


def _unbroken(points: Points, step: timedelta) -> list[Points]:
    cuts = [
        n for n, (one, two) in enumerate(pairwise(points), 1) if two[0] - one[0] > 1.5 * step.total_seconds()
    ]
    edges = [0, *cuts, len(points)]
    return [points[start:end] for start, end in pairwise(edges)]


def rounded_between(low: float, high: float) -> float | None:
    """The number of fewest digits that lies well between the two, near their middle."""
    if not low < high:
        return None
    middle = (low + high) / 2
    first = ceil(-log10(high - low)) if high - low < 1 else -floor(log10(high - low))
    for digits in range(first, first + 4):
        made = round(middle, digits)
        if low < made < high:
            return made
    return middle
