"""The clock of a change request: what is due of it at which time, and what the clock alone decides.

`consequences` is asked once for every write (bot/changerecords.py), so no verb can forget a timer; `due` by the workers,
for what needs no look outside. Whether something has run out is judged again where it is used: a timer that fires late
lets nobody in.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from commands.ledger import Draft
from commands.phrase import span
from commands.response.changeevents import Kind, draft, moving, timer
from commands.response.changemoves import Move
from commands.response.changerequest import RUNNING, ChangeRequest, Stage
from commands.site import Change as Rules
from commands.site import Site

# Keys of timers. VALIDATE is followed by minutes after the last step. HELD: somebody must decide by then; DECLARE: an
# incident is due of it. PAGE: the status page is to be told. ROLL_BACK: it
# is to be taken back by itself. REVIEW: what nobody had approved is to be looked at. ANEW: its baseline is to be taken.
EXPIRE, POST, REMIND, SAMPLE, VALIDATE = "expire", "post", "remind", "sample", "validate:"
HELD, DECLARE, PAGE, ROLL_BACK = "held", "declare", "page", "rollback"
REVIEW, ANEW = "review", "baseline"

LOOKS = (5, 15, 60)  # minutes after the change
REMINDED = timedelta(hours=1)  # before it begins
WATCHED = timedelta(hours=1)  # after it is over
DECIDED = timedelta(minutes=30)  # so long it waits for somebody before it calls them
REVIEWED = timedelta(hours=24)  # and so long for who looks at an emergency, each time

# What the stakeholders are told of, once they were told at all.
_TOLD = frozenset(Stage) - {Stage.PRECHECKS}


def rules(change: ChangeRequest, site: Site) -> Rules:
    """The settings of its cluster, as they are now."""
    return (site.clusters.get(change.payload.cluster) or site).change


def consequences(before: ChangeRequest | None, after: ChangeRequest, site: Site) -> tuple[Draft, ...]:
    """The timers to be set or taken away behind the events that made `after` of `before`."""
    return tuple(
        timer(key, due)
        for key, due in _timers(before, after, site)
        if due is not None or after.timer(key) is not None
    )


def _timers(
    before: ChangeRequest | None, after: ChangeRequest, site: Site
) -> Iterator[tuple[str, datetime | None]]:
    is_moved = before is None or (before.stage, before.version) != (after.stage, after.version)
    if is_moved:
        yield EXPIRE, expires(after, site)
    if is_moved and after.stage is Stage.EXECUTING:
        yield SAMPLE, after.started
    if is_moved and after.stage is Stage.VALIDATING and after.done:
        yield from ((f"{VALIDATE}{each}", after.done + timedelta(minutes=each)) for each in LOOKS)
    if is_moved and after.is_over and after.stage is not Stage.SUCCEEDED:
        yield from ((f"{VALIDATE}{each}", None) for each in LOOKS)
    if is_moved and after.stage is Stage.ROLLING_BACK:
        yield HELD, after.updated + DECIDED
    if (is_moved and after.is_over) or _is_newly_undone(before, after):
        yield HELD, None
    if is_moved and after.emergency and after.stage is Stage.EXECUTING and after.started:
        yield REVIEW, after.started + REVIEWED
    if after.reviewed:
        yield REVIEW, None
    if is_moved and after.stage is Stage.ROLLBACK_FAILED:
        yield DECLARE, after.updated
    if after.notified and (is_moved or before is None or before.notified != after.notified):
        if after.stage in _TOLD:
            yield POST, after.updated
        if after.stage in _TOLD and after.is_on_page:
            yield PAGE, after.updated
        yield REMIND, _reminder(after)


def _is_newly_undone(before: ChangeRequest | None, after: ChangeRequest) -> bool:
    """Taken back; whether that helped is decided within ten minutes by the samples."""
    return after.undone is not None and (before is None or before.undone != after.undone)


def expires(change: ChangeRequest, site: Site) -> datetime | None:
    """When approvals are no longer waited for, or what was approved can no longer be begun."""
    limits = rules(change, site)
    if change.stage is Stage.PENDING and change.cleared:
        return change.cleared + limits.pending
    if change.stage is Stage.APPROVED and change.granted:
        return min(change.payload.until, max(change.granted, change.payload.at) + limits.use_within)
    return None


def _reminder(change: ChangeRequest) -> datetime | None:
    at = change.payload.at - REMINDED
    is_coming = change.stage not in RUNNING and not change.is_over
    return at if is_coming and change.notified and at > change.notified else None


def due(change: ChangeRequest, now: datetime, site: Site) -> tuple[Draft, ...]:
    """What has run out, by the clock alone."""
    return (*_expired(change, now), *_held(change, now, site), *_unreviewed(change, now))


def _expired(change: ChangeRequest, now: datetime) -> Iterator[Draft]:
    at = change.timer(EXPIRE)
    if at is not None and at <= now:
        why = "nobody approved it in time" if change.stage is Stage.PENDING else "it was not begun in time"
        yield fired(EXPIRE, at)
        yield moving(Move.EXPIRE, f"⌛ expired: {why}. Nothing was done.", why=why)


def _held(change: ChangeRequest, now: datetime, site: Site) -> Iterator[Draft]:
    at = change.timer(HELD)
    if at is not None and at <= now:
        yield fired(HELD, at)
        text = f"📟 nobody has decided for {span(DECIDED)}: {change.verdict_why}. Close it or roll it back."
        if change.stage is Stage.ROLLING_BACK:
            text = (
                f"📟 it is being taken back for {span(DECIDED)}, and nothing says that it is. See to its rollback; when "
                f"it is done: `/sre change rollback {change.id} --done`."
            )
        yield replace(draft(Kind.NOTE, text), is_told=True, mention=site.oncall(now) or change.started_by)


def _unreviewed(change: ChangeRequest, now: datetime) -> Iterator[Draft]:
    """Once a day, until somebody did."""
    at = change.timer(REVIEW)
    if at is not None and at <= now:
        yield timer(REVIEW, now + REVIEWED)
        text = f"👀 nobody has looked at this emergency change yet: `/sre change review {change.id}`"
        yield replace(draft(Kind.NOTE, text), is_told=True, mention=change.started_by)


def fired(key: str, at: datetime) -> Draft:
    return draft(Kind.FIRED, f"{key} was due at {at:%H:%M:%S} UTC", key=key)
