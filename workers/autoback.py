"""Takes a change back by itself, where its request says so and whoever approved it thereby did: on the usual road.

A rollback is asked for like any other change, by who began the change. Once its plan stands and says that it can go, the
approvals of the change request are its approvals; a plan with risks, one that wants more people, or one that touches
anything outside the namespace those people were asked about waits for somebody like any other. Called by
workers/changewatch.py, as often as it takes.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.state import JOB_TIMEOUT, Change, State, Stored, new_id
from commands.catalog import Catalog
from commands.errors import UsageError
from commands.model import Actor, Place, Request
from commands.model import State as Standing
from commands.plan import Approval, Go, Plan
from commands.response.changerequest import ChangeRequest

AGAIN = timedelta(seconds=2)  # until its plan is looked at again


def ask(catalog: Catalog, change: ChangeRequest, line: str, now: datetime) -> Request | None:
    """The rollback as a request to be put; None where its line does not parse any more."""
    try:
        parsed = catalog.parse(line)
    except UsageError:
        return None
    return Request(
        id=new_id("R"), text=line, args=parsed.args, actor=Actor(change.started_by, ""), place=Place(change.channel),
        cluster=change.payload.cluster, created=now, why=parsed.args.flags.get("why", ""),
    )  # fmt: skip


def put(writing: Change, request: Request) -> Change:
    """Write it down beside whatever else is written."""
    writing.put(request, was="").show(request, priority=0).work(request, timeout=JOB_TIMEOUT, first=True)
    return writing.audit("submitted", id=request.id, by=request.actor.user, text=request.text)


def is_planned(request: Request) -> bool:
    """Whether there is anything left to wait for."""
    return request.state is not Standing.READING


def approve(state: State, stored: Stored[Request], change: ChangeRequest, now: datetime, asker: str) -> bool:
    """Approve it with what the change request was approved by; False where people must look at it first. asker: the
    person it is asked for by, who counts no more than anybody who asks."""
    request, asking = stored.record, stored.record.asking
    if request.state is not Standing.AWAITING or asking is None or request.plan is None:
        return False
    if request.plan.go is not Go.GO or not _is_within(request, request.plan, change):
        return False
    agreed = tuple(each for each in change.agreed if (each.person or each.user) != asker)
    approvals = tuple(Approval(each.user, now, person=each.person) for each in agreed)
    granted = request.move(Standing.APPROVED, asking=replace(asking, approvals=approvals))
    if granted.asking is None or not granted.asking.is_granted:
        return False
    writing = state.change().put(granted, was=stored.version).show(granted, priority=0).line_up(granted)
    writing.work(granted, timeout=JOB_TIMEOUT, first=True)
    by = " ".join(each.user for each in agreed)
    writing.audit(
        "approved", id=request.id, by=by, requester=request.actor.user, text=request.text, reason=change.id
    )
    writing.commit()
    return True


def _is_within(request: Request, plan: Plan, change: ChangeRequest) -> bool:
    """Whoever approved the change was let by the rules for its cluster and namespace, and for nothing else."""
    places = (request.cluster, {target.namespace for target in plan.targets})
    return not plan.nodes and places == (change.payload.cluster, {change.payload.namespace})
