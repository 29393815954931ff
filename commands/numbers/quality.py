"""How good alerts are: what became of each that people were told of, by template, and how much of that is known.

What people called a card counts first. Of one that nobody judged, what it did may say enough: it came and went three
times in an hour, or was over before anybody took notice. The rest is not classified, and no rate speaks of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commands.model import Judgement
from commands.numbers.firings import Told

SHORT = timedelta(minutes=5)
CYCLES = 3  # so often in an hour is flapping
_HOUR = timedelta(hours=1)

# They tell one pod or machine from another: two alerts that differ in these alone are of one template.
_VOLATILE = frozenset(
    {
        "pod", "pod_name", "pod_ip", "container_id", "id", "uid", "instance", "node", "nodename", "host", "hostname", "ip",
        "endpoint", "replicaset", "job_name", "device", "mountpoint", "persistentvolumeclaim", "volumename", "image",
        "image_id", "prometheus", "replica", "severity", "alertname",
    }
)  # fmt: skip


class Disposition(StrEnum):
    ACTIONABLE = "actionable"
    INFORMATIONAL = "informational"
    FALSE_POSITIVE = "false positive"
    FLAPPING = "flapping"
    SELF_RESOLVED = "resolved by itself"
    UNCLASSIFIED = "unclassified"


_MARKED: Mapping[Judgement, Disposition] = {
    Judgement.ACTIONABLE: Disposition.ACTIONABLE,
    Judgement.INFORMATIONAL: Disposition.INFORMATIONAL,
    Judgement.FALSE_ALARM: Disposition.FALSE_POSITIVE,
}


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one template, or of all with the name "". counts: cards by disposition."""

    template: str
    counts: Mapping[Disposition, int]

    @property
    def told(self) -> int:
        return sum(self.counts.values())

    @property
    def classified(self) -> int:
        return self.told - self.of(Disposition.UNCLASSIFIED)

    @property
    def noisy(self) -> int:
        return self.classified - self.of(Disposition.ACTIONABLE)

    def of(self, kind: Disposition) -> int:
        return self.counts.get(kind, 0)

    @property
    def noise(self) -> float | None:
        """Not actionable of classified, in percent; None where nothing is classified."""
        return _percent(self.noisy, self.classified)

    @property
    def coverage(self) -> float | None:
        """Classified of told, in percent: how much the noise rate speaks of."""
        return _percent(self.classified, self.told)

    @property
    def false(self) -> float | None:
        """False ones of false and true ones, in percent: the share of false discoveries. How many alerts should have
        come and did not is in no such number."""
        wrong, right = self.of(Disposition.FALSE_POSITIVE), self.of(Disposition.ACTIONABLE)
        return _percent(wrong, wrong + right)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def qualities(cards: Iterable[Told]) -> tuple[Quality, ...]:
    """By template, the noisiest first."""
    known = tuple(cards)
    kinds = dispositions(known)
    found: dict[str, list[Disposition]] = {}
    for card, kind in zip(known, kinds, strict=True):
        found.setdefault(template(card), []).append(kind)
    made = (_quality(name, own) for name, own in found.items())
    return tuple(sorted(made, key=lambda each: (-each.noisy, -each.told, each.template)))


def overall(cards: Sequence[Told]) -> Quality:
    return _quality("", dispositions(cards))


def _quality(name: str, kinds: Sequence[Disposition]) -> Quality:
    return Quality(name, {kind: kinds.count(kind) for kind in Disposition if kind in kinds})


def template(card: Told) -> str:
    """The rule and the labels that are not of one pod or machine: "HighErrorRate namespace=shop service=web"."""
    first = card.first
    kept = (f"{name}={value}" for name, value in sorted(first.labels.items()) if name not in _VOLATILE)
    return " ".join(
        (first.name or "(no name)", *(each for each in kept if not each.startswith("alertname=")))
    )


def dispositions(cards: Sequence[Told]) -> tuple[Disposition, ...]:
    """In the order of the cards."""
    starts: dict[str, list[datetime]] = {}
    for each in sorted((each for card in cards for each in card.members), key=lambda each: each.starts_at):
        starts.setdefault(each.fingerprint, []).append(each.starts_at)
    return tuple(_disposition(card, starts) for card in cards)


def _disposition(card: Told, starts: Mapping[str, Sequence[datetime]]) -> Disposition:
    if card.judgement is not None:
        return _MARKED[card.judgement]
    if any(_is_flapping(each.starts_at, starts[each.fingerprint]) for each in card.members):
        return Disposition.FLAPPING
    return Disposition.SELF_RESOLVED if _is_over_by_itself(card) else Disposition.UNCLASSIFIED


def _is_flapping(at: datetime, starts: Sequence[datetime]) -> bool:
    """Whether it began so often within some hour that has this start in it."""
    first, end = bisect_right(starts, at - _HOUR), bisect_left(starts, at + _HOUR)
    near = starts[first:end]
    runs = zip(near, near[CYCLES - 1 :], strict=False)
    return any(begun <= at <= ended and ended - begun < _HOUR for begun, ended in runs)


def _is_over_by_itself(card: Told) -> bool:
    ended = [each.ends_at for each in card.members]
    if any(each.acked for each in card.members) or None in ended:
        return False
    return max(filter(None, ended)) - card.first.starts_at < SHORT
