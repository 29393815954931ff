"""Change requests with one keyword per thing a test cares about, made of drafts and the fold as everywhere."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from commands.alertreads import Rules, RuleView, Silences
from commands.effects import Target
from commands.entry import Given
from commands.ledger import START, Draft, sealed
from commands.model import Actor, Args, Place, Read
from commands.reads import Condition as NodeCondition
from commands.reads import (
    EksCluster,
    EksView,
    Endpoints,
    EndpointView,
    Http,
    Nodes,
    NodeView,
    Pods,
    PodSurvey,
)
from commands.response import changefold
from commands.response.changeevents import Kind, draft, payload_facts
from commands.response.changemoves import Move
from commands.response.changerequest import ChangeRequest, Payload, Risk, Stage
from commands.responsereads import HouseZone, OpenIncidents
from commands.scheduling import Budgets
from commands.site import AccessRule, Roles, Site
from commands.triagereads import Fetch
from commands.workloads import Autoscalers, Revisions, RevisionView, Workload, WorkloadView
from tests.build import ALICE, BOB, NOW

SITE = Site(
    roles=Roles(approvers=(BOB.user,), service_owner=(BOB.user,)),
    access=(AccessRule(("approvers", "platform"), ("approve",), ("change start",)),),
)
ID = "CR-2026-11-23-001"


def payload(**changes: Any) -> Payload:
    made = Payload(
        what="checkout 2.0", service="backend", cluster="sre-training-cluster", namespace="sre-shop", at=NOW,
        duration=timedelta(minutes=30), rollback="/sre deploy rollback backend", why="fixes the lost orders",
        risk=Risk.MEDIUM, steps=("/sre health app", "switch the flag"),
    )  # fmt: skip
    return replace(made, **changes)


def change(*drafts: Draft, by: str = ALICE.user, now: datetime = NOW, **changes: Any) -> ChangeRequest:
    """Opened by Alice, and then these; a draft without who did it is hers."""
    opened = Draft(
        Kind.OPENED, "asked for", by=by, facts={**payload_facts(payload(**changes)), "channel": "#changes"}
    )
    return told((opened, *drafts), now)


def told(drafts: Iterable[Draft], at: datetime = NOW) -> ChangeRequest:
    first, *rest = sealed(drafts, START, at, ("salt",) * 50)
    made = changefold.begun(ID, first)
    for event in rest:
        made = changefold.after(made, event)
    return made


def move(to: Move, by: str = "") -> Draft:
    return replace(draft(Kind.MOVED, to.value, move=to), by=by)


_WAYS = {
    Stage.DRAFT: (),
    Stage.PRECHECKS: (Move.SUBMIT,),
    Stage.PENDING: (Move.SUBMIT, Move.CLEAR),
    Stage.APPROVED: (Move.SUBMIT, Move.CLEAR, Move.GRANT),
    Stage.EXECUTING: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START),
    Stage.VALIDATING: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.FINISH),
    Stage.ROLLING_BACK: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.ROLL_BACK),
    Stage.SUCCEEDED: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.FINISH, Move.PASS),
    Stage.ROLLED_BACK: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.ROLL_BACK, Move.RECOVER),
    Stage.ROLLBACK_FAILED: (
        Move.SUBMIT,
        Move.CLEAR,
        Move.GRANT,
        Move.START,
        Move.ROLL_BACK,
        Move.NOT_RECOVER,
    ),
    Stage.FAILED: (Move.SUBMIT, Move.CLEAR, Move.GRANT, Move.START, Move.BREAK),
    Stage.REJECTED: (Move.SUBMIT, Move.CLEAR, Move.REJECT),
    Stage.CANCELED: (Move.CANCEL,),
    Stage.EXPIRED: (Move.SUBMIT, Move.CLEAR, Move.EXPIRE),
}


def standing(stage: Stage, *drafts: Draft, **changes: Any) -> ChangeRequest:
    """One that came to this stage by its way."""
    return change(*(move(each) for each in _WAYS[stage]), *drafts, **changes)


def given(text: str, about: ChangeRequest | None = None, by: Actor = ALICE, **more: Any) -> Given:
    """Typed: "approve", "tick staging it ran", "new"; flags by keyword through `flags`."""
    verb, _, rest = text.partition(" ")
    flags = more.pop("flags", {})
    name = about.id if about else ""
    if about is None:
        name, _, rest = rest.partition(" ")
    made = Given(
        args=Args("change", verb, name, flags, rest), actor=by, place=Place("C0CHANGES01"), now=NOW, site=SITE,
        cluster="sre-training-cluster", change=about,
    )  # fmt: skip
    return replace(made, **more)


# --- A cluster in which all is well ---------------------------------------------------------------

TEMPLATE = {"spec": {"containers": [{"name": "backend", "image": "shop/backend:1"}]}}
BACKEND = Target("Deployment", "sre-shop", "backend", "uid-backend")

WELL: dict[type[Read], Any] = {
    Nodes: (NodeView("n1", (NodeCondition("Ready", "True"),), False, (), "v1.33.1", 4, 8 * 2**30, {}),),
    Pods: PodSurvey(3, {"Running": 3}, (), 0),
    Workload: (WorkloadView(BACKEND, 4, 4, 3, 3, 3, 3, 3, TEMPLATE, "app=backend"),),
    Revisions: (RevisionView(7, Target("ReplicaSet", "sre-shop", "backend-7", "uid-7"), "7", TEMPLATE),),
    Autoscalers: (),
    Budgets: (),
    Rules: (RuleView("HighErrorRate", "alerting", "g", "f", 'x{service="backend-service"}', "ok"),),
    Silences: (),
    Endpoints: (EndpointView("10.0.0.1", "a", True),),
    Fetch: Http(200, timedelta(milliseconds=5)),
    EksCluster: EksView("sre-training-cluster", "ACTIVE", "1.33", "eks.1"),
    HouseZone: "Europe/Berlin",
    OpenIncidents: (),
}
