"""Which change request is meant, and what every verb about one needs: its entry, its refusals, its settings."""

from collections.abc import Iterable

from commands.changeclock import rules
from commands.entry import Entry, Given, Write
from commands.errors import Stale, UsageError
from commands.ledger import Draft
from commands.response import changemoves
from commands.response.changeevents import Kind
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Stage
from commands.site import Change as Rules
from commands.site import ServiceSite
from commands.wording import one_line

WORD = "change"
NOTHING = "Nothing was done."


def named(change: ChangeRequest) -> str:
    """Which one a window is about."""
    return one_line(f"{change.id}: {change.payload.what}", 140)


def about(given: Given) -> ChangeRequest:
    """The one that is meant; raises UsageError where none is."""
    if given.change is None:
        raise UsageError(
            f"Name the change request: `/sre change {given.args.verb} CR-…`. `/sre change list` shows the open ones. "
            f"{NOTHING}"
        )
    return given.change


def settings(given: Given, change: ChangeRequest) -> Rules:
    return rules(change, given.site)


def service_of(given: Given, change: ChangeRequest) -> ServiceSite | None:
    """The service as it is configured now, None where it is not any more."""
    cluster = given.site.clusters.get(change.payload.cluster)
    return cluster.services.get(change.payload.service) if cluster else None


def demand(change: ChangeRequest, *moves: Move) -> None:
    """Raises Stale where none of these may happen to it."""
    if not any(changemoves.after(change.stage, move) for move in moves):
        raise Stale(f"{standing(change)} {NOTHING}")


def standing(change: ChangeRequest) -> str:
    """Where it stands, as a refusal says it."""
    match change.stage:
        case Stage.DRAFT:
            return f"{change.id} is a draft: its pre-checks have not let it through."
        case Stage.PRECHECKS:
            return f"The pre-checks of {change.id} are under way; its card says when they are done."
        case Stage.PENDING:
            return f"{change.id} waits for approval."
        case Stage.APPROVED:
            return f"{change.id} is approved and not begun."
    why = f": {change.ended_why}" if change.ended_why else ""
    return f"{change.id} is {change.stage.value}{why}."


def entered(change: ChangeRequest, answer: str, drafts: Iterable[Draft], *runs: str) -> Entry:
    return Entry(answer, (Write(tuple(drafts), change.id, WORD),), runs)


def did(given: Given, kind: Kind, text: str, **facts: str) -> Draft:
    """An event of who acts, told in the thread, with its empty facts left out."""
    kept = {name: value for name, value in facts.items() if value}
    return Draft(kind, text, by=given.actor.user, facts=kept, is_told=True)


def said(given: Given) -> str:
    """What was typed behind the id, or as --why."""
    return (given.args.rest or given.args.flags.get("why", "")).strip()
