"""Object mothers: whole, plausible values with one keyword per thing a test cares about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.effects import Cordon, Evict, Target
from commands.entry import Entry, Given
from commands.finding import Finding, Light
from commands.grammar import parse
from commands.incident import COMMANDS as VERBS
from commands.ledger import START, Draft, sealed
from commands.model import Actor, Alert, AlertGroup, Args, Place, Request, Section, State, Whisper
from commands.plan import Asking, Mark, Plan, Progress, Standing, Step, Wave
from commands.reads import AuditProgress
from commands.response import events as response
from commands.response import fold
from commands.response.incident import Incident
from commands.site import Site

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TEAM = "T0EMULATED1"
ALICE = Actor("U0ALICE0001", TEAM)
BOB = Actor("U0BOB000001", TEAM)


def finding(light: Light = Light.GREEN, **changes: Any) -> Finding:
    return replace(Finding("DH-1.5", "Availability", light, value="99.95 %", threshold="> 99.9 %"), **changes)


def section(key: str = "slo", *findings: Finding, **changes: Any) -> Section:
    return replace(Section(key, key.upper(), True, findings or (finding(),)), **changes)


def request(id: str = "RTEST0001", **changes: Any) -> Request:
    pending = tuple(Section(key, key) for key in ("slo", "cluster"))
    made = Request(
        id, "health", Args("health"), ALICE, Place("C0SREDAILY1"), "training", NOW, sections=pending
    )
    return replace(made, **changes)


NODE = Target("Node", "", "node-3", "6f1d0c9e-1111-4a52-9d7e-0a1b2c3d4e5f")


def pod(name: str = "backend-1", namespace: str = "shop") -> Target:
    return Target("Pod", namespace, name, f"uid-of-{namespace}-{name}")


def step(name: str = "backend-1", **changes: Any) -> Step:
    """The eviction of a pod of node-3; another effect with `effect=`."""
    target = pod(name)
    return replace(Step(f"evict {target.uid}", Evict(target, NODE.name), f"evict {target.path}"), **changes)


CORDON = Step(f"cordon {NODE.uid}", Cordon(NODE, "by U0ALICE0001 (RTEST0001)"), "cordon node-3")


def plan(*pods: str, **changes: Any) -> Plan:
    """A drain of node-3: a cordon, then the evictions of these pods side by side."""
    steps = tuple(step(name) for name in pods or ("backend-1", "frontend-1"))
    made = Plan(
        title="Drain node-3",
        findings=(finding(key="drain.capacity", label="Room elsewhere", value="all fit", threshold=""),),
        waves=(Wave("Cordon", (CORDON,)), Wave("Evict", steps)),
        facts=("t3.large in eu-west-1a, kubelet v1.33.1, Ready",),
        stays=("kube-system/kube-proxy-x1: DaemonSet",),
        scope=(f"Node node-3 {NODE.uid}", "Deployment shop/backend", "Deployment shop/frontend"),
        undo="uncordon node-3",
        before=(("node-3", "schedulable"),),
        locks=("drain", "node/node-3"),
        estimate=timedelta(seconds=40),
        timeout=timedelta(minutes=5),
    )
    return replace(made, **changes)


def asking(plan: Plan, **changes: Any) -> Asking:
    expires = NOW + timedelta(minutes=15)
    return replace(Asking(1, plan.digest, plan.approvers, expires, roles=("sre",)), **changes)


def progress(marks: dict[str, Standing] | None = None, **changes: Any) -> Progress:
    """Under way for 12 seconds; marks by the key of a step."""
    begun, at = NOW + timedelta(minutes=1), NOW + timedelta(minutes=1, seconds=12)
    made = {key: Mark(standing, at, tries=1) for key, standing in (marks or {}).items()}
    return replace(Progress("worker-1", begun, begun + timedelta(minutes=5), made, at=at), **changes)


def change_request(plan: Plan, **changes: Any) -> Request:
    """A drain put before people by Alice."""
    made = request(
        text="drain node-3",
        args=Args("node", "drain", "node-3"),
        sections=(),
        state=State.AWAITING,
        why="kernel update",
        plan=plan,
        asking=asking(plan),
    )
    return replace(made, **changes)


def alert(name: str = "PodCrashLooping", *, ends_after: timedelta | None = None, **labels: str) -> Alert:
    said = {"alertname": name, "severity": "critical", **labels}
    return Alert(
        fingerprint=f"{hash(tuple(sorted(said.items()))) & 0xFFFFFFFFFFFFFFFF:016x}",
        status="resolved" if ends_after else "firing",
        labels=said,
        annotations={"summary": f"{name} {' '.join(labels.values())}".strip()},
        starts_at=NOW,
        ends_at=NOW + ends_after if ends_after else None,
    )


def group(*alerts: Alert, **changes: Any) -> AlertGroup:
    made = AlertGroup(
        id="ATEST", group_labels={"alertname": "PodCrashLooping"}, receiver="sre-bot", channel="#sre-alerts",
        alerts=alerts or (alert(),), episode=1, opened=NOW, updated=NOW,
    )  # fmt: skip
    return replace(made, **changes)


def audit_lines(state: Any) -> list[dict[str, str]]:
    """Every audit line, oldest first."""
    return [
        {k.decode(): v.decode() for k, v in fields.items()} for _, fields in state.redis.xrange("sre:audit")
    ]


def trail_faults(state: Any) -> tuple[Any, ...]:
    """What does not hold of the audit trail's chain; () when it is whole."""
    found = state.trail.follow(AuditProgress(), (), lambda: False)
    assert found.lines
    return (*found.missing, *found.faults)


def whisper(text: str = "no", user: str = ALICE.user) -> Whisper:
    return Whisper("WTEST", user, Place("C0SREDAILY1"), text)


INCIDENT = "INC-2026-11-23-001"


def incident(*drafts: Draft, **facts: str) -> Incident:
    """A Sev1 declared by Alice five minutes ago, with a channel of its own; then these events, now."""
    declared = NOW - timedelta(minutes=5)
    said = {
        "title": "checkout is down",
        "severity": "1",
        "cluster": "sre-training-cluster",
        "channel": "yes",
        **facts,
    }
    first = replace(response.draft(response.Kind.DECLARED, "declared", **said), at=declared, by=ALICE.user)
    room = response.draft(
        response.Kind.ROOM, "its channel", channel="C0INCROOM01", name="inc-20261123-001-checkout", own="yes"
    )
    record = None
    for number, (each, at) in enumerate(((first, declared), (room, declared), *((d, NOW) for d in drafts))):
        (event,) = sealed((each,), record.head if record else START, at, (f"salt {number}",))
        record = fold.after(record, event) if record else fold.begun(INCIDENT, event)
    assert record is not None
    return record


def given(line: str, incident: Incident | None = None, by: Actor = ALICE, **changes: Any) -> Given:
    """Somebody typed this in the incident's channel; `line` without the word: "note it is slow"."""
    args = parse(f"incident {line}", VERBS).args
    room = incident.room.channel if incident else "C0SREDAILY1"
    made = Given(args, by, Place(room), NOW, Site(), "sre-training-cluster", incident=incident)
    return replace(made, **{"open": (incident,) if incident else (), **changes})


def decided(line: str, incident: Incident | None = None, by: Actor = ALICE, **changes: Any) -> Entry:
    """What an incident's verb makes of this; see `given`."""
    known = given(line, incident, by, **changes)
    entry = next(each.entry for each in VERBS if known.args.verb in each.verbs)
    assert entry is not None
    return entry(known)


def kinds(entry: Entry) -> list[str]:
    """What kinds of events it enters, in their order, into whichever record."""
    return [str(each.kind) for write in entry.writes for each in write.drafts]


def grown(incident: Incident, *drafts: Draft, at: datetime = NOW) -> Incident:
    """The incident after these events."""
    for each in drafts:
        (event,) = sealed((each,), incident.head, at, (f"salt {incident.head.seq}",))
        incident = fold.after(incident, event)
    return incident
