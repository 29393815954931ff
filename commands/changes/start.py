"""`change start`: begin an approved change, if everything that must hold for it holds now.

Nothing of what was looked at earlier is taken for granted: the window, the freezes, the lock of the service, the open
incidents, who approved, and the pre-checks are judged at the moment at which it begins.
"""

from commands.changelines import named, open_lines, state
from commands.changes.deciding import demand_time, short_of, still_valid
from commands.changes.meant import NOTHING, about, demand, did, entered, said, settings
from commands.changes.new import is_author, is_commander, is_grave
from commands.changes.window import frozen
from commands.command import Command, Flag
from commands.entry import Entry, Given
from commands.errors import Denied, Stale
from commands.finding import Light
from commands.ledger import Draft
from commands.phrase import span
from commands.response.changeevents import Kind
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest


def start(given: Given) -> Entry:
    """Begin, if everything that must hold for it holds now."""
    change = about(given)
    demand(change, Move.START)
    _demand_starter(given, change)
    demand_time(given, change)
    if not change.emergency:
        _demand_window(given, change)
        _demand_agreed(given, change)
    _demand_free(given, change)
    if not change.emergency:
        _demand_quiet(given, change)
    stale = _stale_checks(given, change)
    if stale:
        answer = (
            f"{stale} They run again now; press Start again when its card says that they are done. {NOTHING}"
        )
        again = Draft(Kind.NOTE, "its pre-checks run again before it begins", by=given.actor.user)
        return entered(change, answer, (again,), f"change check {change.id}")
    _demand_checks(change)
    if "dry-run" in given.args.flags:
        return Entry(f"{change.id} could begin now. {NOTHING}")
    text = f"🔧 begins. Its baseline is frozen before the first step; {change.payload.service} is locked."
    answer = f"{change.id} has begun. The first step follows once its baseline is frozen, in a few seconds."
    return entered(change, answer, (did(given, Kind.MOVED, text, move=Move.START, why=said(given)),))


def _demand_starter(given: Given, change: ChangeRequest) -> None:
    """Who asked for it may; who approved it only where somebody else did, too."""
    person = given.site.person
    if change.emergency:
        found = next((each for each in given.open if each.id == change.emergency), None)
        if found is None or not is_grave(found):
            raise Denied(
                f"{change.emergency} is no open Sev1 or Sev2 any more: ask for {change.id} anew, with an approval. {NOTHING}"
            )
        if not is_commander(given, found):
            raise Denied(f"Only the commander of {change.emergency} may begin {change.id}. {NOTHING}")
        return
    if is_author(given, change):
        return
    others = {person(each.user) for each in change.agreed} - {person(given.actor.user)}
    is_approver = any(person(each.user) == person(given.actor.user) for each in change.agreed)
    if not is_approver:
        raise Denied(
            f"{change.id} is for who asked for it to begin, or for one of two who approved it. {NOTHING}"
        )
    if not others:
        raise Denied(
            f"You alone approved {change.id}, so somebody else must begin it: who asked for it, for one. {NOTHING}"
        )


def _demand_window(given: Given, change: ChangeRequest) -> None:
    payload = change.payload
    if given.now < payload.at:
        raise Stale(
            f"The window of {change.id} opens in {span(payload.at - given.now)}, at {payload.at:%H:%M} UTC. {NOTHING}"
        )
    if given.now >= payload.until:
        raise Stale(
            f"The window of {change.id} closed at {payload.until:%H:%M} UTC. {NOTHING} Edit its time."
        )
    freezes = settings(given, change).freezes
    period = frozen(freezes, payload.service, given.now, payload.until, given.site.timezone)
    if period:
        raise Stale(f"{period.name}: nothing is changed until {period.ends:%Y-%m-%d %H:%M}. {NOTHING}")


def _demand_agreed(given: Given, change: ChangeRequest) -> None:
    left = short_of(change, still_valid(given, change), given.holders, given)
    if left:
        raise Stale(f"Not everybody who approved {change.id} still may: it {left}. {NOTHING}")


def _demand_free(given: Given, change: ChangeRequest) -> None:
    """One change of a service at a time."""
    mine = (change.payload.cluster, change.payload.service)
    for other in given.changes:
        if (
            other.id != change.id
            and other.is_active
            and (other.payload.cluster, other.payload.service) == mine
        ):
            since = span(given.now - (other.started or other.updated))
            raise Stale(
                f"{change.id} waits behind {other.id} ({other.payload.what}), which is {other.stage.value} on "
                f"{other.payload.service} since {since}. {NOTHING}"
            )


def _demand_quiet(given: Given, change: ChangeRequest) -> None:
    """No open Sev1 or Sev2 of the service."""
    for incident in given.open:
        is_grave = incident.is_active and incident.severity <= 2 and not incident.is_drill
        if (
            is_grave
            and incident.cluster == change.payload.cluster
            and incident.service in ("", change.payload.service)
        ):
            told = f"{incident.id} is open: Sev{incident.severity}, {incident.title}"
            if incident.is_private:  # everybody reads the audit
                told = f"An incident that is private is open: Sev{incident.severity}"
            raise Stale(f"{told}. {NOTHING}")


def _stale_checks(given: Given, change: ChangeRequest) -> str:
    """Why the pre-checks must be made again, "" where they need not."""
    checks, within = change.checks, settings(given, change).checks_within
    if checks is None or checks.digest != change.digest:
        return f"The pre-checks of {change.id} are of another payload."
    if given.now - checks.at > within:
        return (
            f"The pre-checks of {change.id} are {span(given.now - checks.at)} old, more than {span(within)}."
        )
    return ""


def _demand_checks(change: ChangeRequest) -> None:
    assert change.checks is not None
    if not change.emergency and change.checks.target != change.target:
        raise Stale(
            f"What {change.id} is about has changed since it was approved (then {change.target or 'not read'}, now "
            f"{change.checks.target or 'not read'}). {NOTHING} `/sre change edit {change.id}` asks people again."
        )
    against = [line for line in change.checks.lines if state(change, line) is Light.RED]
    if against and not change.emergency:
        told = "; ".join(f"{named(line)}: {line.value}" for line in against[:3])
        raise Stale(f"{change.id} cannot begin: {told}. {NOTHING}")
    left = open_lines(change)
    if left and not change.emergency:
        told = ", ".join(named(line) for line in left)
        raise Stale(
            f"{change.id} cannot begin while these are open: {told}. Tick them: `/sre change tick {change.id} "
            f"{left[0].key} NOTE`; an approver may let one go with `--skip --why`. {NOTHING}"
        )


START = Command(
    word="change",
    verbs=("start",),
    summary="Begin an approved change, if all that must hold for it holds now.",
    rows=("CM-2.0", "DL-0"),
    examples=("change start CR-2026-11-23-001",),
    flags=(Flag("why", "what it is for", "TEXT"),),
    names="CR-…",
    entry=start,
)
