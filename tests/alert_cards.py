"""Every kind of alert card there is, as a record: for the golden files, and for the pictures of the sandbox."""

from dataclasses import replace
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Link, Suggestion
from commands.ledger import Line
from commands.model import (
    SCHEDULER,
    Alert,
    AlertGroup,
    Args,
    Attachment,
    Care,
    Cause,
    Confidence,
    Judged,
    Judgement,
    Notice,
    Place,
    Record,
    Request,
    Section,
    Severity,
    Silenced,
    State,
    Storm,
)  # fmt: skip
from tests import build

ID = "A1B2C3D4E5F607182"
HOSTILE = "<!channel> <@U0BOB000001> <https://evil|https://bank> & <script>alert(1)</script>"


def after(**length: int) -> datetime:
    return build.NOW + timedelta(**length)


def alert(pod: str = "web-7d4b9c-x1", *, ends_after: timedelta | None = None, **labels: str) -> Alert:
    told = {"namespace": "shop", "pod": pod, "container": "app", "job": "kube-state-metrics", **labels}
    made = build.alert("KubePodCrashLooping", ends_after=ends_after, **told)
    said = {
        "summary": f"Pod shop/{pod} (app) restarts again and again",
        "runbook_url": "https://runbooks.example/KubePodCrashLooping",
    }
    return replace(
        made, fingerprint=pod, annotations=said, generator_url="https://prometheus.example/graph?g0.expr=x"
    )


def group(*alerts: Alert, **changes: object) -> AlertGroup:
    made = build.group(
        *(alerts or (alert(),)),
        id=ID,
        group_labels={"alertname": "KubePodCrashLooping", "namespace": "shop"},
        external_url="https://alertmanager.example",
        cluster="training",
        severity=Severity.CRITICAL,
        route="namespace=shop",
        heard=build.NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


CAUSE = Cause(
    "web-7d4b9c-x1/app was killed at its memory limit of 256 MiB; it used 255 MiB, 4 times in 20 min",
    Confidence.LIKELY,
    (
        Suggestion("Roll back web", "deploy rollback shop/web"),
        Suggestion("Logs before", "logs shop/web-7d4b9c-x1 --previous"),
        Suggestion("Third", "pod show shop/web-7d4b9c-x1"),
    ),
)
ACKED = Care(acked=after(minutes=2), acked_by=build.BOB.user, owner=build.ALICE.user)
MANY = tuple(
    alert(f"pod-{n}", namespace=("shop", "kube-system", "monitoring")[n % 7 % 3], node=f"ip-10-0-2-{n % 12}")
    for n in range(300)
)
WIDE = replace(
    alert(),
    labels={"alertname": "Wide", "severity": "warning", **{f"label_{n}": f"v{n}" for n in range(122)}},
)
NAMELESS = replace(alert(), labels={"namespace": "shop", "severity": "warning"}, annotations={})
ENDED = timedelta(minutes=25)

GROUPS: dict[str, Record] = {
    "alerts-firing": group(mention=build.ALICE.user, triage="TTEST0001"),
    "alerts-warning": group(alert(), severity=Severity.WARNING, cause=CAUSE),
    "alerts-info": group(alert(), severity=Severity.INFO),
    "alerts-repeat": group(repeats=2, heard=after(hours=8), cause=CAUSE, triage="TTEST0001"),
    "alerts-flapping": group(
        alert(), alert("web-7d4b9c-x2"), flaps=2,
        lines=(Line("1", "✅ resolved after 4 min", after(minutes=4)), Line("2", "🔥 fires again", after(minutes=9))),
    ),
    "alerts-partial": group(
        alert(), alert("web-7d4b9c-x2"), alert("web-7d4b9c-x3", ends_after=timedelta(minutes=4)),
        lines=(Line("1", "✅ resolved after 4 min: pod=web-7d4b9c-x3", after(minutes=4)),), cause=CAUSE,
    ),
    "alerts-resolved": group(
        alert(ends_after=ENDED), updated=build.NOW + ENDED, cause=CAUSE,
        care=replace(ACKED, judged=(Judged(Judgement.ACTIONABLE, build.BOB.user, after(minutes=26)),)),
    ),
    "alerts-truncated": group(*(alert(f"web-{n}") for n in range(8)), truncated=37),
    "alerts-owned": group(cause=CAUSE, care=ACKED),
    "alerts-silenced": group(
        care=replace(ACKED, silences=(Silenced("5b1f", build.BOB.user, after(hours=1), "the node is replaced"),))
    ),
    "alerts-reminded": group(care=Care(reminded=after(minutes=5), snoozed=after(minutes=35))),
    "alerts-storm-member": group(storm="STTEST001"),
    "alerts-storm-member-resolved": group(
        alert(ends_after=ENDED), updated=build.NOW + ENDED, storm="STTEST001",
        lines=(Line("1", "✅ resolved", build.NOW),),
    ),
    "alerts-300": group(*MANY, group_labels={"alertname": "KubePodCrashLooping"}, triage="TTEST0001"),
    "alerts-124-labels": group(WIDE, group_labels={"alertname": "Wide"}, severity=Severity.WARNING),
    "alerts-no-alertname": group(NAMELESS, group_labels={"namespace": "shop"}, severity=Severity.WARNING),
    "alerts-again": group(episode=2, before="C0SREALERTS 1795595400.000100"),
    "alerts-injection": group(
        replace(alert(HOSTILE, node=HOSTILE), annotations={"summary": HOSTILE, "runbook_url": "javascript:alert(1)"}),
        alert(HOSTILE * 2),
        group_labels={HOSTILE: HOSTILE}, receiver=HOSTILE, route=HOSTILE, cluster=HOSTILE, mention=HOSTILE,
        cause=Cause(HOSTILE, Confidence.POSSIBLE, (Suggestion(HOSTILE, HOSTILE),)), before=HOSTILE,
        care=Care(owner=HOSTILE, silences=(Silenced("x", HOSTILE, after(hours=1), HOSTILE),)),
        lines=(Line("1", HOSTILE, build.NOW, HOSTILE, HOSTILE),),
    ),
}  # fmt: skip

LISTING = Attachment("storm.txt", "All 84 groups", stored="STTEST001:list", size=4000, sha256="ab" * 32)
STORM = Storm(
    "STTEST001", "#sre-alerts", build.NOW, after(minutes=3), members=84, firing=61, listing=LISTING,
    counts=(
        ("alert", "KubePodCrashLooping", 40), ("alert", "KubePodNotReady", 12), ("alert", "TargetDown", 9),
        ("namespace", "shop", 33), ("namespace", "kube-system", 20), ("namespace", "monitoring", 5),
        ("node", "ip-10-0-2-82.eu-central-1.compute.internal", 51), ("node", "ip-10-0-2-83", 4),
        *(("node", f"ip-10-0-3-{n}", 1) for n in range(6)),
    ),
)  # fmt: skip

EVENTS = tuple(
    f"2 min ago  Warning BackOff  x{n}  Back-off restarting failed container" for n in range(12, 1, -1)
)
CAUSE_PART = Section(
    "cause", "KubePodCrashLooping", True,
    (
        Finding("AL-22", "Last crash", Light.RED, "exit 137, OOMKilled", evidence=("limit 256 MiB, last seen at 255 MiB",),
                suggestions=CAUSE.suggestions),
        Finding("AL-26", "Events", Light.YELLOW, "11 kinds", evidence=EVENTS),
        Finding("AL-21", "Logs before", Light.UNKNOWN, "unknown: forbidden (pods/log)", mend="add `get pods/log`"),
    ),
    note="Kubernetes, read 08:30", cause=CAUSE,
    table=("CONTAINER  STATE    RESTARTS", "app        waiting  4", "proxy      running  0"),
)  # fmt: skip
CONTEXT_PART = Section(
    "context", "What changed, and what else fires", True,
    (
        Finding("AL-33", "Changed", Light.YELLOW, "rollout 12 min before", evidence=("image web:1.4 → web:1.5",)),
        Finding("AL-33", "Also firing", Light.GREEN, "nothing else"),
        Finding("AL-36", "First steps", Light.GREEN, "", evidence=("1. Read the last log", "2. Compare releases"),
                link=Link("Runbook", "https://runbooks.example/KubePodCrashLooping")),
    ),
)  # fmt: skip
GRAPH_PART = Section(
    "graph", "Graph", True,
    attachments=(Attachment("g.png", "KubePodCrashLooping", stored="TTEST0001:graph:0", is_image=True),),
)  # fmt: skip
LIST_PART = Section(
    "list", "All of its alerts", True,
    (Finding("AL-12", "By namespace", Light.YELLOW, "3 different", evidence=("128 × shop", "86 × kube-system")),),
    attachments=(Attachment("l.txt", "300 alerts", stored="TTEST0001:list:0", size=70_000, sha256="ef" * 32),),
)  # fmt: skip
NOTHING_PART = Section("list", "All of its alerts", True)
HOSTILE_PART = Section(
    "cause", HOSTILE, True,
    (Finding("x", HOSTILE, Light.RED, HOSTILE, HOSTILE, (HOSTILE,), Link(HOSTILE, "javascript:x"), mend=HOSTILE),),
    note=HOSTILE, table=(HOSTILE,), cause=Cause(HOSTILE, Confidence.CERTAIN),
    attachments=(Attachment(HOSTILE, HOSTILE, stored="k", size=1),),
)  # fmt: skip


def triage(*sections: Section, **changes: object) -> Request:
    made = build.request(
        "TTEST0001", text=f"alert triage {ID}", args=Args("alert", "triage", ID), actor=SCHEDULER,
        place=Place("#sre-alerts", under=f"alert:{ID} 1:card"), sections=sections, state=State.ANSWERED,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


OTHERS: dict[str, Record] = {
    "alerts-storm": STORM,
    "alerts-storm-over": replace(STORM, over=True, firing=0, counts=(), updated=after(minutes=52)),
    "alerts-notice": Notice(
        "NWATCHDOG", "#incidents", "⚠️ Alertmanager has sent no Watchdog for 10 min: no alert may arrive.",
        build.NOW, mention=build.ALICE.user, lines=(Line("1", "✅ heard again", after(minutes=14)),),
    ),
    "alerts-triage": triage(CAUSE_PART, CONTEXT_PART, GRAPH_PART, NOTHING_PART),
    "alerts-triage-300": triage(CAUSE_PART, CONTEXT_PART, GRAPH_PART, LIST_PART),
    "alerts-triage-half": triage(CAUSE_PART, Section("context", "What changed"), state=State.READING),
    "alerts-triage-failed": triage(Section("cause", "x"), state=State.FAILED, reference="E2345678"),
    "alerts-triage-hostile": triage(HOSTILE_PART),
}  # fmt: skip

KINDS: dict[str, Record] = {**GROUPS, **OTHERS}
