"""Which alert could hide which: pairs that fire together nearly always, and the text of a rule for Alertmanager.

A rule hides only what has the same labels as its source, of those that tell one thing from another; without such a
label it would hide everything everywhere, so there is none. Never does a lesser alert hide a graver one. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations

from commands.alertreads import InhibitRule
from commands.errors import UsageError
from commands.matchers import Matcher, parse
from commands.model import Severity
from commands.numbers.firings import Firing, by_name

OVER = 80  # percent of a target's firings beside its source
FEWEST = 5  # firings below which 80 % says nothing
# What tells one thing from another; a rule must compare one of these at least.
_TELLING = (
    "namespace", "node", "instance", "pod", "container", "service", "deployment", "statefulset", "daemonset", "job_name",
    "persistentvolumeclaim", "device", "horizontalpodautoscaler",
)  # fmt: skip
_GRAVEST = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Pair:
    """target fired with source so many times of all its firings, and began after it in `first` of these; equal: the
    labels they always shared."""

    source: str
    target: str
    together: int
    firings: int
    equal: tuple[str, ...]
    first: int = 0


def pairs(firings: Sequence[Firing], now: datetime) -> tuple[Pair, ...]:
    """Of two that could hide each other, the graver hides, else the one that mostly begins first."""
    named = by_name(firings)
    found: dict[frozenset[str], Pair] = {}
    for source, target in permutations(sorted(named), 2):
        pair = _pair(named[source], named[target], now)
        other = found.get(frozenset((source, target)))
        if pair is None or not _may_hide(named[source], named[target]):
            continue
        if other is None or _rank(pair, named) < _rank(other, named):
            found[frozenset((source, target))] = pair
    return tuple(sorted(found.values(), key=lambda pair: (-pair.together, pair.source, pair.target)))


def _rank(pair: Pair, named: Mapping[str, Sequence[Firing]]) -> tuple[int, float]:
    """How grave its source is, and how seldom that began first."""
    gravest = min(_GRAVEST.index(each.severity) for each in named[pair.source])
    return gravest, -pair.first / pair.together


def _may_hide(source: Sequence[Firing], target: Sequence[Firing]) -> bool:
    """The least grave of the source is at least as grave as the gravest of the target."""
    least = max(_GRAVEST.index(each.severity) for each in source)
    return least <= min(_GRAVEST.index(each.severity) for each in target)


def _pair(source: Sequence[Firing], target: Sequence[Firing], now: datetime) -> Pair | None:
    if len(target) < FEWEST:
        return None
    beside = [(each, found) for each in target if (found := _partner(each, source, now))]
    if 100 * len(beside) <= OVER * len(target):
        return None
    equal = [
        label
        for label in _TELLING
        if all(label in each.labels for each in source)
        and all(one.labels.get(label) == two.labels.get(label) for one, two in beside)
    ]
    if not equal:
        return None
    first = sum(two.starts_at < one.starts_at for one, two in beside)
    return Pair(source[0].name, target[0].name, len(beside), len(target), tuple(equal), first)


def _partner(each: Firing, several: Iterable[Firing], now: datetime) -> Firing | None:
    """Of those that fired at the same time, the one that shares most with it, in its namespace."""
    beside = [
        other for other in several
        if other.namespace == each.namespace
        and other.starts_at <= (each.ends_at or now) and each.starts_at <= (other.ends_at or now)
    ]  # fmt: skip
    return max(beside, key=lambda other: _shared(other, each), default=None)


def _shared(one: Firing, two: Firing) -> int:
    return sum(label in one.labels and one.labels[label] == two.labels.get(label) for label in _TELLING)


def is_known(pair: Pair, rules: Iterable[InhibitRule], firings: Iterable[Firing]) -> bool:
    """Whether a rule that exists hides these already: it finds all of both, and compares no other labels."""
    named = by_name(firings)
    return any(
        set(rule.equal) <= set(pair.equal)
        and all(_finds(rule.source, each) for each in named[pair.source])
        and all(_finds(rule.target, each) for each in named[pair.target])
        for rule in rules
    )


def _finds(matchers: Iterable[str], each: Firing) -> bool:
    """A matcher that cannot be read here finds nothing: better a proposal too many."""
    try:
        return all(parse(text).finds(each.labels) for text in matchers)
    except UsageError:
        return False


def text(proposed: Iterable[Pair]) -> str:
    """YAML for Alertmanager's configuration."""
    lines = ["inhibit_rules:"]
    for pair in proposed:
        lines += [
            f"  # {pair.together} of {pair.firings} times",
            f"  - source_matchers: [{_quoted(pair.source)}]",
            f"    target_matchers: [{_quoted(pair.target)}]",
            f"    equal: [{', '.join(pair.equal)}]",
        ]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    """A matcher inside a YAML string: in single quotes nothing but their own is special."""
    written = str(Matcher("alertname", "=", name))
    return "'" + written.replace("'", "''") + "'"
