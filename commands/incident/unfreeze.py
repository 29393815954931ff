"""`incident unfreeze`: put back exactly what a freeze wrote down, object by object, and say what differs by now.

It goes by the records on the objects alone, so a freeze whose worker died half way is undone as far as it came.
"""

from commands.change import Change, Planning, Who, blocked
from commands.command import Command
from commands.effects import FROZEN, AllowTraffic, Thaw
from commands.finding import Finding, Light
from commands.incident import frozen
from commands.incident.freeze import parts, service_of
from commands.incident.frozen import Held, Record, verify
from commands.incident.proof import rehearsed, waves
from commands.model import Args, Gap, Seen
from commands.phrase import counted
from commands.plan import Plan, Step, Wave
from commands.securityreads import Flag, FlagView, Scalers, ScalerView, Schedules, ScheduleView
from commands.site import ClusterSite, ServiceSite
from commands.wording import one_line, unread
from commands.workloads import Workloads, WorkloadView

_WHATS = {Workloads: "Workloads", Scalers: "Autoscalers", Schedules: "CronJobs", Flag: "ConfigMap"}


def plan(args: Args, site: ClusterSite, who: Who) -> Planning:
    service = service_of(args, site)
    title = f"Unfreeze {service.name}"
    seen = yield frozen.reads(service)
    gaps = [(_WHATS.get(type(read), "Network policies"), seen[read]) for read in frozen.reads(service)]
    unknown = tuple(unread("unfreeze.unread", what, gap) for what, gap in gaps if isinstance(gap, Gap))
    held = tuple(frozen.held(frozen.views(seen, service), service))
    policies = frozen.policies(seen, service)
    if not held and not policies:
        return blocked(title, _nothing(service, unknown))
    known = [(each, each.record) for each in held if each.record is not None]
    thaws = [_thaw(each, record) for each, record in known]
    allows = [
        Step(f"allow {policy.target.name}", AllowTraffic(policy.target), f"delete {policy.target}")
        for policy in policies
    ]
    findings = (
        *unknown,
        *(_illegible(each) for each in held if each.record is None),
        *(found for each, record in known for found in _differs(each, record, service)),
        *_unknown_writers(seen, service),
    )
    return (yield from rehearsed(_whole(title, service, (*thaws, *allows), findings, known)))


def _nothing(service: ServiceSite, unknown: tuple[Finding, ...]) -> tuple[Finding, ...]:
    why = "nothing of it is frozen" if not unknown else "nothing of what was read of it is frozen"
    return (*unknown, Finding("unfreeze.none", service.name, Light.RED, why))


def _whole(
    title: str,
    service: ServiceSite,
    steps: tuple[Step, ...],
    findings: tuple[Finding, ...],
    known: list[tuple[Held, Record]],
) -> Plan:
    requests = ", ".join(dict.fromkeys(record.request for _, record in known))
    return Plan(
        title=title,
        findings=findings,
        waves=waves(Wave("Put back", steps)),
        facts=(f"frozen by {requests}",) if requests else (),
        stays=("what the freeze did not change: templates, bounds of autoscalers, schedules",),
        scope=(f"unfreeze {service.name}", *(step.text for step in steps)),
        undo=f"incident freeze {service.name}",
        before=tuple((str(each.target), _now(each)) for each, _ in known),
        locks=(
            f"freeze/{service.namespace}/{service.name}",
            *(each.view.lock for each, _ in known if isinstance(each.view, WorkloadView)),
        ),
    )


def _thaw(each: Held, record: Record) -> Step:
    effect = Thaw(each.target, record.field, record.was, each.note)
    return Step(f"thaw {each.target}", effect, f"{each.target}: {_back(each, record)}")


def _back(each: Held, record: Record) -> str:
    match each.view:
        case WorkloadView():
            return f"back to {counted(int(record.was or 1), 'pod')}"
        case ScalerView():
            return "scale again as before"
        case ScheduleView():
            return "suspended, as before" if record.was == "true" else f"run again by {each.view.schedule}"
        case FlagView():
            return f"{record.field.removeprefix('/data/')} back to {record.was or 'not set'}"


def _now(each: Held) -> str:
    match each.view:
        case WorkloadView():
            return f"replicas {each.view.replicas}"
        case ScalerView():
            return f"minReplicas {each.view.low}, maxReplicas {each.view.high}"
        case ScheduleView():
            return "suspended" if each.view.is_suspended else "not suspended"
        case FlagView():
            return "not set" if each.view.value is None else each.view.value


# --- What differs by now ----------------------------------------------------------------------------


def _illegible(each: Held) -> Finding:
    value = f"the annotation {FROZEN} does not say what it was: it is left alone ({one_line(each.note, 60)})"
    return Finding("unfreeze.record", str(each.target), Light.YELLOW, value, mend="Put it back by hand.")


def _differs(each: Held, record: Record, service: ServiceSite) -> tuple[Finding, ...]:
    label, back = str(each.target), _back(each, record)
    match each.view:
        case WorkloadView(replicas=now) if now:
            value = f"asks for {counted(now, 'pod')} now, where the freeze left none: {back}"
        case ScalerView(is_stopped=False):
            value = "may scale already, where the freeze stopped it"
        case ScheduleView(is_suspended=False):
            value = "is not suspended any more, where the freeze suspended it"
        case FlagView(value=now) if now != service.freeze.value:
            value = f"says {now or 'nothing'} now, where the freeze wrote {service.freeze.value}: {back}"
        case ScalerView(low=low, high=high) if (low, high) != (record.low or 1, record.high or high):
            value = f"has bounds {low} to {high} now, and had {record.low or 1} to {record.high}: they stay"
        case _:
            return ()
    return (Finding("unfreeze.differs", label, Light.YELLOW, value),)


def _unknown_writers(seen: Seen, service: ServiceSite) -> tuple[Finding, ...]:
    """A writer without pods and without a record: made anew since, or scaled by somebody else."""
    answer = seen[Workloads(service.namespace)]
    names = {each.rpartition("/")[2] for each in service.freeze.writers or (service.deployment,)}
    if isinstance(answer, Gap) or service.freeze.mode != "scale":
        return ()
    value = "asks for no pods, and nothing on it says what it had: it stays so"
    return tuple(
        Finding("unfreeze.norecord", str(view.target), Light.YELLOW, value)
        for view in answer
        if view.target.name in names and not view.replicas and FROZEN not in view.annotations
    )


UNFREEZE = Command(
    word="incident",
    verbs=("unfreeze",),
    summary="Put back what a freeze of a service stopped.",
    rows=("DL-4.1", "C71"),
    parts=parts,
    examples=("incident unfreeze backend",),
    names="SERVICE",
    change=Change(plan, verify),
)
