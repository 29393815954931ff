"""`change approve`, `change reject`, `change cancel`: who may decide on a change request, on what, and until when.

An approval names the payload that was seen (its digest). Nobody approves what they asked for or made, whichever of their
ids they use; how many must agree, and who among them, follows from the risk. All is judged again where it is used.
"""

from collections.abc import Mapping, Sequence

from commands.changeclock import EXPIRE
from commands.changelines import START, may_approve
from commands.changes.meant import NOTHING, about, demand, did, entered, named, said, service_of, settings
from commands.changes.new import is_author
from commands.command import Command, Flag
from commands.entry import Entry, Given
from commands.errors import Denied, Stale
from commands.form import Field, Form, NeedsForm
from commands.model import Args
from commands.phrase import span
from commands.response.changeevents import Kind, moving
from commands.response.changemoves import Move
from commands.response.changerequest import Agreed, ChangeRequest, Risk
from commands.site import Site

_DIGEST = 8  # hex digits that tell one payload from another


def approve(given: Given) -> Entry:
    change = about(given)
    _demand_other(given, change)
    demand(change, Move.AGREE)
    demand_seen(given, change)
    demand_time(given, change)
    if not may_approve(change, given.roles, given.site):
        raise Denied(_who(change, given.site))
    person = given.site.person(given.actor.user)
    if any(given.site.person(each.user) == person for each in change.agreed):
        raise Stale(f"You approved {change.id} already: it needs somebody else. {NOTHING}")
    text = f"👍 agrees to payload {change.digest[:_DIGEST]}"
    agreed = did(given, Kind.AGREED, text, digest=change.digest, person=person)
    valid = (*still_valid(given, change), Agreed(given.actor.user, given.now, person))
    holders = {**given.holders, given.actor.user: given.roles}
    left = short_of(change, valid, holders, given)
    if left:
        return entered(change, f"Agreed: {change.id} {left}.", (agreed,))
    granted = moving(Move.GRANT, f"approved; it may begin from {change.payload.at:%Y-%m-%d %H:%M} UTC on")
    return entered(change, f"Approved: {change.id}, {change.payload.what}.", (agreed, granted))


def reject(given: Given) -> Entry:
    change = about(given)
    demand(change, Move.REJECT)
    demand_seen(given, change)
    if is_author(given, change):
        raise Denied(f"You asked for {change.id}: `/sre change cancel {change.id}` takes it back. {NOTHING}")
    if not may_approve(change, given.roles, given.site):
        raise Denied(_who(change, given.site))
    why = said(given)
    if not why:
        raise NeedsForm(
            _why(given, change, "Reject"), f"A rejection needs a reason: {_typed(given, change)}."
        )
    told = did(given, Kind.MOVED, f"rejected: {why}", move=Move.REJECT, why=why)
    return entered(change, f"Rejected: {change.id}.", (told,))


def cancel(given: Given) -> Entry:
    change = about(given)
    demand(change, Move.CANCEL)
    if not (is_author(given, change) or may_approve(change, given.roles, given.site)):
        raise Denied(f"{change.id} is for who asked for it, or may approve it, to cancel. {NOTHING}")
    why = said(given)
    text = f"canceled: {why}" if why else "canceled"
    told = did(given, Kind.MOVED, text, move=Move.CANCEL, why=why or "canceled")
    return entered(change, f"Canceled: {change.id}. Nothing of it was done.", (told,))


# --- Who ------------------------------------------------------------------------------------------


def _demand_other(given: Given, change: ChangeRequest) -> None:
    """Before the role: this holds for every role."""
    user, person = given.actor.user, given.site.person
    if person(user) == person(change.by):
        raise Denied(
            f"You asked for {change.id} yourself{_as(user, change.by)}: somebody else must approve it. {NOTHING}"
        )
    for author in change.payload.authors:
        if person(user) == person(author):
            raise Denied(
                f"You made {change.id} together{_as(user, author)}: somebody else must approve it. {NOTHING}"
            )


def _as(user: str, other: str) -> str:
    return "" if user == other else f" as {other}"


def _who(change: ChangeRequest, site: Site) -> str:
    roles = site.approver_roles(START, change.payload.cluster)
    may = " or ".join(f"`{role}`" for role in roles)
    if may:
        return f"You may not approve {change.id}: that is for {may}. {NOTHING}"
    return (
        f"Nobody may approve change requests. To let somebody, add to `access` of the configuration "
        f'`{{roles: [approvers], may: approve, verbs: ["{START}"]}}`. {NOTHING}'
    )


def still_valid(given: Given, change: ChangeRequest) -> tuple[Agreed, ...]:
    """The approvals of those who still may: whoever lost the role meanwhile counts no more."""
    return tuple(
        each
        for each in change.agreed
        if may_approve(change, given.holders.get(each.user, frozenset()), given.site)
    )


def short_of(
    change: ChangeRequest, agreed: Sequence[Agreed], holders: Mapping[str, frozenset[str]], given: Given
) -> str:
    """What is still missing for its risk, "" for nothing: low one, medium one owner, high two of different teams."""
    people = {each.person or given.site.person(each.user): each.user for each in agreed}
    if not people:
        return "needs an approval"
    match change.payload.risk:
        case Risk.LOW:
            return ""
        case Risk.MEDIUM:
            return _owner_missing(change, tuple(people.values()), holders, given)
        case Risk.HIGH:
            if len(people) < 2:
                return "has a high risk and needs two people; it has one"
            return _teams_missing(given, change, tuple(people.values()))


def _owner_missing(
    change: ChangeRequest, users: Sequence[str], holders: Mapping[str, frozenset[str]], given: Given
) -> str:
    service = service_of(given, change)
    owner = service.owner if service else "service-owner"
    person = given.site.person
    if any(owner in holders.get(user, frozenset()) or person(owner) == person(user) for user in users):
        return ""
    return f"has a medium risk and needs an owner of {change.payload.service} (`{owner}`)"


def _teams_missing(given: Given, change: ChangeRequest, users: Sequence[str]) -> str:
    teams = settings(given, change).teams
    if not teams:
        return ""
    of = [{name for name, members in teams.items() if user in members} for user in users]
    if any(one and other and one.isdisjoint(other) for one in of for other in of):
        return ""
    return "has a high risk and needs people of two teams (`change.teams`)"


# --- On what, until when --------------------------------------------------------------------------


def demand_seen(given: Given, change: ChangeRequest) -> None:
    """Raises Stale where another payload was seen than it has now."""
    seen = given.args.flags.get("digest", "").casefold()
    if seen and len(seen) >= _DIGEST and change.digest.startswith(seen):
        return
    if not seen and change.version == 1:
        return
    raise Stale(
        f"{change.id} was edited since: its card shows version {change.version}, and has the button and the line to "
        f"type for it. {NOTHING}"
    )


def demand_time(given: Given, change: ChangeRequest) -> None:
    at = change.timer(EXPIRE)
    if at is not None and given.now >= at:
        late = f" ({span(given.now - at)} ago)" if (given.now - at).total_seconds() >= 1 else ""
        raise Stale(f"{change.id} expired at {at:%H:%M:%S} UTC{late}. {NOTHING} Ask for it again.")


def _why(given: Given, change: ChangeRequest, verb: str) -> Form:
    flags = {name: value for name, value in given.args.flags.items() if name == "digest"}
    asked = Field("why", "Why not?", "text", "The requester reads it, and it stays in the record.")
    return Form(
        f"{verb} a change", verb, Args("change", given.args.verb, change.id, flags), (asked,), named(change)
    )


def _typed(given: Given, change: ChangeRequest) -> str:
    return f"`/sre change {given.args.verb} {change.id} REASON`"


_SEEN = Flag("digest", "the payload that was seen, as its card shows it", "DIGEST")
_WHY = Flag("why", "what it is for", "TEXT")

APPROVE = Command(
    word="change",
    verbs=("approve",),
    summary="Agree to a change request, as its card shows it.",
    rows=("CM-2.0",),
    examples=("change approve CR-2026-11-23-001",),
    flags=(_SEEN,),
    names="CR-…",
    entry=approve,
)
REJECT = Command(
    word="change",
    verbs=("reject",),
    summary="Refuse a change request, and say why.",
    rows=("CM-2.0",),
    examples=('change reject CR-2026-11-23-001 "not during the sale"',),
    flags=(_SEEN, _WHY),
    names="CR-… REASON",
    entry=reject,
)
CANCEL = Command(
    word="change",
    verbs=("cancel",),
    summary="Take a change request back before it is begun.",
    rows=("CM-2.0",),
    examples=("change cancel CR-2026-11-23-001",),
    flags=(_WHY,),
    names="CR-… REASON",
    entry=cancel,
)
