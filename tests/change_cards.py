"""Every kind of card of a change there is, as a record: for the golden files, and for the pictures of the sandbox."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands.effects import RollBack, Target
from commands.finding import Finding, Light, Suggestion
from commands.model import Args, Request, State
from commands.plan import Approval, Plan, Result, Standing, Step, Verdict, Wave
from tests import build

BOB = build.BOB.user

RISKS = (
    Finding(
        "drain.emptydir", "emptyDir", Light.YELLOW, "2 pods lose what they keep on the node",
        evidence=("shop/backend-1: cache (1Gi)", "shop/backend-2: cache (1Gi)"),
    ),
    Finding("drain.single", "One replica", Light.YELLOW, "shop/reports is away for about 35 s",
            mend="scale shop/reports to 2 first", suggestions=(Suggestion("Scale first", "scale reports 2"),)),
    Finding("drain.webhooks", "Webhooks", Light.UNKNOWN, "unknown: no permission to list webhooks",
            mend="kubectl apply -f k8s/rbac-read.yaml"),
    build.finding(key="drain.capacity", label="Room elsewhere", value="12 of 12 pods fit", threshold=""),
    build.finding(key="drain.pdb", label="Disruption budgets", value="all allow it", threshold=""),
)  # fmt: skip

PODS = ("backend-1", "backend-2", "frontend-1", "reports-0", "cart-5d9f-x2x4p", "orders-7c-q9", "search-1")

DRAIN = build.plan(*PODS, findings=RISKS)

ASKED = build.change_request(DRAIN)

GRANTED = build.asking(DRAIN, approvals=(Approval(BOB, build.NOW + timedelta(seconds=50)),))

KEYS = [step.key for step in DRAIN.steps]

HALF = {
    **dict.fromkeys(KEYS[:3], Standing.PROVED),
    KEYS[3]: Standing.APPLIED,
    KEYS[4]: Standing.BLOCKED,
}

WAITS = (
    "budget shop/orders: 1 of 2 healthy, none may go, since 40 s",
    "shop/reports-0 to end (30 s of grace)",
)

APPLYING = replace(
    ASKED, state=State.APPLYING, asking=GRANTED, progress=build.progress(HALF, waiting=WAITS)
)  # fmt: skip

AFTER = build.NOW + timedelta(minutes=1, seconds=52)

LEFT = {**dict.fromkeys(KEYS[:6], Standing.PROVED), KEYS[6]: Standing.BLOCKED, KEYS[7]: Standing.APPLIED}


def ended(
    state: State, marks: dict[str, Standing], verdict: Verdict | None = None, **changes: Any
) -> Request:
    return replace(
        APPLYING, state=state, progress=build.progress(marks), verdict=verdict, finished=AFTER, **changes
    )


SUCCEEDED = ended(
    State.SUCCEEDED,
    dict.fromkeys(KEYS, Standing.PROVED),
    Verdict(Result.SUCCEEDED, summary="7 pods run elsewhere; node-3 is empty but for 1 DaemonSet pod"),
)

BACKEND = Target("Deployment", "shop", "backend", "0a9e2c41-77aa-4f10-8f3d-b1c2d3e4f5a6")

ROLLBACK = Plan(
    title="Roll back shop/backend to revision 7",
    findings=(
        Finding("rollback.owner", "Owner", Light.YELLOW, "Helm manages it (release shop): the next upgrade undoes this"),
        build.finding(key="rollback.images", label="Images and configuration", value="all there", threshold=""),
    ),
    waves=(
        Wave("Roll back", (Step("roll-back", RollBack(BACKEND, 7, BACKEND, "h1", "h2", "by bob"), "revision 9 → 7"),)),
    ),
    facts=("revision 9, 3 of 3 available; revision 7 is 2 d old: release 1.4.2",),
    diff=(
        "  containers[backend]",
        "-   image: shop/backend:1.5.0",
        "+   image: shop/backend:1.4.2",
        "-   env CACHE_TTL: 60",
        "+   env CACHE_TTL: 300",
        "-   resources.limits.memory: 256Mi",
        "+   resources.limits.memory: 512Mi",
        "-   readinessProbe.periodSeconds: 5",
        "+   readinessProbe.periodSeconds: 10",
        "  volumes: 2 the same",
    ),
    undo="deploy rollback shop/backend --to-revision 9",
    before=(("revision", "9"), ("image", "shop/backend:1.5.0")),
    rehearsal=("would be taken", "warning: spec.template.spec.nodeSelector is deprecated"),
    estimate=timedelta(seconds=90),
    timeout=timedelta(minutes=11),
)  # fmt: skip

BLOCKED = build.plan(
    findings=(
        Finding(
            "drain.pdb", "Disruption budget", Light.RED, "shop/orders allows none, and never will (minAvailable 2 of 2)",
            evidence=("shop/orders-7c-q9",), mend="scale shop/orders to 3, then drain again",
            suggestions=(Suggestion("Scale orders to 3", "scale orders 3"),),
        ),
        *RISKS,
    ),
)  # fmt: skip

RECORDS: dict[str, Request] = {
    "change-planning": replace(ASKED, state=State.READING, plan=None, asking=None),
    "change-awaiting": ASKED,
    "change-awaiting-turn-2": replace(
        ASKED,
        asking=replace(
            build.asking(DRAIN),
            turn=2,
            changed=("also: Deployment shop/search", "new: One replica shop/reports is away for about 35 s"),
        ),
    ),
    "change-awaiting-second": replace(ASKED, asking=replace(GRANTED, needed=2)),
    "change-self-approve": replace(ASKED, asking=build.asking(DRAIN, self_approve=True)),
    "change-blocked": replace(ASKED, state=State.BLOCKED, plan=BLOCKED, asking=None, finished=build.NOW),
    "change-queued": replace(
        ASKED,
        state=State.APPROVED,
        asking=GRANTED,
        behind="RTEST0000",
        behind_what="drain node-1",
        behind_by=BOB,
    ),
    "change-applying": APPLYING,
    "change-stopping": replace(APPLYING, progress=build.progress(HALF, cancelled_by=BOB)),
    "change-succeeded": SUCCEEDED,
    "change-partial": ended(
        State.PARTIAL,
        LEFT,
        Verdict(
            Result.PARTIAL,
            left=(
                "shop/orders-7c-q9: budget shop/orders never allowed it",
                "shop/search-1: still ends, 52 s of 30 s",
            ),
            summary="2 of 7 pods are still on node-3, which stays cordoned",
            suggestions=(Suggestion("Try again", "drain node-3"), Suggestion("Uncordon", "uncordon node-3")),
        ),
    ),
    "change-failed": replace(
        ended(
            State.FAILED,
            {"roll-back": Standing.APPLIED},
            Verdict(
                Result.FAILED,
                left=("shop/backend-6d-2: ImagePullBackOff shop/backend:1.4.2",),
                summary="revision 7 did not become available in 11 min",
            ),
            reference="",
        ),
        plan=ROLLBACK,
        text="rollback backend",
    ),
    "change-cancelled": ended(
        State.CANCELLED,
        {**HALF, KEYS[3]: Standing.PROVED},
        Verdict(Result.PARTIAL, left=("4 pods are still on node-3, which stays cordoned",)),
        ended_by=BOB,
    ),
    "change-withdrawn": replace(ASKED, state=State.CANCELLED, ended_by=build.ALICE.user, finished=build.NOW),
    "change-rejected": replace(
        ASKED, state=State.REJECTED, ended_by=BOB, ended_why="not during the sale", finished=build.NOW
    ),
    "change-expired": replace(ASKED, state=State.EXPIRED, finished=build.NOW + timedelta(minutes=15)),
    "change-dry-run": replace(
        ASKED,
        state=State.ANSWERED,
        asking=None,
        text="drain node-3 --dry-run",
        args=Args("node", "drain", "node-3", {"dry-run": ""}),
        plan=replace(DRAIN, rehearsal=("8 of 8 evictions would be taken",)),
        finished=build.NOW,
    ),
    "change-nothing-to-do": replace(
        ASKED,
        state=State.ANSWERED,
        asking=None,
        plan=build.plan(title="Cordon node-3", waves=(), findings=(), facts=("it is cordoned already",)),
        finished=build.NOW,
    ),
    "change-crashed": replace(ASKED, state=State.FAILED, plan=None, asking=None, reference="E2345678"),
    "change-rollback": build.change_request(ROLLBACK, text="rollback backend"),
}
