"""The time that somebody means: "14:32", "yesterday 23:50", "2026-11-22 14:32", "14:32 UTC", "about 14:40".

Without a zone it is the house's. What cannot be, or could be twice, because the clocks are changed, is asked back.
A clock time that is still to come means yesterday's where that is at most half a day ago.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from commands.errors import UsageError

_HALF_A_DAY = timedelta(hours=12)
# People round up, and their clocks are not the bot's.
_GRACE = timedelta(minutes=1)

_MOMENT = re.compile(
    r"(?P<about>about\s+|~\s*|ca\.?\s+)?"
    r"(?:(?P<day>yesterday|today|\d{4}-\d{1,2}-\d{1,2})[ T]\s*)?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"(?:\s*(?P<zone>Z\b|UTC\b|GMT\b|[+-]\d{2}:?\d{2}(?!\d)))?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Meant:
    """at: aware UTC. rest: what stands behind it. is_about: somebody was not sure."""

    at: datetime
    is_about: bool = False
    rest: str = ""


def leading(text: str, now: datetime, zone: str) -> Meant | None:
    """The time that a text begins with, None where it begins with none; raises UsageError for one that cannot be."""
    found = _MOMENT.match(text)
    if found is None or text[found.end() : found.end() + 1] not in ("", " ", ",", ":", "\n"):
        return None
    return Meant(_at(found, now, zone), bool(found["about"]), text[found.end() :].lstrip(" ,:\n"))


def moment(text: str, now: datetime, zone: str) -> Meant:
    """The time that a text is; raises UsageError for what is none."""
    meant = leading(text.strip(), now, zone)
    if meant is None or meant.rest:
        raise UsageError(
            f"`{text[:40].replace('`', chr(39))}` is no time. Type 14:32, yesterday 23:50, 2026-11-22 14:32 or "
            "14:32 UTC, with `about` in front if you are not sure. Nothing was done."
        )
    return meant


def _at(found: re.Match[str], now: datetime, zone: str) -> datetime:
    said = found[0].strip()
    clock = _clock(found, said)
    where = _zone(found["zone"], zone)
    today = now.astimezone(where).date()
    day = _day(found["day"], today, said)
    at = _exact(datetime.combine(day, clock), where, said)
    if at > now + _GRACE and not found["day"]:
        before = _exact(datetime.combine(today - timedelta(days=1), clock), where, said)
        at = before if now - before <= _HALF_A_DAY else at
    if at > now + _GRACE:
        raise UsageError(
            f"{said} is still to come: it is {now.astimezone(where):%H:%M} now ({_called(where)}). Name the day "
            f"where you mean an earlier one: {today - timedelta(days=1)} {clock:%H:%M}. Nothing was done."
        )
    return min(at, now)


def _clock(found: re.Match[str], said: str) -> time:
    try:
        return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
    except ValueError:
        raise UsageError(f"{said} is no time of a day. Nothing was done.") from None


def _day(text: str | None, today: date, said: str) -> date:
    if text is None or text.casefold() == "today":
        return today
    if text.casefold() == "yesterday":
        return today - timedelta(days=1)
    try:
        return date(*map(int, text.split("-")))
    except ValueError:
        raise UsageError(f"{said} is no day of the calendar. Nothing was done.") from None


def _zone(text: str | None, zone: str) -> tzinfo:
    if not text:
        return ZoneInfo(zone)
    if text[0] not in "+-":
        return UTC
    parsed = datetime.strptime(text.replace(":", ""), "%z").tzinfo
    return parsed or UTC


def _exact(local: datetime, where: tzinfo, said: str) -> datetime:
    """In UTC; raises UsageError where the clocks are changed and it is no time, or two."""
    first, second = (local.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(where).replace(tzinfo=None) != local:
        raise UsageError(f"{said} did not exist: the clocks were put forward then. Nothing was done.")
    offsets = " or ".join(f"{local:%H:%M}{_offset(each.astimezone(where))}" for each in (first, second))
    raise UsageError(f"{said} was twice: the clocks were put back then. Type {offsets}. Nothing was done.")


def _offset(at: datetime) -> str:
    text = at.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def _called(where: tzinfo) -> str:
    return where.key if isinstance(where, ZoneInfo) else str(where)
