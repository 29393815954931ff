"""How numbers are said here: durations to the second, counts beside every mean, a target beside every value."""

from collections.abc import Sequence

from commands.numbers.spread import Spread
from commands.numbers.trend import arrow
from commands.phrase import counted

_SHOWN = 4  # ids that are named before the rest are counted


def lasting(seconds: float | None) -> str:
    """Every unit that is there: "42 min 30 s", "359 h 13 min 45 s"; "none" for what is not."""
    if seconds is None:
        return "none"
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def spread_said(found: Spread | None) -> str:
    if found is None:
        return "none"
    if found.n == 1:
        return f"{lasting(found.mean)} (n=1)"
    return (
        f"mean {lasting(found.mean)}, median {lasting(found.median)}, p90 {lasting(found.p90)} (n={found.n})"
    )


def percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f} %"


def compared(before: float | None, now: float | None, said: str) -> str:
    """ " ↑ from 20 min", "" where there is nothing to compare with."""
    sign = arrow(before, now)
    return f" {sign} from {said}" if sign and sign != "→" else (" → as before" if sign else "")


def named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def many(ids: Sequence[str], what: str) -> str:
    """ "2 incidents (INC-1, INC-2)"."""
    return f"{counted(len(ids), what)} ({named(ids)})"
