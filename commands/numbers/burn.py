"""When an error budget burns so fast that somebody must act: two windows each, and both must say so."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

MONTH = timedelta(days=30)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Burn:
    """to: "page" or "ticket". budget: the share of it, in percent, that is gone when the long window burns so fast
    throughout. The short window tells whether it still does."""

    to: str
    budget: int
    long: timedelta

    @property
    def short(self) -> timedelta:
        return self.long / 12

    def factor(self, period: timedelta = MONTH) -> Fraction:
        """How many times as fast as the budget allows: 14.4 for 2 % in an hour of 30 days."""
        return Fraction(self.budget, 100) * Fraction(period // _SECOND, self.long // _SECOND)


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
BURNS = (
    Burn("page", 2, _HOUR),
    Burn("page", 5, 6 * _HOUR),
    Burn("ticket", 10, _DAY),
    Burn("ticket", 10, 3 * _DAY),
)


def fires(burn: Burn, long: float, short: float, objective: float, period: timedelta = MONTH) -> bool:
    """long, short: error ratios of the two windows, 0 to 1. objective: in percent. Exactly at the limit does not."""
    limit = burn.factor(period) * budget_of(objective)
    return exactly(long) > limit and exactly(short) > limit


def unreachable(
    objective: float, burns: Iterable[Burn] = BURNS, period: timedelta = MONTH
) -> tuple[Burn, ...]:
    """Those that could never fire: more than every request would have to fail."""
    return tuple(burn for burn in burns if burn.factor(period) * budget_of(objective) >= 1)


def rate(ratio: float, objective: float) -> float:
    """How many times as fast as it may the budget burns."""
    return float(exactly(ratio) / budget_of(objective))


def budget_of(objective: float) -> Fraction:
    """The share of requests that may fail: 1/1000 for 99.9 (percent)."""
    return 1 - exactly(objective) / 100


def exactly(number: float) -> Fraction:
    """What people write, not the nearest binary fraction."""
    return Fraction(repr(number))
