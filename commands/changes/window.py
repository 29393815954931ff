"""Times of a change: what is typed as one, whether its window is open, what freezes it, what it overlaps. Pure data in,
yes or no out."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from commands import grammar
from commands.errors import UsageError
from commands.response.changerequest import ChangeRequest, Payload
from commands.site import FreezePeriod

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
# Filling the window in takes a while, and the minute chosen in it had begun already: that is no past.
_LATE = timedelta(minutes=5)


def begins(text: str, now: datetime, zone: str) -> datetime:
    """The moment that is meant: "22:00" (today), "2026-11-24 22:00", "+30m", "now", or with an offset of its own. In
    `zone` where it says none; raises UsageError for what is none, or is over."""
    plain = text.strip()
    if plain.casefold() == "now":
        return now
    if plain.startswith("+"):
        return now + grammar.duration(plain[1:])
    own = ZoneInfo(zone)
    at = _read(plain, now.astimezone(own))
    if at is None:
        raise UsageError(
            f"`{plain[:40]}` is no time. Type `2026-11-24 22:00` or `22:00` ({zone}), `+30m`, or `now`."
        )
    there = at.astimezone(UTC).astimezone(own)
    if at.tzinfo is own and there.replace(tzinfo=None) != at.replace(tzinfo=None):
        raise UsageError(
            f"{at:%Y-%m-%d %H:%M} ({zone}) is skipped by the clock: that night goes on at {there:%H:%M}."
        )
    if at < now - _LATE:
        raise UsageError(f"{there:%Y-%m-%d %H:%M} ({zone}) is in the past: take a later time, or type `now`.")
    return at.astimezone(UTC)


def _read(text: str, local: datetime) -> datetime | None:
    clock = _CLOCK.fullmatch(text)
    try:
        if clock:
            return local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=local.tzinfo)


def lasts(text: str) -> timedelta | None:
    """ "30m", "2h", or "none" for what users do not feel; raises UsageError for anything else."""
    if text.strip().casefold() in ("none", "0", "no"):
        return None
    try:
        return grammar.duration(text.strip())
    except UsageError:
        raise UsageError(
            f"`{text[:40]}` is no length: type 30m or 2h, or none where users feel nothing."
        ) from None


def frozen(
    freezes: Iterable[FreezePeriod], service: str, start: datetime, end: datetime, zone: str
) -> FreezePeriod | None:
    """The freeze that touches this time of this service, the first of several; None for none."""
    own = ZoneInfo(zone)
    for period in freezes:
        begin, until = period.begins.replace(tzinfo=own), period.ends.replace(tzinfo=own)
        if service not in period.spared and begin < end and start < until:
            return period
    return None


def overlapping(
    payload: Payload, others: Iterable[ChangeRequest], but: str = ""
) -> tuple[ChangeRequest, ...]:
    """Those of the same cluster whose window has a moment in common with this one's."""
    return tuple(
        other
        for other in others
        if other.id != but
        and not other.is_over
        and other.payload.cluster == payload.cluster
        and other.payload.at < payload.until
        and payload.at < other.payload.until
    )
