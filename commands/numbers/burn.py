"""When an error budget burns so fast that somebody must act: two windows each, and both must say so."""

from datetime import timedelta
from fractions import Fraction

from commands.site import BurnRate, Slo

_SECOND = timedelta(seconds=1)


def short(burn: BurnRate) -> timedelta:
    """The window that tells whether it still burns."""
    return burn.over / 12


def factor(burn: BurnRate, period: timedelta) -> Fraction:
    """How many times as fast as the budget allows: 14.4 for 2 % in an hour of 30 days."""
    return exactly(burn.budget_pct) / 100 * Fraction(period // _SECOND, burn.over // _SECOND)


def fires(burn: BurnRate, long: float, recent: float, slo: Slo) -> bool:
    """long, recent: error ratios of the two windows, 0 to 1. Exactly at the limit it does not."""
    limit = factor(burn, slo.window) * budget_of(slo)
    return exactly(long) > limit and exactly(recent) > limit


def unreachable(slo: Slo) -> tuple[BurnRate, ...]:
    """Those that could never fire: more than every request would have to fail."""
    return tuple(burn for burn in slo.burn if factor(burn, slo.window) * budget_of(slo) >= 1)


def rate(ratio: float, slo: Slo) -> float:
    """How many times as fast as it may the budget burns."""
    return float(exactly(ratio) / budget_of(slo))


def budget_of(slo: Slo) -> Fraction:
    """The share of requests that may fail: 1/1000 for 99.9 (percent)."""
    return 1 - exactly(slo.success_rate.target) / 100


def exactly(number: float) -> Fraction:
    """What people write, not the nearest binary fraction."""
    return Fraction(repr(number))
